"""The file of events: it renders the same again, says what it cannot be, and is refused where it is not honest."""

import json
import os
import resource
import subprocess
import sys
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
from distrack.decompose.events import LONGEST_ROOM, MOST_EVENTS
from distrack.decompose.storage import FORMAT, MOST_BYTES
from distrack.errors import EventsError
from tests.tones import NAME, RATE, many, registered, tones


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


def rich() -> Events:
    """Something in every field."""
    draw = np.random.default_rng(1)
    return replace(
        many(20, channels=2),
        room=draw.normal(size=(2, 300)).astype(np.float32),
        shared={"dictionary": draw.normal(size=(4, 50)).astype(np.float32)},
        settings={"shape": "any", "order": 3, "scales": [1.5, 2]},
        seed=2**40,
    )


def equal(one: Events, other: Events) -> bool:
    same = all(
        getattr(one, name) == getattr(other, name)
        for name in ("kind_name", "sample_rate", "samples", "channels", "seed", "settings")
    )
    arrays = [(one.parameters, other.parameters), (one.muted, other.muted), (one.wet, other.wet)]
    arrays += [(one.shared[name], other.shared[name]) for name in one.shared]
    assert (one.room is None) == (other.room is None)
    if one.room is not None and other.room is not None:
        arrays.append((one.room, other.room))
    return same and set(one.shared) == set(other.shared) and all(a.tobytes() == b.tobytes() for a, b in arrays)


# What is stored is what is read


@pytest.mark.parametrize("make", [rich, lambda: many(3), tones, lambda: tones((0, 440, 1, 0.1), seconds=1 / RATE)])
def test_a_file_gives_the_same_events_and_the_same_sound(make: Callable[[], Events], tmp_path: Path) -> None:
    events, path = make(), tmp_path / "events.safetensors"
    path.write_bytes(storage.to_bytes(events))
    read = storage.load(path)
    assert equal(read, events)
    assert equal(storage.from_bytes(path.read_bytes()), events)
    assert storage.to_bytes(read) == path.read_bytes()
    np.testing.assert_array_equal(render(read), render(events))


