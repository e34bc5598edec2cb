"""Files of events: they restore the same events, and a damaged or hostile one is refused quickly and in one line."""

import json
import os
import resource
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from distrack.decompose import Events, render, storage
from distrack.decompose.storage import FORMAT, MOST_BYTES
from distrack.errors import EventsError
from tests.tones import NAME, RATE, many, tones


def rich() -> Events:
    """Events with a value in every field."""
    draw = np.random.default_rng(1)
    return replace(
        many(20, channels=2),
        room=draw.normal(size=(2, 300)).astype(np.float32),
        shared={"dictionary": draw.normal(size=(4, 50)).astype(np.float32)},
        settings={"shape": "any", "order": 3, "scales": [1.5, 2]},
        seed=2**40,
    )


def equal(one: Events, other: Events) -> bool:
    """Whether two events have the same bits in every field."""
    plain = ("kind_name", "sample_rate", "samples", "channels", "seed", "settings")
    arrays = [(one.parameters, other.parameters), (one.muted, other.muted), (one.wet, other.wet)]
    arrays += [(one.shared[name], other.shared[name]) for name in one.shared]
    assert (one.room is None) == (other.room is None)
    if one.room is not None and other.room is not None:
        arrays.append((one.room, other.room))
    same = (
        all(getattr(one, name) == getattr(other, name) for name in plain) and one.shared.keys() == other.shared.keys()
    )
    return same and all(a.tobytes() == b.tobytes() for a, b in arrays)


# What is written is what is read


@pytest.mark.parametrize("make", [rich, lambda: many(3), tones, lambda: tones((0, 440, 1, 0.1), seconds=1 / RATE)])
def test_a_file_restores_the_same_events_and_the_same_sound(make: Callable[[], Events], tmp_path: Path) -> None:
    events, path = make(), tmp_path / "events.safetensors"
    path.write_bytes(storage.to_bytes(events))
    loaded = storage.load(path)
    assert equal(loaded, events)
    assert equal(storage.from_bytes(path.read_bytes()), events)
    assert storage.to_bytes(loaded) == path.read_bytes()
    assert equal(storage.from_json(storage.to_json(events)), events)
    np.testing.assert_array_equal(render(loaded), render(events))


def test_the_format_is_that_of_earlier_versions() -> None:
    header, _ = header_of(storage.to_bytes(rich()))
    metadata = header.pop("__metadata__")
    assert (metadata["format"], metadata["version"]) == ("distrack events", "1")
    assert json.loads(metadata["events"]).keys() == {"kind", "sample_rate", "samples", "channels", "seed", "settings"}
    assert header.keys() == {"parameters", "muted", "wet", "room", "kept.dictionary"}


