"""The table of several runs: their evaluations, what differs between their configs, and which cannot be used."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from distrack import datasets
from distrack.errors import DistrackError
from distrack.evaluate import Comparison, Evaluation, Report, comparisons
from distrack.jobs.distillation import DistillJob, distillation_job
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.runs.folder import Run
from distrack.validation import flat


class Entry(NamedTuple):
    """A run that was measured.

    Attributes:
        compression: numbers of all training clips, labels counted, for each that is stored.
        notes: what whoever reads its figures should know.
    """

    run: Run
    job: DistillJob
    report: Report
    compression: float
    notes: tuple[str, ...]

    @property
    def comparisons(self) -> dict[tuple[str, str], Comparison]:
        """By evaluator and network."""
        return {(found.evaluator, found.network): found for found in comparisons(self.report.evaluations)}

    @property
    def measured_on(self) -> tuple[Any, ...]:
        """What two runs must have in common for their accuracies to be comparable: the test clips, and what is heard of
        them. Of a folder of classes, which folder."""
        split, folder = self.report.split, self.job.data_path if self.report.dataset == "FOLDER" else None
        return self.report.dataset, folder, split.test_fold, split.train, split.test, self.report.seconds_per_track

    @property
    def seconds_per_class(self) -> float:
        """Audio that is stored for one class."""
        return self.report.tracks_per_class * self.report.seconds_per_track


class Unusable(NamedTuple):
    """A run that has no figures, and why."""

    run: Run
    reason: str


def table(runs: Iterable[Run]) -> tuple[list[Entry], list[Unusable]]:
    """Reads several runs; one that is damaged or not measured does not keep the others from being shown."""
    entries: list[Entry] = []
    unusable: list[Unusable] = []
    for run in runs:
        found = _entry(run)
        if isinstance(found, Entry):
            entries.append(found)
        else:
            unusable.append(found)
    return entries, unusable


def _entry(run: Run) -> Entry | Unusable:
    try:
        job = distillation_job(run)
    except DistrackError as error:
        return Unusable(run, str(error))
    status, report = run.status(), evaluation_report(run)
    if report is None:
        damaged = (run.path / "report.json").is_file()
        reason = "report.json is damaged" if damaged else f"nothing was measured yet, it is {status.state}"
        return Unusable(run, f"{reason}: python -m distrack resume {run.id}")
    if not report.evaluations:
        return Unusable(run, f"it was not evaluated: python -m distrack evaluate {run.id}")
    notes = list(report.split.notes)
    if status.state in ("stale", "failed", "stopped"):
        notes.append(f"it is {status.state}: what it was to measure may be missing")
    if not synthetic_file(run).is_file():
        notes.append("its synthetic set is gone: the figures stand, nothing more can be measured")
    if not _is_here(job):
        notes.append(f"{report.dataset} is no longer on disk: the figures stand, nothing more can be measured")
    classes = len(report.evaluations[0].confusion)
    compression = report.split.train * job.plan(1).clip_floats / (classes * report.floats_per_class)
    return Entry(run, job, report, compression, tuple(notes))


def _is_here(job: DistillJob) -> bool:
    dataset = datasets.DATASETS[job.dataset]
    return dataset.make is not None or datasets.home(dataset, job.data_path).is_dir()


def groups(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Runs that were tested on the same clips, in the order in which they were given."""
    found: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.measured_on, []).append(entry)
    return list(found.values())


def measured_by(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """Every evaluator and network that measured any of these runs."""
    return list(dict.fromkeys((each.evaluator, each.network) for entry in entries for each in entry.report.evaluations))


def differing(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    """Fields of the configs that are not the same in all of these runs, with every run's value."""
    configs = [dict(flat(entry.job)) for entry in entries]
    names = dict.fromkeys(name for config in configs for name in config)
    values = {name: [config.get(name) for config in configs] for name in names}
    return {name: found for name, found in values.items() if any(value != found[0] for value in found)}


def evaluations(entry: Entry, evaluator: str, network: str) -> list[Evaluation]:
    """A run's evaluations by one evaluator with one network: of the tracks first, then of the baselines."""
    return [each for each in entry.report.evaluations if (each.evaluator, each.network) == (evaluator, network)]


class Reported(NamedTuple):
    """An accuracy that others have published; it was measured on other splits, by other recipes, and is never mixed
    with ours."""

    dataset: str
    evaluator: str
    trained_on: str
    tracks_per_class: int | None
    accuracy: float


PUBLISHED = (
    Reported("AUDIO_MNIST", "random-cnn", "synthetic", 1, 0.40),
    Reported("AUDIO_MNIST", "random-cnn", "synthetic", 10, 0.60),
    Reported("URBANSOUND8K", "random-cnn", "synthetic", 1, 0.25),
    Reported("URBANSOUND8K", "random-cnn", "synthetic", 10, 0.31),
    Reported("GTZAN", "random-cnn", "synthetic", 1, 0.19),
    Reported("GTZAN", "random-cnn", "synthetic", 10, 0.40),
    Reported("AUDIO_MNIST", "prototype", "class-mean", None, 0.59),
    Reported("AUDIO_MNIST", "prototype", "synthetic", 1, 0.59),
    Reported("AUDIO_MNIST", "prototype", "synthetic", 10, 0.48),
)
