"""The commands on events: render, similar. Atoms need no torch, so these commands import none."""

from pathlib import Path
from typing import Annotated

import click
from pydantic import Field

from distrack import runs
from distrack.cli import terminal
from distrack.cli.plain_command import plain_command
from distrack.decompose import known_rooms, room_named, storage
from distrack.decompose.rendering import save
from distrack.decompose.rooms import RoomLevel, room_note
from distrack.decompose.similar import clip_distances, nearest
from distrack.decompose.transforms import room as with_room
from distrack.decompose.transforms import wet as with_wet
from distrack.errors import ConfigError
from distrack.jobs.decomposition import decompositions_like
from distrack.settings import settings
from distrack.validation import Config, Positional

# Share of the sound that goes through a room that is named without a share.
_USUAL_WET = 0.3


class RenderConfig(Config):
    """Which events are rendered, through which room, and to which file."""

    events: Annotated[Path, Positional("EVENTS")]
    """A file of events: events.safetensors in a decomposition's folder."""
    to: Annotated[Path, Field(title="File")]
    """File to write: .flac, .wav, .mid, .json or .safetensors."""
    room: str | None = None
    """An impulse response: a file, or a name below IMPULSE_RESPONSE_PATH."""
    wet: Annotated[float | None, Field(title="Reverb mix")] = None
    """Reverb mix, 0-1."""
    room_level: Annotated[RoomLevel, Field(title="Level of the room")] = "energy"
    """Level of the room: of energy 1, so that noise stays as loud, or as the file has it."""
    tail: bool = False
    """Render until the room has died away."""


class SimilarConfig(Config):
    """The event that others are compared with, and how many of them are listed."""

    event: Annotated[int | None, Field(ge=0)] = None
    """Number of an event, counted from 0 with the one of most energy; without it, clips alone are compared."""
    most: Annotated[int, Field(ge=1, le=10_000)] = 10
    """Most events that are listed."""


def commands() -> dict[str, click.Command]:
    """The commands by name."""
    return {
        "render": plain_command("render", RenderConfig, render),
        "similar": plain_command("similar", SimilarConfig, similar, runs_named=1),
    }


def render(config: RenderConfig) -> None:
    """Renders a file of events, `events.safetensors` of a decomposition, to sound, to notes, or to JSON."""
    events, room = storage.load(config.events), config.room
    if room is not None:
        file = Path(room)
        place = file if file.is_file() else room_named(room, known_rooms(settings().impulse_response_path))
        events = with_room(events, place, wet=_USUAL_WET if config.wet is None else config.wet, level=config.room_level)
        if note := room_note(place):
            click.echo(note, err=True)
    elif config.wet is not None:
        if events.room is None:
            raise ConfigError(f"wet {config.wet:g}: name a room that the sound goes through: --room")
        events = with_wet(events, share=config.wet)
    click.echo(save(events, config.to, tail=config.tail))


def similar(config: SimilarConfig, selected: list[runs.Run]) -> None:
    """Lists the clips, and the events, that sound most like those of a decomposition, among all by the same method."""
    run = selected[0]
    clips = {other.id: events for other, events in decompositions_like(run, run.path.parent)}
    rows = [(name, f"{distance:.3f}") for name, distance in clip_distances(clips, run.id).items()]
    terminal.show_table(f"Clips that sound most like {run.id}", ("clip", "distance"), rows)
    if config.event is not None:
        found = nearest(clips, run.id, config.event, most=config.most)
        events = [(near.clip, str(near.number), f"{near.distance:.3f}") for near in found]
        terminal.show_table(f"Events that sound most like event {config.event}", ("clip", "event", "distance"), events)
