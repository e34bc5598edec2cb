"""Atoms in few bits: files restore the same events, and damaged or hostile codes are refused."""

import time
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from distrack.arrays import Floats
from distrack.decompose import Events, render, storage
from distrack.decompose.events import MOST_EVENTS
from distrack.decompose.pursuit.atoms import GABOR, Atom
from distrack.decompose.pursuit.coded import from_stream
from distrack.decompose.pursuit.rounding import BitRounding
from distrack.decompose.pursuit.steps import BEST, COARSEST, FINEST, Steps
from distrack.decompose.transforms import gain, move, mute
from distrack.errors import EventsError
from tests.unit.decompose.pursuit.clips import RATE

several = pytest.mark.parametrize("steps", [COARSEST, BEST, Steps(6, 8, 5, 6, 9), FINEST])


def rounded(count: int, *, steps: Steps = BEST, channels: int = 1, seed: int = 0) -> Events:
    """Random events whose numbers are rounded; some of them silent, and some equal."""
    draw = np.random.default_rng(seed)
    rounding = BitRounding(steps, RATE)
    rows = np.zeros((count, 3 + 2 * channels), np.float32)
    for row in rows:
        scale, frequency = np.exp(draw.uniform(-8, -1)), draw.uniform(0, RATE / 2)
        row[:3] = rounding.atom(Atom(GABOR, draw.uniform(-0.5, 2.5), scale, frequency))[1:]
        amplitudes = np.exp(draw.uniform(-12, 1, channels) + 1j * draw.uniform(-4, 4, channels))
        row[3:] = rounding.amplitudes(amplitudes * (draw.random(channels) > 0.1))[0].ravel()
    rows[: count // 5] = rows[count // 5 : 2 * (count // 5)]
    events = Events.of("gabor", rows, sample_rate=RATE, samples=2 * RATE, channels=channels, steps=tuple(steps))
    return events.by_energy()


def arrays_of(content: bytes) -> set[str]:
    return set(load(content))


def with_codes(content: bytes, codes: bytes, **more: Floats) -> bytes:
    """A file with other codes."""
    size = int.from_bytes(content[:8], "little")
    metadata = storage._plain_json(content[8 : 8 + size])["__metadata__"]
    file: bytes = save({"coded": np.frombuffer(codes, np.uint8), **more}, metadata=metadata)
    return file


def checked(codes: bytes) -> bytes:
    """Codes with the right checksum: somebody made them so on purpose."""
    return codes[:3] + zlib.crc32(codes[:3] + codes[7:]).to_bytes(4, "little") + codes[7:]


@several
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 150])
def test_a_file_of_codes_alone_restores_the_same_events(steps: Steps, channels: int, count: int) -> None:
    events = rounded(count, steps=steps, channels=channels)
    content = storage.to_bytes(events)
    assert arrays_of(content) == {"coded"}
    loaded = storage.from_bytes(content)
    assert loaded.parameters.tobytes() == events.parameters.tobytes()
    assert (loaded.steps, loaded.samples, loaded.channels) == (events.steps, events.samples, channels)
    assert not loaded.muted.any()
    assert not loaded.wet.any()
    assert storage.to_bytes(loaded) == content
    if count < 10:
        assert np.array_equal(render(loaded), render(events))


def test_extreme_events_are_restored() -> None:
    rows = [
        [0.0, 2.0**-16, 0.0, 0.0, 0.0],
        [-600.0, 512.0, 10_000.0, 2.0**19, -np.pi],
        [99_000.0, 2.0**-16, 0.0, 2.0**-31, 0.0],
        [600.0, 1.0, 1.0, 1.0, 0.0],
    ]
    rounding = BitRounding(FINEST, RATE)
    numbers = np.array([[*rounding.atom(Atom(GABOR, *row[:3]))[1:], *row[3:]] for row in rows], np.float32)
    events = Events.of("gabor", numbers, sample_rate=RATE, samples=RATE, steps=tuple(FINEST)).by_energy()
    content = storage.to_bytes(events)
    assert arrays_of(content) == {"coded"}
    assert storage.from_bytes(content).parameters.tobytes() == events.parameters.tobytes()


def test_an_atom_takes_the_fewer_bits_the_coarser_it_is() -> None:
    sizes = [len(storage.coded(rounded(300, steps=steps)) or b"") for steps in (COARSEST, BEST, Steps(6, 8, 5, 6, 9))]
    assert sizes == sorted(sizes)
    assert 8 * sizes[1] / 300 < 32