def test_json_restores_any_float_bit_for_bit() -> None:
    draw = np.random.default_rng(2)
    bits = draw.integers(0, 2**32, size=2_000, dtype=np.uint32).view(np.float32)
    edges = np.array([0.0, -0.0, 1e-45, 16777217, 3.4e38, 0.1], np.float32)
    values = np.concatenate([bits[np.isfinite(bits)], edges])
    rows = values[: len(values) // 5 * 5].reshape(-1, 5)
    rows[:, [1, 3]] = np.abs(rows[:, [1, 3]]) + np.float32(1e-45)
    rows = rows[np.isfinite(rows).all(axis=1)]
    assert len(rows) > 300
    events = Events.of(NAME, rows, sample_rate=RATE, samples=10)
    assert equal(storage.from_json(storage.to_json(events)), events)


def test_json_is_readable() -> None:
    content = json.loads(storage.to_json(tones((0.25, 440, 0.1, 0.2))))
    assert content["units"]["time"] == "s"
    assert content["events"] == [
        {"time": 0.25, "frequency": 440, "amplitude": 0.1, "decay": 0.2, "bright": 0.1, "muted": False, "wet": 0.0}
    ]


# Hostile files


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def good() -> bytes:
    return storage.to_bytes(many(4))


def with_header(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def with_fields(**changes: Any) -> bytes:
    """A file whose JSON header has other fields; "gone" removes one."""
    header, data = header_of(good())
    fields = json.loads(header["__metadata__"]["events"]) | changes
    header["__metadata__"]["events"] = json.dumps({key: value for key, value in fields.items() if value != "gone"})
    return with_header(header, data)


def with_metadata(**changes: Any) -> bytes:
    header, data = header_of(good())
    header["__metadata__"] |= changes
    return with_header(header, data)


def without_metadata() -> bytes:
    header, data = header_of(good())
    del header["__metadata__"]
    return with_header(header, data)


def with_entry(name: str, **changes: Any) -> bytes:
    """A file whose header has another description of an array."""
    header, data = header_of(good())
    header[name] |= changes
    return with_header(header, data)


def with_arrays(**arrays: Any) -> bytes:
    events = many(4)
    stored = {"parameters": events.parameters, "muted": events.muted, "wet": events.wet} | arrays
    header = {"format": FORMAT, "version": "1", "events": json.dumps(storage._header(events))}
    return bytes(save({name: array for name, array in stored.items() if array is not None}, metadata=header))


def with_a_bool_of_7() -> bytes:
    content = bytearray(good())
    header, _ = header_of(bytes(content))
    first, _ = header["muted"]["data_offsets"]
    content[8 + int.from_bytes(content[:8], "little") + first] = 7
    return bytes(content)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "a few bytes": lambda: b"\x01\x02",
    "text": lambda: b"not events at all, but long enough to be some",
    "a header of 16 exabytes": lambda: b"\xff" * 8 + b"{}",
    "a header longer than the file": lambda: (10**6).to_bytes(8, "little") + b"{}",
    "a header of 2 MB": lambda: with_header(b"{" + b" " * (2 << 20) + b"}"),
    "a complete header of 2 MB": lambda: with_metadata(more="x" * (2 << 20)),
    "a header that is not JSON": lambda: with_header(b"{{{{"),
    "a header that is a list": lambda: with_header([1, 2]),
    "a header nested 100,000 deep": lambda: with_header(b"[" * 100_000),
    "metadata nested 100,000 deep": lambda: with_metadata(events="[" * 100_000),
    "metadata nested 100,000 deep in objects": lambda: with_metadata(events='{"a":' * 100_000),
    "no metadata": without_metadata,
    "metadata that are not text": lambda: with_metadata(events=5),
    "another format": lambda: with_metadata(format="distrack synthetic set"),
    "a newer version": lambda: with_metadata(version="2"),
    "an empty version": lambda: with_metadata(version=""),
    "version 0": lambda: with_metadata(version="0"),
    "a version of 10,000 digits": lambda: with_metadata(version="9" * 10_000),
    "metadata that are not an object": lambda: with_metadata(events="[]"),
    "an unknown kind": lambda: with_fields(kind="no-such-kind"),
    "a kind that is a list": lambda: with_fields(kind=["test-tone"]),
    "no kind": lambda: with_fields(kind="gone"),
    "a negative rate": lambda: with_fields(sample_rate=-16_000),
    "a rate in words": lambda: with_fields(sample_rate="16000"),
    "an infinite rate": lambda: with_fields(sample_rate=float("inf")),
    "10^18 samples": lambda: with_fields(samples=10**18),
    "a year of samples": lambda: with_fields(samples=RATE * 86_400 * 365),
    "no samples": lambda: with_fields(samples="gone"),
    "seven channels": lambda: with_fields(channels=7),
    "channels of none": lambda: with_fields(channels=None),
    "a missing channel": lambda: with_fields(channels=2),
    "settings that are a list": lambda: with_fields(settings=[1]),
    "no settings": lambda: with_fields(settings="gone"),
    "NaN in the settings": lambda: with_fields(settings={"x": float("nan")}),
    "a fraction as the seed": lambda: with_fields(seed=0.5),
    "a false size": lambda: with_entry("parameters", shape=[10**9, 5]),
    "a negative size": lambda: with_entry("parameters", shape=[-4, -5]),
    "a size of the right product": lambda: with_entry("parameters", shape=[5, 4]),
    "a size that overflows": lambda: with_entry("parameters", shape=[2**33, 2**33]),
    "a size that is a fraction": lambda: with_entry("parameters", shape=[4.0, 5.0]),
    "no size": lambda: with_entry("parameters", shape=None),
    "200 axes": lambda: with_entry("parameters", shape=[1] * 200),
    "false offsets": lambda: with_entry("parameters", data_offsets=[0, 10**15]),
    "negative offsets": lambda: with_entry("parameters", data_offsets=[-80, 0]),
    "float64": lambda: with_entry("parameters", dtype="F64"),
    "a type that is a list": lambda: with_entry("parameters", dtype=["F32"]),
    "whole numbers": lambda: with_arrays(parameters=np.ones((4, 5), np.int32)),
    "muted as numbers": lambda: with_arrays(muted=np.zeros(4, np.float32)),
    "parameters as truth values": lambda: with_arrays(parameters=np.zeros((4, 5), np.bool_)),
    "NaN": lambda: with_arrays(parameters=np.full((4, 5), np.nan, np.float32)),
    "infinity": lambda: with_arrays(parameters=np.full((4, 5), np.inf, np.float32)),
    "too few muted": lambda: with_arrays(muted=np.zeros(3, np.bool_)),
    "no wet": lambda: with_arrays(wet=None),
    "an unknown array": lambda: with_arrays(other=np.zeros(3, np.float32)),
    "100 dictionaries": lambda: with_arrays(**{f"kept.{n}": np.zeros(1, np.float32) for n in range(100)}),
    "a dictionary of 64 MB": lambda: with_arrays(**{"kept.d": np.zeros(1 << 24, np.float32)}),
    "100,000 events": lambda: with_arrays(parameters=np.ones((100_000, 5), np.float32)),
    "parameters that the kind refuses": lambda: with_arrays(parameters=np.zeros((4, 5), np.float32)),
    "a truth value of 7": with_a_bool_of_7,
    "bytes after the end": lambda: good() + b"\0\0\0\0",
    "missing bytes": lambda: good()[:-4],
    "half a header": lambda: good()[:100],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_at_once(what: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(HOSTILE[what]())
    size, before = path.stat().st_size, time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(EventsError, match=r"hostile\.safetensors") as error:
            storage.load(path)
        # The file's own content twice, as bytes and as arrays, and its header as objects; nothing that it only claims.
        assert tracemalloc.get_traced_memory()[1] < 3 * size + (8 << 20)
    finally:
        tracemalloc.stop()
    assert time.process_time() - before < 1
    assert len(str(error.value)) < 600
    assert "\n" not in str(error.value)


def test_a_newer_version_is_refused_with_advice() -> None:
    with pytest.raises(EventsError, match=r"version 2, newer than version 1.*update DisTrack"):
        storage.from_bytes(with_metadata(version="2"))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write(good())
        file.truncate(MOST_BYTES * 1_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(EventsError, match="MB"):
        storage.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_path_that_is_not_a_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (
        tmp_path,
        tmp_path / "none",
        tmp_path / "pipe",
        Path("/dev/zero"),
        tmp_path / "a\0b",
        tmp_path / ("x" * 300),
    ):
        with pytest.raises(EventsError, match=r"file|read"):
            storage.load(path)


def test_random_damage_is_refused_or_harmless() -> None:
    """Each damaged file gives either events that can be stored again, or an EventsError."""
    draw = np.random.default_rng(3)
    whole = storage.to_bytes(replace(rich(), samples=64))
    header_size = 8 + int.from_bytes(whole[:8], "little")
    refused = 0
    for turn in range(800):
        content = bytearray(whole)
        # Two of three hit the header, where most can go wrong.
        end = header_size if turn % 3 else len(content)
        for _ in range(int(draw.integers(1, 6))):
            place = int(draw.integers(0, min(end, len(content))))
            match int(draw.integers(0, 4)):
                case 0:
                    content[place] = int(draw.integers(0, 256))
                case 1:
                    content[place : place + 1] = bytes(draw.integers(32, 127, int(draw.integers(0, 4)), dtype=np.uint8))
                case 2:
                    del content[place : place + int(draw.integers(1, 9))]
                case _:
                    content[place] ^= 1 << int(draw.integers(0, 8))
            if len(content) < 16:
                break
        try:
            events = storage.from_bytes(bytes(content))
        except EventsError:
            refused += 1
            continue
        assert events.parameters.shape == (len(events), 6)
        storage.to_bytes(events)
    assert refused > 500


def test_random_damage_to_json_is_refused_or_harmless() -> None:
    draw = np.random.default_rng(4)
    whole = storage.to_json(replace(many(2), room=np.ones((1, 3), np.float32)))
    letters = np.array(list('{}[]",:0159.eE-ntf\\ '))
    refused = 0
    for _ in range(800):
        text = list(whole)
        for place in draw.integers(0, len(text), int(draw.integers(1, 4))):
            text[place] = str(draw.choice(letters))
        try:
            storage.to_json(storage.from_json("".join(text)))
        except EventsError:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"format": "distrack events"}',
        '{"format": "distrack events", "version": 2}',
        '{"format": "distrack events", "version": 1, "kind": 5, "events": []}',
        '{"format": "distrack events", "version": 1, "kind": "test-tone", "channels": [], "events": 5}',
    ],
)
def test_hostile_json_is_refused(text: str) -> None:
    with pytest.raises(EventsError):
        storage.from_json(text)


@pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity", "1e39", '"a"', "null", "[]", "9" * 5_000])
def test_json_with_an_impossible_number_is_refused(number: str) -> None:
    text = storage.to_json(tones((0.25, 440, 0.1, 0.2)))
    assert '"time": 0.25' in text
    with pytest.raises(EventsError):
        storage.from_json(text.replace('"time": 0.25', f'"time": {number}'))
