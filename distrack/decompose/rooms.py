"""Rooms: impulse responses at their own level, which give events reverb. Two are included, made by the project."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import soxr

from distrack.arrays import Doubles, Floats
from distrack.audio import bits_text, read_impulse_response, to_mono
from distrack.decompose.events import LONGEST_ROOM
from distrack.errors import AudioError, EventsError, unknown
from distrack.settings import PROJECT
from distrack.sound_file import EXTENSIONS

RoomLevel = Literal["energy", "as-is"]
INCLUDED = PROJECT / "assets" / "rooms"


def known_rooms(folder: Path | None) -> dict[str, Path]:
    """The included impulse responses, and those in a folder and its subfolders, by name.

    A name is the relative path without its ending, such as "hall" or "churches/nave"; of two paths that differ in their
    ending only, it is the whole path. A room of the folder stands for an included one of the same name.

    Args:
        folder: the setting `IMPULSE_RESPONSE_PATH`; None for the included rooms alone.

    Raises:
        EventsError: it is not a folder.
    """
    if folder is not None and not folder.is_dir():
        raise EventsError(f"IMPULSE_RESPONSE_PATH: there is no folder {folder}: set it to one of wav or flac files")
    return _rooms_in(INCLUDED) | ({} if folder is None else _rooms_in(folder))


def _rooms_in(folder: Path) -> dict[str, Path]:
    files = [path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file()]
    paths = [path.relative_to(folder) for path in sorted(files) if not path.name.startswith(".")]
    short = [path.with_suffix("").as_posix() for path in paths]
    names = [name if short.count(name) == 1 else path.as_posix() for name, path in zip(short, paths, strict=True)]
    return {name: folder / path for name, path in zip(names, paths, strict=True)}


def room_named(name: str, known: Mapping[str, Path]) -> Path:
    """The file of a room.

    Raises:
        ConfigError: the name is unknown; the message gives the nearest ones.
    """
    if name not in known:
        raise unknown("room", name, known)
    return known[name]


def read_room(path: Path, *, sample_rate: int, channels: int, level: RoomLevel = "as-is") -> Floats:
    """Reads an impulse response and resamples it to the rate of the events; it is not trimmed.

    A sound convolved with the result is as loud as at the file's own rate, so samples are multiplied by the ratio of
    the rates. The first sample, where a trimmed impulse response has its direct sound, stays an impulse: the low-pass
    of the resampler would put half of it before the beginning.

    Args:
        sample_rate: of the events, in Hz.
        channels: of the events. For mono events, the channels of a stereo response are averaged, or the loudest is
            taken where they cancel each other; a mono response serves both channels of stereo events.
        level: "as-is" leaves the level of the file. "energy" divides by the root of the response's energy, the mean of
            its channels, so that noise is as loud in the room as outside: measured responses amplify by 15 to 32 dB.

    Shape:
        - returns: ``[1 or channels, length]``

    Raises:
        EventsError: unreadable, silent, NaN, longer than `LONGEST_ROOM`, or more than two channels.
    """
    return _read_room(path, _stamp(path), sample_rate, channels, level)


def room_note(path: Path) -> str:
    """What was done with the samples of an impulse response that are no fractions; empty for any other."""
    try:
        bits = _read_file(path, _stamp(path))[2]
    except EventsError:
        return ""  # reading it as a room says why
    return "" if bits is None else f"room {path.name}: {bits_text(bits)}"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stamp = path.stat()
    except (OSError, ValueError) as error:
        raise EventsError(f"room {path}: unreadable: {error}") from None
    return stamp.st_mtime_ns, stamp.st_size


# The Decompose page asks for the file that is chosen each time it is drawn.
@lru_cache(maxsize=2)
def _read_file(path: Path, stamp: tuple[int, int]) -> tuple[Doubles, int, int | None]:  # noqa: ARG001
    try:
        response, rate, bits = read_impulse_response(path, longest=LONGEST_ROOM)
    except AudioError as error:
        raise EventsError(f"room {path}: {error}") from None
    response.flags.writeable = False
    return response, rate, bits


# The Decompose page replays all edits after each new one, with the same file.
@lru_cache(maxsize=4)
def _read_room(path: Path, stamp: tuple[int, int], sample_rate: int, channels: int, level: RoomLevel) -> Floats:
    response, rate, _ = _read_file(path, stamp)
    if len(response) > 2:
        raise EventsError(f"room {path}: {len(response)} channels: an impulse response has one, or two for stereo")
    if channels == 1:
        alone = to_mono(response.astype(np.float32)).channel
        response = response.mean(axis=0, keepdims=True) if alone is None else response[alone - 1 : alone]
    converted = resampled(response, rate, sample_rate)
    if level == "energy":
        converted = converted / np.sqrt(np.square(converted).sum(axis=1).mean())
    room = converted.astype(np.float32)
    room.flags.writeable = False
    return room


def resampled(response: Doubles, rate: int, sample_rate: int) -> Doubles:
    """An impulse response at another rate with the same frequency response and the same loudness.

    A linear-phase low-pass rings before each sample as well as after it. The part before the beginning is mirrored to
    after it, which keeps the sum of all samples: the gain of low frequencies.

    Shape:
        - response: ``[channels, length]``
        - returns: ``[channels, new length]``
    """
    if rate == sample_rate:
        return response
    later = response.copy()
    later[:, 0] = 0
    lead = rate // 20
    padded = np.pad(later, ((0, 0), (lead, 0)))
    # The lead is a whole number of samples at the new rate, or within half a sample of one.
    converted: Doubles = soxr.resample(padded.T, rate, sample_rate, quality="VHQ").T * (rate / sample_rate)
    start = round(lead * sample_rate / rate)
    room = converted[:, start : start + max(round(response.shape[1] * sample_rate / rate), 1)].copy()
    folded = min(start, room.shape[1] - 1)
    room[:, 1 : folded + 1] += converted[:, start - folded : start][:, ::-1]
    room[:, 0] += response[:, 0]
    return room