def test_json_gives_the_same_events_bit_for_bit() -> None:
    draw = np.random.default_rng(2)
    bits = draw.integers(0, 2**32, size=20_000, dtype=np.uint32).view(np.float32)
    edges = np.array([0.0, -0.0, 1e-45, 16777217, 3.4e38, 0.1], np.float32)
    values = np.concatenate([bits[np.isfinite(bits)], edges])
    rows = values[: len(values) // 5 * 5].reshape(-1, 5)
    rows[:, [1, 3]] = np.abs(rows[:, [1, 3]]) + np.float32(1e-45)
    rows = rows[np.isfinite(rows).all(axis=1)]
    assert len(rows) > 3_000
    assert equal(storage.from_json(storage.to_json(wild := Events.of(NAME, rows, sample_rate=RATE, samples=10))), wild)
    assert equal(storage.from_json(storage.to_json(rich())), rich())
    assert equal(storage.from_json(storage.to_json(tones())), tones())


def test_json_can_be_read() -> None:
    said = json.loads(storage.to_json(tones((0.25, 440, 0.1, 0.2))))
    assert said["units"]["time"] == "s"
    assert said["events"] == [
        {"time": 0.25, "frequency": 440, "amplitude": 0.1, "decay": 0.2, "bright": 0.1, "muted": False, "wet": 0.0}
    ]


def test_another_process_writes_the_same_bytes() -> None:
    script = (
        "import sys, pytest; from distrack.decompose import storage; "
        "from tests.tones import many, registered; m = pytest.MonkeyPatch(); registered(m);"
        "sys.stdout.buffer.write(storage.to_bytes(many(9))); m.undo()"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )
    assert done.stdout == storage.to_bytes(many(9))


def test_the_budget_counts_every_number_of_an_event() -> None:
    assert many(20).floats == 100
    assert rich().floats == 20 * 6 + 4 * 50 + 20


# What is refused


def test_impossible_events_say_what_is_wrong() -> None:
    good = many(4)
    nan = good.parameters.copy()
    nan[1, 2] = np.nan
    for changes, said in (
        ({"sample_rate": 0}, "sample_rate 0"),
        ({"sample_rate": 16_000.0}, "sample_rate"),
        ({"samples": 0}, "samples 0"),
        ({"samples": -5}, "samples -5"),
        ({"samples": True}, "samples"),
        ({"sample_rate": 1_000, "samples": 1_000_000}, "1000 s long"),
        ({"channels": 3}, "channels 3"),
        ({"seed": -1}, "seed"),
        ({"seed": 10**5000 if sys.get_int_max_str_digits() == 0 else 2**70}, "seed"),
        ({"parameters": good.parameters[0]}, "axes"),
        ({"parameters": np.float32(1)}, "axes"),
        ({"parameters": good.parameters[:, :3]}, "parameters"),
        ({"parameters": good.parameters.astype(np.float64)}, "float64"),
        ({"parameters": nan}, "not numbers"),
        ({"muted": good.muted[:2]}, "muted"),
        ({"muted": good.muted.astype(np.float32)}, "muted"),
        ({"wet": good.wet + 1}, "shares"),
        ({"wet": good.wet[:3]}, "wet"),
        ({"room": np.zeros((2, 5), np.float32)}, "room"),
        ({"room": np.zeros(5, np.float32)}, "room"),
        ({"room": np.float32(1)}, "room"),
        ({"room": np.zeros((1, 0), np.float32)}, "room"),
        ({"room": np.full((1, 3), np.inf, np.float32)}, "room"),
        ({"room": np.ones((1, round(LONGEST_ROOM * RATE) + 1), np.float32)}, "60 s"),
        ({"shared": {"d": np.array([np.nan], np.float32)}}, "shared array d"),
        ({"shared": {"d": np.broadcast_to(np.float32(0), (1 << 13, 1 << 11))}}, "share"),
        ({"shared": []}, "shared"),
        ({"settings": None}, "settings"),
    ):
        with pytest.raises(EventsError, match=said):
            replace(good, **changes)


def test_100_000_events_are_refused() -> None:
    with pytest.raises(EventsError, match=f"100000 events: at most {MOST_EVENTS}"):
        Events.of(NAME, np.ones((100_000, 5), np.float32), sample_rate=RATE, samples=RATE)


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def with_header(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def said_otherwise(**changes: Any) -> bytes:
    header, data = header_of(storage.to_bytes(many(4)))
    said = json.loads(header["__metadata__"]["events"]) | changes
    header["__metadata__"]["events"] = json.dumps({key: value for key, value in said.items() if value != "gone"})
    return with_header(header, data)


def metadata(**changes: str) -> bytes:
    header, data = header_of(storage.to_bytes(many(4)))
    header["__metadata__"] |= changes
    return with_header(header, data)


def lying(name: str, **changes: Any) -> bytes:
    header, data = header_of(storage.to_bytes(many(4)))
    header[name] |= changes
    return with_header(header, data)


def strange_array(**arrays: Any) -> bytes:
    good = many(4)
    stored = {"parameters": good.parameters, "muted": good.muted, "wet": good.wet} | arrays
    header = {"format": FORMAT, "version": "1", "events": json.dumps(storage._header(good))}
    return bytes(save({name: array for name, array in stored.items() if array is not None}, metadata=header))


def without_metadata() -> bytes:
    header, _ = header_of(storage.to_bytes(many(4)))
    del header["__metadata__"]
    return with_header(header, b"")


def neither_true_nor_false() -> bytes:
    content = bytearray(storage.to_bytes(many(4)))
    header, _ = header_of(bytes(content))
    first, _ = header["muted"]["data_offsets"]
    start = 8 + int.from_bytes(content[:8], "little") + first
    content[start] = 7
    return bytes(content)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "a few bytes": lambda: b"\x01\x02",
    "text": lambda: b"not events at all, but long enough to be some",
    "a header of 16 exabytes": lambda: b"\xff" * 8 + b"{}",
    "a header longer than the file": lambda: (10**6).to_bytes(8, "little") + b"{}",
    "a header of 2 MB": lambda: with_header(b"{" + b" " * (2 << 20) + b"}", b""),
    "a header of 2 MB that says all it must": lambda: metadata(more="x" * (2 << 20)),
    "a header that is no JSON": lambda: with_header(b"{{{{", b""),
    "a header that is a list": lambda: with_header([1, 2], b""),
    "a header nested 100,000 deep": lambda: with_header(b"[" * 100_000, b""),
    "metadata nested 100,000 deep": lambda: metadata(events="[" * 100_000),
    "metadata nested 100,000 deep in objects": lambda: metadata(events='{"a":' * 100_000),
    "no metadata": lambda: with_header(
        {k: v for k, v in header_of(storage.to_bytes(many(4)))[0].items() if k[0] != "_"}, b""
    ),
    "metadata that are no text": lambda: metadata(events=5),  # type: ignore[arg-type]
    "another format": lambda: metadata(format="distrack synthetic set"),
    "a newer version": lambda: metadata(version="2"),
    "version nothing": lambda: metadata(version=""),
    "version 0": lambda: metadata(version="0"),
    "a version of 10,000 digits": lambda: metadata(version="9" * 10_000),
    "metadata that are no object": lambda: metadata(events="[]"),
    "an unknown kind": lambda: said_otherwise(kind="no-such-kind"),
    "a kind that is a list": lambda: said_otherwise(kind=["test-tone"]),
    "no kind": lambda: said_otherwise(kind="gone"),
    "a negative rate": lambda: said_otherwise(sample_rate=-16_000),
    "a rate in words": lambda: said_otherwise(sample_rate="16000"),
    "an infinite rate": lambda: said_otherwise(sample_rate=float("inf")),
    "10^18 samples": lambda: said_otherwise(samples=10**18),
    "a year of samples": lambda: said_otherwise(samples=RATE * 86_400 * 365),
    "no samples": lambda: said_otherwise(samples="gone"),
    "seven channels": lambda: said_otherwise(channels=7),
    "channels of none": lambda: said_otherwise(channels=None),
    "a channel more than there are": lambda: said_otherwise(channels=2),
    "settings that are a list": lambda: said_otherwise(settings=[1]),
    "no settings": lambda: said_otherwise(settings="gone"),
    "NaN in the settings": lambda: said_otherwise(settings={"x": float("nan")}),
    "a seed that is a fraction": lambda: said_otherwise(seed=0.5),
    "a size that lies": lambda: lying("parameters", shape=[10**9, 5]),
    "a negative size": lambda: lying("parameters", shape=[-4, -5]),
    "a size of the right product": lambda: lying("parameters", shape=[5, 4]),
    "a size that overflows": lambda: lying("parameters", shape=[2**33, 2**33]),
    "a size that is a fraction": lambda: lying("parameters", shape=[4.0, 5.0]),
    "no size": lambda: lying("parameters", shape=None),
    "200 axes": lambda: lying("parameters", shape=[1] * 200),
    "offsets that lie": lambda: lying("parameters", data_offsets=[0, 10**15]),
    "offsets from before the beginning": lambda: lying("parameters", data_offsets=[-80, 0]),
    "another type of number": lambda: lying("parameters", dtype="F64"),
    "a type that is none": lambda: lying("parameters", dtype=["F32"]),
    "whole numbers": lambda: strange_array(parameters=np.ones((4, 5), np.int32)),
    "muted as numbers": lambda: strange_array(muted=np.zeros(4, np.float32)),
    "parameters as truth values": lambda: strange_array(parameters=np.zeros((4, 5), np.bool_)),
    "NaN": lambda: strange_array(parameters=np.full((4, 5), np.nan, np.float32)),
    "infinity": lambda: strange_array(parameters=np.full((4, 5), np.inf, np.float32)),
    "too few muted": lambda: strange_array(muted=np.zeros(3, np.bool_)),
    "no wet": lambda: strange_array(wet=None),
    "something else": lambda: strange_array(other=np.zeros(3, np.float32)),
    "100 dictionaries": lambda: strange_array(**{f"kept.{n}": np.zeros(1, np.float32) for n in range(100)}),
    "64 MB of dictionary": lambda: strange_array(**{"kept.d": np.zeros(1 << 24, np.float32)}),
    "100,000 events": lambda: strange_array(parameters=np.ones((100_000, 5), np.float32)),
    "what the kind refuses": lambda: strange_array(parameters=np.zeros((4, 5), np.float32)),
    "bytes neither true nor false": neither_true_nor_false,
    "more than it says": lambda: storage.to_bytes(many(4)) + b"\0\0\0\0",
    "less than it says": lambda: storage.to_bytes(many(4))[:-4],
    "cut in the header": lambda: storage.to_bytes(many(4))[:100],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_at_once(what: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(HOSTILE[what]())
    size, before = path.stat().st_size, time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(EventsError, match=r"hostile\.safetensors") as error:
            storage.load(path)
        # Nothing that only its header claims: what lies in it, a second time as arrays, and the header as objects.
        assert tracemalloc.get_traced_memory()[1] < 3 * size + (8 << 20)
    finally:
        tracemalloc.stop()
    assert time.monotonic() - before < 1
    assert len(str(error.value)) < 600
    assert "\n" not in str(error.value)


def test_a_newer_version_says_what_to_do() -> None:
    with pytest.raises(EventsError, match=r"version 2, newer than version 1.*update DisTrack"):
        storage.from_bytes(HOSTILE["a newer version"]())


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write(storage.to_bytes(many(4)))
        file.truncate(MOST_BYTES * 1_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(EventsError, match="MB"):
        storage.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
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


def test_any_damage_is_refused_or_harmless() -> None:
    """A random fuzz: each try either gives events that can be rendered, or an EventsError."""
    draw = np.random.default_rng(3)
    good = storage.to_bytes(replace(rich(), samples=64))
    size = 8 + int.from_bytes(good[:8], "little")
    refused = 0
    for turn in range(1_500):
        content = bytearray(good)
        # Mostly where it hurts: in the header.
        end = size if turn % 3 else len(content)
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
            read = storage.from_bytes(bytes(content))
        except EventsError:
            refused += 1
            continue
        assert read.parameters.shape == (len(read), 6)
        storage.to_bytes(read)
    assert refused > 1_000


def test_any_damaged_json_is_refused_or_harmless() -> None:
    draw = np.random.default_rng(4)
    good = storage.to_json(replace(many(2), room=np.ones((1, 3), np.float32)))
    refused = 0
    for _ in range(1_500):
        text = list(good)
        for _ in range(int(draw.integers(1, 4))):
            place = int(draw.integers(0, len(text)))
            text[place] = str(draw.choice(list('{}[]",:0159.eE-ntf\\ ')))
        try:
            storage.to_json(storage.from_json("".join(text)))
        except EventsError:
            refused += 1
    assert refused > 1_000


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
def test_json_with_a_number_that_is_none_is_refused(number: str) -> None:
    text = storage.to_json(tones((0.25, 440, 0.1, 0.2)))
    assert '"time": 0.25' in text
    with pytest.raises(EventsError):
        storage.from_json(text.replace('"time": 0.25', f'"time": {number}'))
