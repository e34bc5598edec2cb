"""From events to sound: all that is heard, dry and through the room; in memory, and as a file."""

import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.signal
import soundfile
from numpy.typing import NDArray

from distrack.decompose.events import Events
from distrack.decompose.selecting import Which, mask
from distrack.errors import EventsError

# By ending: 24 bits are below what can be heard, and FLAC has no more.
FORMATS = {".flac": "FLAC", ".wav": "WAV"}
# The largest of 24 bits; a sample beyond it clips.
FULL_SCALE = 1 - 2**-23
BLOCK = 1 << 20

Floats = NDArray[np.float32]


class Written(NamedTuple):
    """A file of sound: where, the gain it was scaled by (1 unless it would have clipped), and its length in seconds."""

    path: Path
    gain: float
    seconds: float


def render(events: Events, *, tail: bool = False) -> Floats:
    """What the events sound like together; the same samples on every call and in every process.

    An event is heard dry by 1 - wet, and by wet through the room, whose level is left as it is.

    Args:
        events: all of the same kind.
        tail: go on until the room has died away, instead of ending with the clip.

    Shape:
        - returns: ``[channels, samples]``, as loud as the events are: it may leave [-1, 1]
    """
    heard = (~events.muted).astype(np.float32)
    if events.room is None:
        return events.how.synthesise(events, heard)
    shares = np.unique(events.wet[~events.muted])
    if len(shares) > 1:
        into = events.how.synthesise(events, heard * events.wet)
        dry = events.how.synthesise(events, heard * (1 - events.wet))
    else:
        # The same share of all: half of the work.
        share = shares[0] if len(shares) else np.float32(0)
        together = events.how.synthesise(events, heard)
        into, dry = together * share, together * (1 - share)
    reverberant = in_room(into, events.room)
    reverberant[:, : events.samples] += dry
    return reverberant if tail else np.ascontiguousarray(reverberant[:, : events.samples])


def in_room(wave: Floats, room: Floats) -> Floats:
    """Convolution with an impulse response, to its end.

    Shape:
        - wave: ``[channels, samples]``
        - room: ``[1 or channels, length]``
        - returns: ``[channels, samples + length - 1]``
    """
    # In float32 the error is 1e-7 of the loudest sample, whose echo may be far louder than what follows it.
    reverberant: Floats = scipy.signal.fftconvolve(wave.astype(np.float64), room, axes=1).astype(np.float32)
    return reverberant


def soloed(events: Events, which: Which) -> Events:
    """Nothing but the chosen events heard, muted before or not: one event alone, or a stem of several."""
    return replace(events, muted=~mask(events, which))


def render_to(events: Events, path: Path, *, tail: bool = False) -> Written:
    """Writes what the events sound like, in 24 bits at their own rate.

    The level is left as it is. Where samples would clip, all of them are scaled by one gain, which is returned.

    Args:
        path: of a .flac or .wav; what stands there is replaced once the new file is complete.
        tail: as in `render`.

    Raises:
        EventsError: another ending, a rate that the format cannot hold, or a place that cannot be written to.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise EventsError(f"{path}: sound is written as {' or '.join(FORMATS)}, not as {path.suffix or 'no ending'}")
    if not soundfile.check_format(kind, "PCM_24") or (kind == "FLAC" and events.sample_rate > 655_350):
        raise EventsError(f"{path}: {kind} cannot hold {events.sample_rate} Hz: write a .wav")
    wave = render(events, tail=tail)
    peak = float(np.abs(wave).max(initial=0.0))
    gain = FULL_SCALE / peak if peak > FULL_SCALE else 1.0
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with soundfile.SoundFile(part, "w", events.sample_rate, len(wave), "PCM_24", format=kind) as file:
            for first in range(0, wave.shape[1], BLOCK):
                file.write(wave[:, first : first + BLOCK].T.astype(np.float64) * gain)
        part.replace(path)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        part.unlink(missing_ok=True)
        raise EventsError(f"{path} cannot be written: {error}") from None
    return Written(path, gain, wave.shape[1] / events.sample_rate)
