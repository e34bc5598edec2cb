"""A bench: one table of accuracies over datasets, budgets, methods and seeds, from a protocol in a file."""

import re
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import yaml
from pydantic import Field, model_validator

from distrack.errors import ConfigError
from distrack.evaluate import Accuracy, Evaluation, Paired, Report
from distrack.jobs.contract import Job, Table, register
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series.series import Cell, Group, Series, Tabulated, pooled
from distrack.options import FieldOption
from distrack.settings import AbsolutePath
from distrack.validation import Config, Overrides, Positional, Record, merged

# Fields of a distillation that a protocol gives elsewhere than in a method.
_NOT_OF_A_METHOD = ("dataset", "data_path", "ipc", "seed")


class Protocol(Config):
    """The content of a protocol file: what a table compares.

    The same values as in a config are allowed: those of a dataset (``dataset: FSDD``, ``data_path: DIR``, relative to
    the file), of a method (``preset: quick``, ``objective: mean``) and of an evaluation.
    """

    datasets: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    """By the name that the table gives them, the fields that select each dataset."""
    budgets: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1, 10)
    """Tracks per class."""
    methods: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    """By the name that the table gives them, the fields that make each method."""
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    """Distillations of each cell of the table, each with a seed of its own."""
    evaluation: dict[str, Any] = Field(default_factory=dict)
    """Fields of the evaluation that all cells share."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The protocol in a file.

        Raises:
            ConfigError: the file cannot be read, is no YAML, or has a field that is unknown or out of range.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())
            raise ConfigError(f"protocol {path} cannot be read: {reason}") from None
        if not isinstance(content, dict):
            raise ConfigError(f"protocol {path}: expected `datasets`, `budgets`, `methods`, `seeds`, `evaluation`")
        return cls.validated(content)


class BenchRow(Record):
    """The accuracies of one method on one dataset with one budget, by one evaluator with one network.

    Attributes:
        test: number of test clips.
        tracks, sound: over all seeds of distillation and evaluation, learnt from images and from exported sounds.
        random, control, full: of the baselines `random-selection`, `same-storage` and `full`.
        gain, added: differences of the tracks to random clips and to the control, paired by the evaluation's seed.
        runs: ids of the runs that were measured.

    An accuracy that was not measured is None.
    """

    dataset: str
    tracks_per_class: int
    method: str
    floats_per_class: int
    test: int
    evaluator: str
    network: str
    tracks: Accuracy
    sound: Accuracy | None
    random: Accuracy | None
    control: Accuracy | None
    full: Accuracy | None
    gain: Paired | None
    added: Paired | None
    runs: tuple[str, ...]


class BenchReport(Tabulated):
    """`report.json` of a bench, as far as it is measured."""

    rows: tuple[BenchRow, ...]


@register
class BenchJob(Series):
    """Distills and evaluates every dataset, budget, method and seed of a protocol, and makes one table of all of them.

    The protocol is a YAML file (docs/protocol.md shows one). With --name, the same command continues a table that was
    interrupted. `compare NAME --to table.tex` writes the table as LaTeX, CSV, Markdown or HTML.
    """

    kind: ClassVar[str] = "bench"
    verb: ClassVar[str] = "bench"
    summary: ClassVar[str] = "Makes a table of accuracies from a protocol file."
    report_type: ClassVar[type[BenchReport]] = BenchReport
    folder: ClassVar[str] = "_benches"

    protocol: Annotated[AbsolutePath, Positional("PROTOCOL")] = Field(examples=[Path("protocol.yaml")])
    """YAML file with datasets, budgets, methods and seeds."""
    names: tuple[tuple[str, str], ...] = ()
    """Names of dataset and method of each distillation."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if len(self.names) != len(self.distillations):
            raise ValueError(f"{len(self.distillations)} distillations have {len(self.names)} names")
        return self

    @property
    def usual_name(self) -> str:
        return f"bench_{self.protocol.stem}"

    @property
    def title(self) -> str:
        datasets, methods = (len({name[part] for name in self.names}) for part in (0, 1))
        budgets = ", ".join(map(str, sorted({job.ipc for job in self.distillations})))
        parts = (f"{count} {what}{'s' * (count > 1)}" for count, what in ((datasets, "dataset"), (methods, "method")))
        return " · ".join((self.protocol.stem, *parts, f"{budgets} per class"))

    @classmethod
    def options(cls) -> list[FieldOption]:
        """The protocol alone."""
        return [option for option in super().options() if option.path == ("protocol",)]

    @classmethod
    def from_overrides(cls, overrides: Overrides, runs_path: Path | None = None) -> Job:  # noqa: ARG003
        """The distillations of a protocol file; those of a stored config are not read from the file again."""
        if "distillations" in overrides:
            return cls.validated(overrides)
        path = Path(overrides["protocol"]).expanduser().resolve()
        protocol = Protocol.read(path)
        cases = list(product(protocol.datasets, protocol.budgets, protocol.methods))
        jobs = tuple(_distillation(path, protocol, *case) for case in cases)
        names = tuple((dataset, method) for dataset, _, method in cases)
        return cls.validated({"protocol": path, "distillations": jobs, "names": names, "seeds": protocol.seeds})

    def always_written(self) -> dict[tuple[str, ...], Any]:
        return {("protocol",): self.protocol}

    def given(self, runs_path: Path | None = None) -> list[tuple[FieldOption, Any]]:  # noqa: ARG002
        return [(option, self.protocol) for option in self.options()]

    def groups(self, series_id: str) -> list[Group]:
        """All cells seed by seed; the run of each is named by dataset, method, budget and seed."""
        return [
            Group(label, tuple(_cell(series_id, *case) for case in zip(self.names, jobs, strict=True)))
            for label, jobs in self.by_seed()
        ]

    def check(self) -> None:
        for job in self.distillations:
            job.check()

    def tabulated(self, reports: Mapping[Cell, Report]) -> BenchReport:
        names = {_cell("", name, job).title: name for name, job in zip(self.names, self.distillations, strict=True)}
        notes = [f"{names[cell.title][0]}: {note}" for cell, report in reports.items() for note in report.split.notes]
        common = self.in_common(reports, notes) | {"dataset": ", ".join(dict.fromkeys(name for name, _ in self.names))}
        by_case: dict[tuple[str, str, int], list[tuple[Cell, Report]]] = {}
        for cell, report in reports.items():
            by_case.setdefault((*names[cell.title], cell.job.ipc), []).append((cell, report))
        rows = [row for case, measured in by_case.items() for row in _rows(case, measured)]
        return BenchReport(**common, rows=tuple(rows))

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        """The whole table."""
        rows = table_texts(report)
        columns = tuple(rows[0]) if rows else ()
        texts = [tuple(row.values()) for row in rows]
        title = f"{run_id}: {report.done} of {report.cells} runs"
        return [Table(title, columns, texts, [f"note: {note}" for note in report.notes])]


