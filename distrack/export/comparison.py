"""A comparison: the evaluated runs, the differences between their configs, and the runs that cannot be compared."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from distrack import datasets
from distrack.errors import DistrackError
from distrack.evaluate import Comparison, Evaluation, Report, comparisons
from distrack.jobs.contract import titles_of
from distrack.jobs.distillation import DistillJob, distillation_job
from distrack.jobs.results import evaluation_report, report_so_far, synthetic_file
from distrack.runs import ALIVE, Run
from distrack.validation import flat


class Entry(NamedTuple):
    """An evaluated run.

    Attributes:
        notes: warnings for a reader of its accuracies.
        title: differs from those of the other runs.
    """

    run: Run
    job: DistillJob
    report: Report
    notes: tuple[str, ...]
    title: str

    @property
    def comparisons(self) -> dict[tuple[str, str], Comparison]:
        """By evaluator and network, the tracks beside random clips and the full dataset."""
        return {(each.evaluator, each.network): each for each in comparisons(self.report.evaluations)}

    @property
    def measured_on(self) -> tuple[Any, ...]:
        """Identifies the test clips and their length: only runs with the same value have comparable accuracies."""
        split, folder = self.report.split, self.job.data_path if self.report.dataset == "FOLDER" else None
        return self.report.dataset, folder, split.test_fold, split.train, split.test, self.report.seconds_per_track

    @property
    def seconds_per_class(self) -> float:
        """Seconds of audio that are stored for one class."""
        return self.report.tracks_per_class * self.report.seconds_per_track

    @property
    def floats_of_random_clips(self) -> int:
        """Stored floats per class of as many whole real clips as the budget has tracks."""
        return self.report.tracks_per_class * self._floats_of_clip

    @property
    def compression(self) -> float:
        """Size of the training set divided by the size of the stored tracks, both in floats with labels."""
        classes = len(self.report.evaluations[0].confusion)
        return self.report.split.train * self._floats_of_clip / (classes * self.report.floats_per_class)

    @property
    def _floats_of_clip(self) -> int:
        return self.job.plan(1).clip_floats


class Unusable(NamedTuple):
    """A run that cannot be compared, the reason, and the command that makes it comparable, if there is one."""

    run: Run
    reason: str
    title: str
    remedy: Literal["resume", "evaluate", ""] = ""


def read(runs: Iterable[Run]) -> tuple[list[Entry], list[Unusable]]:
    """The evaluated runs, and apart from them those that are damaged or not evaluated."""
    by_id = {run.id: run for run in runs}
    results = [_entry(by_id[run_id], title) for run_id, title in titles_of(by_id.values()).items()]
    return [each for each in results if isinstance(each, Entry)], [
        each for each in results if isinstance(each, Unusable)
    ]


def _entry(run: Run, title: str) -> Entry | Unusable:
    try:
        job = distillation_job(run)
    except DistrackError as error:
        return Unusable(run, error.problem, title)
    status, report = run.status(), evaluation_report(run)
    if report is None and status.state in ALIVE:
        return Unusable(run, "still running", title)
    if report is None:
        damaged = (run.path / "report.json").is_file() and report_so_far(run) is None
        return Unusable(run, "report.json is damaged" if damaged else "not evaluated yet", title, remedy="resume")
    if not report.evaluations:
        return Unusable(run, "not evaluated", title, remedy="evaluate")
    notes = list(report.split.notes)
    if status.state in ("stale", "failed", "stopped"):
        notes.append("the run did not end: evaluations may be missing")
    if not synthetic_file(run).is_file():
        notes.append("tracks deleted: the results are kept, more cannot be added")
    if not _is_here(job):
        notes.append(f"{job.source} is no longer on disk: the results are kept, more cannot be added")
    return Entry(run, job, report, tuple(notes), title)


def _is_here(job: DistillJob) -> bool:
    dataset = datasets.DATASETS[job.dataset]
    return dataset.make is not None or datasets.home(dataset, job.data_path).is_dir()


def groups(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The runs by their test clips, in the order given."""
    by_clips: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        by_clips.setdefault(entry.measured_on, []).append(entry)
    return list(by_clips.values())


def measured_by(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """Every pair of evaluator and network that measured one of these runs."""
    return list(dict.fromkeys((each.evaluator, each.network) for entry in entries for each in entry.report.evaluations))


def differing(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    """The config fields with different values among these runs, each with the value of every run.

    A field that a run does not have, because it selected another entry of a registry, is None there.
    """
    configs = [{name.removesuffix(".name"): value for name, value in flat(entry.job)} for entry in entries]
    names = dict.fromkeys(name for config in configs for name in config)
    values = {name: [config.get(name) for config in configs] for name in names}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}


def evaluations(entry: Entry, evaluator: str, network: str) -> list[Evaluation]:
    """A run's evaluations by one evaluator with one network: of the tracks first, then of the baselines."""
    return [each for each in entry.report.evaluations if (each.evaluator, each.network) == (evaluator, network)]


def value_text(value: Any) -> str:
    """The value of a config field: the items of a tuple with commas, "none" for None and for an empty tuple."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