def test_what_was_edited_stays_with_the_codes_or_becomes_floats() -> None:
    events = rounded(60)
    muted = mute(events, which=[3, 5])
    assert arrays_of(storage.to_bytes(muted)) == {"coded", "muted"}
    assert storage.from_bytes(storage.to_bytes(muted)).muted.nonzero()[0].tolist() == [3, 5]
    in_room = replace(events, room=np.ones((1, 4), np.float32), wet=np.full(60, 0.5, np.float32))
    again = storage.from_bytes(storage.to_bytes(in_room))
    assert again.room is not None
    assert again.wet.tolist() == [0.5] * 60
    for edited in (gain(events, db=1), move(events, seconds=0.001), events.rows(np.arange(60)[::-1])):
        content = storage.to_bytes(edited)
        assert "coded" not in arrays_of(content)
        assert storage.from_bytes(content).parameters.tobytes() == edited.parameters.tobytes()
    assert "coded" not in arrays_of(storage.to_bytes(replace(events, steps=None)))
    assert storage.from_json(storage.to_json(events)).parameters.tobytes() == events.parameters.tobytes()


def test_parameters_beside_the_codes_must_be_the_same() -> None:
    events = rounded(10)
    content, codes = storage.to_bytes(events), storage.coded(events) or b""
    both = storage.from_bytes(with_codes(content, codes, parameters=events.parameters))
    assert both.parameters.tobytes() == events.parameters.tobytes()
    with pytest.raises(EventsError, match="others"):
        storage.from_bytes(with_codes(content, codes, parameters=events.parameters[::-1].copy()))


def test_damaged_codes_are_refused() -> None:
    """Whichever bit is wrong, and wherever the codes are cut."""
    events = rounded(8)
    content, codes = storage.to_bytes(events), storage.coded(events) or b""
    for place in range(8 * len(codes)):
        damaged = bytearray(codes)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(EventsError, match="coded"):
            storage.from_bytes(with_codes(content, bytes(damaged)))
    for length in range(len(codes)):
        with pytest.raises(EventsError, match="coded"):
            storage.from_bytes(with_codes(content, codes[:length]))


def test_a_newer_version_is_refused() -> None:
    codes = bytearray(storage.coded(rounded(3)) or b"")
    codes[0] += 16
    with pytest.raises(EventsError, match="version 2"):
        from_stream(checked(bytes(codes)), channels=1, sample_rate=RATE)


def test_impossible_steps_are_refused() -> None:
    codes = storage.coded(rounded(3)) or b""
    with pytest.raises(EventsError, match="steps"):
        from_stream(checked(b"\x1f\xff\xff" + codes[3:]), channels=1, sample_rate=RATE)


@pytest.mark.parametrize("channels", [1, 2])
def test_hostile_codes_give_events_that_can_be_stored_or_are_refused_at_once(channels: int) -> None:
    draw = np.random.default_rng(channels)
    content = storage.to_bytes(rounded(3, channels=channels))
    refused = 0
    for _ in range(120):
        length = int(draw.integers(0, 300))
        stream = bytes(length) if draw.random() < 0.1 else draw.bytes(length)
        codes = checked(bytes([0x11, 0x41, 0x14]) + bytes(4) + stream)
        before = time.process_time()
        try:
            events = storage.from_bytes(with_codes(content, codes))
        except EventsError:
            refused += 1
        else:
            assert storage.from_bytes(storage.to_bytes(events)).parameters.tobytes() == events.parameters.tobytes()
        assert time.process_time() - before < 2
    assert refused > 20


def test_a_short_file_cannot_claim_many_events() -> None:
    stream = b"\xff" * 200
    with pytest.raises(EventsError, match="claim"):
        from_stream(checked(bytes([0x11, 0x41, 0x14]) + bytes(4) + stream), channels=1, sample_rate=RATE)


def test_hostile_files_with_codes_are_refused() -> None:
    events = rounded(3)
    content, codes = storage.to_bytes(events), storage.coded(events) or b""
    for array in (np.zeros(3, np.float32), np.frombuffer(codes, np.uint8)[None], np.frombuffer(codes, np.int8)):
        size = int.from_bytes(content[:8], "little")
        metadata = storage._plain_json(content[8 : 8 + size])["__metadata__"]
        with pytest.raises(EventsError, match="row of bytes"):
            storage.from_bytes(save({"coded": array}, metadata=metadata))
    for old, new in (
        ('"gabor"', '"damped"'),
        ('"channels": 1', '"channels": 1000000000'),
        ('"channels": 1', '"channels": []'),
    ):
        size = int.from_bytes(content[:8], "little")
        metadata = storage._plain_json(content[8 : 8 + size])["__metadata__"]
        metadata["events"] = metadata["events"].replace(old, new)
        assert new in metadata["events"]
        tracemalloc.start()
        with pytest.raises(EventsError):
            storage.from_bytes(save({"coded": np.frombuffer(codes, np.uint8)}, metadata=metadata))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()
    assert MOST_EVENTS >= 20_000
