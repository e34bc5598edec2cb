"""What events are written as: sound, notes, or text to read; the ending says which."""

import os
from pathlib import Path
from typing import NamedTuple

from distrack.decompose.events import Events
from distrack.decompose.midi import to_midi
from distrack.decompose.rendering import FORMATS, render_to
from distrack.errors import EventsError

ENDINGS = (*FORMATS, ".mid", ".json", ".safetensors")


class Saved(NamedTuple):
    """What was written, in a line for a person."""

    path: Path
    said: str


def save(events: Events, path: Path, *, tail: bool = False) -> Saved:
    """Writes events to a file; its ending says as what. What stands there is replaced.

    Args:
        path: .flac or .wav is their sound, .mid their notes, .json text to read, .safetensors the events themselves.
        tail: of a sound: until the room has died away.

    Raises:
        EventsError: another ending, or a place that cannot be written to.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise EventsError(f"{path}: events are written as {', '.join(ENDINGS)}, not as {ending or 'no ending'}")
    if ending in FORMATS:
        written = render_to(events, path, tail=tail)
        scaled = "" if written.gain == 1 else f", scaled by {written.gain:.3f} so that it does not clip"
        return Saved(path, f"{path}: {written.seconds:.2f} s at {events.sample_rate:,} Hz{scaled}")
    if ending == ".mid":
        midi = to_midi(events)
        content, said = midi.content, f"{midi.notes} notes, {midi.without_pitch} events without a pitch left out"
    else:
        content = events.to_bytes() if ending == ".safetensors" else events.to_json().encode()
        said = f"{len(events)} events, {events.floats:,} floats"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise EventsError(f"{path} cannot be written: {error.strerror or error}") from None
    return Saved(path, f"{path}: {said}")
