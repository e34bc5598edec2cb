"""The commands on finished runs and files of events: compare, export, render, similar. Their options are generated."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import click
from pydantic import Field

from distrack import jobs, runs
from distrack.cli import terminal
from distrack.cli.options import CONFIG, RUNS_PATH, check_required, parameters_of, read_config
from distrack.decompose import known_rooms, room_named, storage
from distrack.decompose.rendering import save
from distrack.decompose.rooms import RoomLevel, room_note
from distrack.decompose.similar import clip_distances, nearest
from distrack.decompose.transforms import room as with_room
from distrack.decompose.transforms import wet as with_wet
from distrack.errors import ConfigError
from distrack.evaluate import EVALUATORS
from distrack.export import bundle
from distrack.export.bench_table import table_file
from distrack.export.bundle import ExportConfig
from distrack.export.comparison import Entry, groups, read
from distrack.export.formats import content
from distrack.files import write_atomically
from distrack.jobs.decomposition import decompositions_like
from distrack.jobs.series import BenchJob, BenchReport
from distrack.options import options_of, overrides_of
from distrack.registry import NameIn
from distrack.settings import settings
from distrack.validation import Config, Positional, from_preset, overlaid

C = TypeVar("C", bound=Config)
# Share of the sound that goes through a room that is named without a share.
_USUAL_WET = 0.3


class CompareConfig(Config):
    """What of a comparison is shown, and where it is written."""

    to: Annotated[Path | None, Field(title="File")] = None
    """File to write; its ending selects the format. Without one a table is printed."""
    evaluator: Annotated[str, NameIn(EVALUATORS)] | None = None
    """Evaluator shown in a figure or a LaTeX table."""
    network: str | None = None
    """Network shown in a figure or a LaTeX table, as in 'convnet 32 x 3'."""


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
        "compare": _command("compare", CompareConfig, compare, runs_named=-1),
        "export": _command("export", ExportConfig, export, runs_named=1),
        "render": _command("render", RenderConfig, render),
        "similar": _command("similar", SimilarConfig, similar, runs_named=1),
    }


def _command(name: str, model: type[C], action: Callable[..., None], *, runs_named: int = 0) -> click.Command:
    """A command whose options are the fields of a config, and that names no run, one run, or at least one (-1)."""
    options = options_of(model)

    def callback(config_file: Path | None, runs_path: Path | None = None, run_ids: Any = (), **values: Any) -> None:
        overrides = overlaid(read_config(config_file), overrides_of(options, values))
        check_required(options, overrides, model)
        config = from_preset(model, overrides)
        if runs_path is None:
            action(config)
            return
        names = [run_ids] if isinstance(run_ids, str) else run_ids
        action(config, [jobs.find(runs_path, run_id) for run_id in dict.fromkeys(names)])

    parameters = [*parameters_of(options), CONFIG]
    if runs_named:
        metavar = "RUN" if runs_named == 1 else "RUN..."
        run_ids = click.Argument(["run_ids"], metavar=metavar, nargs=runs_named, required=True)
        parameters = [run_ids, *parameters, RUNS_PATH]
    return click.Command(name, params=parameters, callback=callback, help=inspect.getdoc(action))


def compare(config: CompareConfig, selected: list[runs.Run]) -> None:
    """Compares runs in a table here, or in a file; a run that cannot be used is named, and the others are shown.

    The table of a bench is written as it is: as .csv, .tex, .md or .html.
    """
    report = jobs.report_of(selected[0]) if jobs.kind_of(selected[0]) == BenchJob.kind else None
    if isinstance(report, BenchReport):
        if len(selected) > 1:
            raise ConfigError(f"{selected[0].id} is a whole table: name it alone")
        if config.to is None:
            for table in BenchJob.tables(report, selected[0].id):
                terminal.show_table(*table)
        else:
            _write(config.to, table_file(report, config.to.suffix.lower()), len(report.rows), "row")
        return
    entries, unusable = read(selected)
    for left_out in unusable:
        remedy = f": python -m distrack {left_out.remedy} {left_out.run.id}" if left_out.remedy else ""
        click.echo(f"left out {left_out.run.id}: {left_out.reason}{remedy}", err=True)
    if not entries:
        raise ConfigError("nothing to compare: none of these runs has an evaluation")
    if config.to is None:
        for group in groups(entries):
            _show_group(group)
        return
    file = content(entries, config.to.suffix.lower(), evaluator=config.evaluator, network=config.network)
    _write(config.to, file, len(entries), "run")


def _write(to: Path, content: bytes, count: int, what: str) -> None:
    try:
        write_atomically(to.expanduser(), content)
    except OSError as error:
        raise ConfigError(f"cannot write {to}: {error.strerror or error}") from None
    click.echo(f"{to}: {count} {what}{'' if count == 1 else 's'}")


def _show_group(group: list[Entry]) -> None:
    """A table of runs with the same test clips: a row for each run, evaluator and network."""
    names = ("run", "evaluator", "network", "floats", "accuracy", "95 %")
    columns = (*names, "as sound", "gain", "added", "lost", "recovered")
    rows = [
        (
            entry.run.id,
            compared.evaluator,
            compared.network,
            f"{entry.report.floats_per_class:,}",
            compared.tracks.text,
            compared.tracks.interval_text,
            "" if compared.sound is None else f"{compared.sound.mean:.3f}",
            "" if compared.gain is None else f"{compared.gain:+.3f}",
            "" if compared.added is None else f"{compared.added:+.3f}",
            "" if compared.lost is None else f"{compared.lost:.3f}",
            "" if compared.recovered is None else f"{compared.recovered:.1%}",
        )
        for entry in group
        for compared in entry.comparisons.values()
    ]
    report = group[0].report
    title = f"{report.dataset}, {report.split.test} test clips, disjoint by {report.split.disjoint_by}"
    notes = [f"note: {entry.run.id}: {note}" for entry in group for note in entry.notes]
    terminal.show_table(title, columns, rows, notes)


def export(config: ExportConfig, selected: list[runs.Run]) -> None:
    """Writes tracks as files that need nothing else: sounds, images, numbers, config, licence and dataset card."""
    count = bundle.export(selected[0], config)
    click.echo(f"{config.to}: {count} {'track' if count == 1 else 'tracks'}")


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