def table_texts(report: BenchReport) -> list[dict[str, str]]:
    """The cells of each row by column, as a terminal or a page shows them, without columns that have no cell."""
    rows = [_row_texts(row) for row in report.rows]
    filled = {name for row in rows for name, text in row.items() if text}
    return [{name: text for name, text in row.items() if name in filled} for row in rows]


def _row_texts(row: BenchRow) -> dict[str, str]:
    def text(accuracy: Accuracy | None) -> str:
        return "" if accuracy is None else accuracy.text

    return {
        "dataset": row.dataset,
        "tracks": str(row.tracks_per_class),
        "method": row.method,
        "evaluator": row.evaluator,
        "network": row.network,
        "random clips": text(row.random),
        "same storage": text(row.control),
        "tracks, image": text(row.tracks),
        "tracks, sound": text(row.sound),
        "all clips": text(row.full),
        "vs random": "" if row.gain is None else row.gain.text,
        "distillation adds": "" if row.added is None else row.added.text,
    }


def _cell(series_id: str, names: tuple[str, str], job: DistillJob) -> Cell:
    parts = (*map(_stem, names), f"ipc{job.ipc}", f"seed{job.seed}")
    return Cell("-".join((series_id, *parts)), job, f"{', '.join(names)}, {job.ipc} per class")


def _distillation(path: Path, protocol: Protocol, dataset: str, budget: int, method: str) -> DistillJob:
    source, settings = protocol.datasets[dataset], protocol.methods[method]
    wrong = [name for name in _NOT_OF_A_METHOD if name in settings]
    if wrong:
        raise ConfigError(f"protocol {path}: method {method}: {wrong[0]} does not belong to a method")
    where = source.get("data_path")
    found = {} if where is None else {"data_path": path.parent / Path(where).expanduser()}
    values = merged({**source, **found}, settings)
    values["evaluation"] = merged(protocol.evaluation, values.get("evaluation", {}))
    try:
        return DistillJob.validated({**values, "ipc": budget})
    except ConfigError as error:
        raise ConfigError(f"protocol {path}: {dataset}, {method}, {budget} per class: {error}") from None


def _stem(name: str) -> str:
    """A name as a part of a run's id."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x"


def _rows(case: tuple[str, str, int], measured: list[tuple[Cell, Report]]) -> Iterable[BenchRow]:
    """The rows of one dataset, method and budget: one for each evaluator and network that measured the tracks."""
    dataset, method, budget = case
    reports = [report for _, report in measured]
    lines: dict[tuple[str, str, str, str], list[Evaluation]] = {}
    for report in reports:
        for line in report.evaluations:
            lines.setdefault(line.key, []).append(line)
    for (evaluator, trained_on, network, form), of_tracks in lines.items():
        if (trained_on, form) != ("synthetic", "image"):
            continue

        def of(name: str, form: str = "image", by: tuple[str, str] = (evaluator, network)) -> list[Evaluation]:
            return lines.get((by[0], name, by[1], form), [])

        def accuracy(found: list[Evaluation]) -> Accuracy | None:
            return pooled(line.accuracy.runs for line in found) if found else None

        yield BenchRow(
            dataset=dataset,
            tracks_per_class=budget,
            method=method,
            floats_per_class=reports[0].floats_per_class,
            test=reports[0].split.test,
            evaluator=evaluator,
            network=network,
            tracks=pooled(line.accuracy.runs for line in of_tracks),
            sound=accuracy(of("synthetic", "sound")),
            random=accuracy(of("random-selection")),
            control=accuracy(of("same-storage")),
            full=accuracy(of("full")),
            gain=_paired(of_tracks, of("random-selection")),
            added=_paired(of_tracks, of("same-storage")),
            runs=tuple(cell.run_id for cell, _ in measured),
        )


def _paired(tracks: list[Evaluation], others: list[Evaluation]) -> Paired | None:
    """Differences for each seed of the evaluation, of the means over the distillations."""
    if not others:
        return None
    ours, theirs = ([line.accuracy.runs for line in lines] for lines in (tracks, others))
    if len({len(runs) for runs in (*ours, *theirs)}) > 1:
        return None
    means = ([sum(column) / len(column) for column in zip(*runs, strict=True)] for runs in (ours, theirs))
    return Paired.of(*means)
