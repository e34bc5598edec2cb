"""Saves events as sound, as notes, as readable text or as themselves; the ending of the file decides."""

from pathlib import Path
from typing import NamedTuple

from distrack.decompose.events import Events
from distrack.decompose.midi import to_midi
from distrack.decompose.rendering import FORMATS, render_to
from distrack.decompose.storage import to_bytes, to_json
from distrack.errors import EventsError
from distrack.files import write_atomically

ENDINGS = (*FORMATS, ".mid", ".json", ".safetensors")


class Saved(NamedTuple):
    """A saved file, and one line for a person about what it holds."""

    path: Path
    summary: str


def save(events: Events, path: Path, *, tail: bool = False) -> Saved:
    """Saves events to a file; an existing file is replaced.

    Args:
        path: .flac or .wav for sound, .mid for notes, .json for readable text, .safetensors for the events themselves.
        tail: let a sound continue until the room has died away.

    Raises:
        EventsError: another ending, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise EventsError(f"{path}: events are written as {', '.join(ENDINGS)}, not as {ending or 'no ending'}")
    if ending in FORMATS:
        sound = render_to(events, path, tail=tail)
        scaled = "" if sound.gain == 1 else f", scaled by {sound.gain:.3f} so that it does not clip"
        return Saved(path, f"{path}: {sound.seconds:.2f} s at {events.sample_rate:,} Hz{scaled}")
    if ending == ".mid":
        midi = to_midi(events)
        content, summary = midi.content, f"{midi.notes} notes, {midi.without_pitch} events without a pitch left out"
    else:
        content = to_bytes(events) if ending == ".safetensors" else to_json(events).encode()
        summary = f"{len(events)} events, {events.floats:,} floats"
    try:
        write_atomically(path, content)
    except OSError as error:
        raise EventsError(f"{path} cannot be written: {error.strerror or error}") from None
    return Saved(path, f"{path}: {summary}")
