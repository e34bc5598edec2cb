"""Renders events to sound, with reverb, and saves them as sound, as notes, as readable text or as themselves."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy
import soundfile

from distrack.arrays import Floats
from distrack.decompose.events import Events
from distrack.decompose.midi import to_midi
from distrack.decompose.selecting import Which, mask
from distrack.decompose.storage import to_bytes, to_json
from distrack.errors import EventsError
from distrack.files import replacing, write_atomically
from distrack.stored_sound import Sound, blocks

# Formats by ending. Files have 24 bits, the most that FLAC has; their rounding error is inaudible.
FORMATS = {".flac": "FLAC", ".wav": "WAV"}
# Highest rate of a FLAC file, in Hz.
HIGHEST_FLAC_RATE = 655_350
# The largest 24-bit sample; a sample beyond it clips.
FULL_SCALE = 1 - 2**-23
# All endings of files that events can be saved as.
ENDINGS = (*FORMATS, ".mid", ".json", ".safetensors")


class RenderedFile(NamedTuple):
    """A file of rendered sound.

    Attributes:
        gain: factor on all samples; 1 unless the sound would have clipped.
    """

    gain: float
    seconds: float


def render(events: Events, *, tail: bool = False) -> Floats:
    """The sum of all events that are not muted; the same samples on every call and in every process.

    An event passes through the room with the share `wet`, and stays dry with the rest. The level of the room is that of
    its impulse response.

    Args:
        tail: continue until the room has died away, beyond the end of the clip.

    Shape:
        - returns: ``[channels, samples]``; the level is that of the events and may leave [-1, 1]
    """
    return render_part(events, 0, _length(events, tail=tail))


def render_part(events: Events, first: int, last: int) -> Floats:
    """The samples of `render` from `first` up to `last`, within rounding, without computing the others.

    Events of a kind that has no parts are all computed, whatever the part.

    Shape:
        - returns: ``[channels, last - first]``, or less at the end of the clip; with a room, at the end of its tail
    """
    gains = (~events.muted).astype(np.float32)
    # What sounds before the part goes on in the room.
    lead = 0 if events.room is None else min(events.room.shape[1] - 1, first)
    end = min(last, events.samples)
    begin = min(first - lead, end)
    if events.room is None:
        return events.kind.part(events, gains, begin, end)
    shares = np.unique(events.wet[~events.muted])
    if len(shares) > 1:
        wet = events.kind.part(events, gains * events.wet, begin, end)
        dry = events.kind.part(events, gains * (1 - events.wet), begin, end)
    else:
        # All events have the same share: one synthesis is enough.
        share = shares[0] if len(shares) else np.float32(0)
        together = events.kind.part(events, gains, begin, end)
        wet, dry = together * share, together * (1 - share)
    if not wet.shape[1]:
        return wet
    # The error of a float32 FFT is 1e-7 of the loudest sample, and the sound after it may be far softer.
    sound: Floats = scipy.signal.fftconvolve(wet.astype(np.float64), events.room, axes=1).astype(np.float32)
    sound[:, : dry.shape[1]] += dry
    return np.ascontiguousarray(sound[:, first - begin : last - begin])


def _length(events: Events, *, tail: bool) -> int:
    """Samples of a sound that continues until the room has died away, or ends with the clip."""
    return events.samples + (events.room.shape[1] - 1 if tail and events.room is not None else 0)


class Rendered:
    """The sound of events, rendered a part at a time as ``sound[:, first:last]``.

    Events of a kind that has no parts are rendered once, and their sound is kept.

    Args:
        tail: as for `render`.

    Attributes:
        shape: channels and samples.
    """

    def __init__(self, events: Events, *, tail: bool = False) -> None:
        self.shape = (events.channels, _length(events, tail=tail))
        self._events = events

    def __getitem__(self, place: tuple[slice, slice]) -> Floats:
        """A part of the sound, ``[channels, samples]``."""
        channels, samples = place
        first, last, _ = samples.indices(self.shape[1])
        if self._events.kind.in_parts:
            return render_part(self._events, first, max(first, last))[channels]
        return self._whole[channels, first:last]

    @cached_property
    def _whole(self) -> Floats:
        return render_part(self._events, 0, self.shape[1])


def soloed(events: Events, which: Which) -> Events:
    """The same events with all but the selected ones muted; the selected ones sound even if they were muted."""
    return replace(events, muted=~mask(events, which))


def render_to(events: Events, path: Path, *, tail: bool = False) -> RenderedFile:
    """Writes the sound of events to a file of 24 bits at their own sample rate.

    The level does not change, unless samples would clip: then all of them are scaled by the returned gain.

    Args:
        path: a .flac or .wav file. An existing file is replaced once the new one is complete.

    Raises:
        EventsError: another ending, a sample rate that the format does not have, or the file cannot be written.
    """
    _format_of(path, events.sample_rate)  # an impossible one is refused before the work
    return write_sound(Rendered(events, tail=tail), events.sample_rate, path)


def write_sound(sound: Sound, sample_rate: int, path: Path) -> RenderedFile:
    """Writes a sound as `render_to` does, a part at a time; one that would clip is read twice.

    Shape:
        - sound: ``[channels, samples]``

    Raises:
        EventsError: as `render_to`.
    """
    format_name = _format_of(path, sample_rate)
    gain = 1.0
    try:
        with replacing(path) as part:
            peak = _written(sound, part, format_name, sample_rate, gain)
            if peak > FULL_SCALE:
                gain = FULL_SCALE / peak
                _written(sound, part, format_name, sample_rate, gain)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise EventsError(f"{path} cannot be written: {error}") from None
    return RenderedFile(gain, sound.shape[1] / sample_rate)


def _written(sound: Sound, path: Path, format_name: str, sample_rate: int, gain: float) -> float:
    """Writes a sound times a gain, and returns its peak without it."""
    peak = 0.0
    with soundfile.SoundFile(path, "w", sample_rate, sound.shape[0], "PCM_24", format=format_name) as file:
        for block in blocks(sound):
            peak = max(peak, float(np.abs(block).max(initial=0.0)))
            file.write(block.T.astype(np.float64) * gain)
    return peak


def _format_of(path: Path, sample_rate: int) -> str:
    format_name = FORMATS.get(path.suffix.lower())
    if format_name is None:
        raise EventsError(f"{path}: sound is written as {' or '.join(FORMATS)}, not as {path.suffix or 'no ending'}")
    if format_name == "FLAC" and sample_rate > HIGHEST_FLAC_RATE:
        raise EventsError(f"{path}: FLAC cannot hold {sample_rate} Hz: write a .wav")
    return format_name


def floats_text(floats: int, common: int) -> str:
    """The storage of events in words.

    >>> floats_text(272, 7268)
    '272 floats, and a decoder of 7,268 shared by all clips'
    """
    return f"{floats:,} floats" + (f", and a decoder of {common:,} shared by all clips" if common else "")


def save(events: Events, path: Path, *, tail: bool = False) -> str:
    """Saves events to a file; an existing file is replaced. Returns one line about what the file holds.

    Args:
        path: .flac or .wav for sound, .mid for notes, .json for readable text, .safetensors for the events themselves.

    Raises:
        EventsError: another ending, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise EventsError(f"{path}: events are written as {', '.join(ENDINGS)}, not as {ending or 'no ending'}")
    if ending in FORMATS:
        sound = render_to(events, path, tail=tail)
        scaled = "" if sound.gain == 1 else f", scaled by {sound.gain:.3f} so that it does not clip"
        return f"{path}: {sound.seconds:.2f} s at {events.sample_rate:,} Hz{scaled}"
    if ending == ".mid":
        midi = to_midi(events)
        content, summary = midi.content, f"{midi.notes} notes, {midi.without_pitch} events without a pitch left out"
    else:
        content = to_bytes(events) if ending == ".safetensors" else to_json(events).encode()
        summary = f"{len(events)} events, {floats_text(events.floats, events.common_floats)}"
    try:
        write_atomically(path, content)
    except OSError as error:
        raise EventsError(f"{path} cannot be written: {error.strerror or error}") from None
    return f"{path}: {summary}"
