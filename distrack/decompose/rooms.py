"""The room that events are heard in: a measured impulse response, at the level it was measured at."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from distrack.audio import read_impulse_response
from distrack.decompose.events import Events
from distrack.decompose.limits import LONGEST_ROOM
from distrack.decompose.selecting import Which, mask
from distrack.errors import AudioError, EventsError, unknown

Floats = NDArray[np.float32]

EXTENSIONS = (".wav", ".flac")


def known_rooms(folder: Path | None) -> dict[str, Path]:
    """The impulse responses in a folder and the folders in it, by name, in alphabetical order.

    A name is the path without its ending, "hall" or "churches/nave"; where two differ in nothing else, with it.

    Args:
        folder: `IMPULSE_RESPONSE_PATH`; None, where it is not set, has no rooms.

    Raises:
        EventsError: it is no folder.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise EventsError(f"IMPULSE_RESPONSE_PATH: there is no folder {folder}: set it to one of wav or flac files")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file()]
    paths = [path.relative_to(folder) for path in sorted(found) if not path.name.startswith(".")]
    bare = [path.with_suffix("").as_posix() for path in paths]
    names = [name if bare.count(name) == 1 else path.as_posix() for name, path in zip(bare, paths, strict=True)]
    return {name: folder / path for name, path in zip(names, paths, strict=True)}


def room_named(name: str, known: Mapping[str, Path]) -> Path:
    """The file of a room.

    Raises:
        EventsError: there are none.
        ConfigError: the name is unknown; the message gives the nearest ones.
    """
    if not known:
        raise EventsError("no rooms: set IMPULSE_RESPONSE_PATH to a folder of impulse responses (wav or flac)")
    if name not in known:
        raise unknown("room", name, known)
    return known[name]


def read_room(path: Path, *, sample_rate: int, channels: int) -> Floats:
    """An impulse response of any rate as events of this rate need it, not normalised and not trimmed.

    What is convolved with it becomes as loud as at the file's own rate: samples lie at other distances after
    resampling, so they are scaled by the ratio of the rates. The first sample, where the direct sound of a trimmed
    impulse response stands, stays the impulse it is: low-passed, half of it would ring before the beginning of time.

    Args:
        sample_rate: of the events, in Hz.
        channels: of the events. For one, a stereo response is taken as the mean of its channels; one of one channel
            serves both of two.

    Shape:
        - returns: ``[1 or channels, length]``

    Raises:
        EventsError: unreadable, silent, NaN, longer than `LONGEST_ROOM`, or of more than two channels.
    """
    try:
        stamp = path.stat()
    except (OSError, ValueError) as error:
        raise EventsError(f"room {path}: unreadable: {error}") from None
    return _read_room(path, (stamp.st_mtime_ns, stamp.st_size), sample_rate, channels)


# A page replays its edits after each one: the file is then the same.
@lru_cache(maxsize=4)
def _read_room(path: Path, stamp: tuple[int, int], sample_rate: int, channels: int) -> Floats:  # noqa: ARG001
    try:
        response, rate = read_impulse_response(path, longest=LONGEST_ROOM)
    except AudioError as error:
        raise EventsError(f"room {path}: {error}") from None
    if len(response) > 2:
        raise EventsError(f"room {path}: {len(response)} channels: an impulse response has one, or two for stereo")
    if channels == 1:
        response = response.mean(axis=0, keepdims=True)
    room = resampled(response, rate, sample_rate).astype(np.float32)
    room.flags.writeable = False
    return room


def resampled(response: NDArray[np.float64], rate: int, sample_rate: int) -> NDArray[np.float64]:
    """An impulse response at another rate that colours sound as it did, and is as loud.

    A low-pass of linear phase rings before the sound as well as after. What would fall before the beginning is folded
    to after it, which keeps the sum, that is the gain of low frequencies, as it was.

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
    # Many samples of lead at a whole number of samples of the new rate, or within half a sample of it.
    turned: NDArray[np.float64] = soxr.resample(padded.T, rate, sample_rate, quality="VHQ").T * (rate / sample_rate)
    start = round(lead * sample_rate / rate)
    room = turned[:, start : start + max(round(response.shape[1] * sample_rate / rate), 1)].copy()
    folded = min(start, room.shape[1] - 1)
    room[:, 1 : folded + 1] += turned[:, start - folded : start][:, ::-1]
    room[:, 0] += response[:, 0]
    return room


def with_room(events: Events, path: Path | None, *, wet: float = 1.0, which: Which = None) -> Events:
    """The same events in one room, or in none.

    Args:
        path: the file of an impulse response; None takes the room away.
        wet: share of the chosen events' sound that goes through the room, 0 to 1; the rest stays dry. Events that
            were in no room before and are not chosen stay dry.
        which: the events that are heard so; None is all.

    Raises:
        EventsError: the room cannot be read, or a share is outside 0 to 1.
    """
    if not 0 <= wet <= 1:
        raise EventsError(f"room: wet {wet:g}: it must be a share from 0 (dry) to 1 (nothing but the room)")
    chosen = mask(events, which)
    if path is None:
        return replace(events, room=None, wet=np.zeros(len(events), np.float32))
    room = read_room(path, sample_rate=events.sample_rate, channels=events.channels)
    before = np.zeros(len(events), np.float32) if events.room is None else events.wet
    return replace(events, room=room, wet=np.where(chosen, np.float32(wet), before).astype(np.float32))
