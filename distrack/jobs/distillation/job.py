"""The distillation: a dataset becomes a synthetic set, which is made audible and evaluated."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from distrack import datasets
from distrack.distill import DistillConfig
from distrack.distill.domains import DOMAINS
from distrack.errors import ConfigError, RunError
from distrack.evaluate import EvaluationConfig, Report, measurements
from distrack.features import FEATURES
from distrack.jobs.contract import JOBS, Job, Table, job_of, register, shell_text
from distrack.jobs.distillation.expected import earlier_runs, expected_seconds
from distrack.jobs.distillation.phases import device_of
from distrack.jobs.distillation.work import Work
from distrack.jobs.results import evaluation_report
from distrack.networks import check_shape
from distrack.runs import Run, Session
from distrack.validation import Option


class Measured(Job):
    """A job whose report holds evaluations."""

    report_type: ClassVar[type[Report]] = Report

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        """Accuracy of every evaluator on every training set."""
        if not report.evaluations:
            again = shell_text(["evaluate", run_id])
            return [Table(f"{run_id} is done, not evaluated. Evaluate it with: {again}", (), ())]
        rows = [(e.evaluator, e.training_set, e.accuracy.text, f"{e.macro_f1:.3f}") for e in report.evaluations]
        columns = ("evaluator", "trained on", "accuracy", "macro F1")
        notes = [f"note: {note}" for note in report.split.notes]
        return [Table(f"{run_id}: {report.split.test} test clips", columns, rows, notes)]


@register
class DistillJob(DistillConfig, Measured):
    """Distils a dataset and evaluates the result, unless `evaluation` is None."""

    kind: ClassVar[str] = "distillation"
    verb: ClassVar[str] = "distill"
    summary: ClassVar[str] = "Distills a dataset and evaluates the result."
    on_cluster: ClassVar[bool] = True
    # Real clips to compare the tracks with, and answers of listeners.
    stays: ClassVar[tuple[str, ...]] = ("listening", "listening.json", "blind-tests", "answered.json")
    has_own_command: ClassVar[bool] = False  # a sweep's, which may be a single distillation
    always_given: ClassVar[tuple[tuple[str, ...], ...]] = (("dataset",), ("preset",), ("ipc",))

    evaluation: Annotated[EvaluationConfig | None, Option("evaluation", off="no-evaluate")] = EvaluationConfig()
    """Distill only, without an evaluation."""

    @property
    def usual_name(self) -> str:
        feature = self.feature.name.removesuffix("spectrogram")
        return f"{self.dataset.lower().replace('_', '-')}_{feature}_ipc{self.ipc}"

    @property
    def source(self) -> str:
        """The title of the dataset; the name of a folder of one's own."""
        return datasets.title(self.dataset, self.data_path, subset=self.subset)

    @property
    def title(self) -> str:
        return self.titled(f"{self.ipc} {'track' if self.ipc == 1 else 'tracks'} per class")

    def titled(self, amount: str) -> str:
        """A title with this amount of tracks; a representation or a domain is named if it is not the preset's."""
        usual = DistillConfig(preset=self.preset)
        feature = [FEATURES.title(self.feature.name)] * (self.feature.name != usual.feature.name)
        domain = [DOMAINS.short_title(self.domain.name)] * (self.domain.name != usual.domain.name)
        return " · ".join([self.source, amount, *feature, *domain, self.preset])

    def queue(self, run: Run) -> str:  # noqa: ARG002
        return str(device_of(self))

    def distillation(self) -> DistillConfig:
        """The job without its evaluation: the config that a synthetic set stores."""
        return DistillConfig.model_validate({name: getattr(self, name) for name in DistillConfig.model_fields})

    def without_path(self, folder: Path | None = Path("FOLDER")) -> Self:
        """The job with `folder` in place of the path to its dataset on this machine, which an export keeps private."""
        return self if self.data_path is None else self.model_copy(update={"data_path": folder})

    def check_here(self) -> None:
        device_of(self)

    def check(self) -> None:
        """Refuses, before any work, what the dataset on this disk cannot give.

        Raises:
            DatasetError: the dataset is absent or cannot be used.
            ConfigError: the images are too small for the evaluation's network.
        """
        if self.evaluation is not None:
            try:
                check_shape(self.evaluation.network, self.feature.shape(self.samples))
            except ValueError as error:
                raise ConfigError(f"evaluation: {error}", remedy="or do not evaluate (--no-evaluate)") from None
        root = datasets.home(datasets.DATASETS[self.dataset], self.data_path)
        if not root.is_dir() and datasets.DATASETS[self.dataset].make is not None and self.data_path is None:
            return  # the job will make the dataset
        datasets.index(self.dataset, self.data_path, **self.reading)

    def work(self, run: Run, session: Session) -> Report:
        """Prepares the dataset, distills, inverts, evaluates, and makes sounds to compare with; skips what is done."""
        session.plan(expected_seconds(self, self.evaluation, earlier_runs(run.path.parent)))
        report = Work(run, self.distillation(), session).finish(self.evaluation)
        if self.evaluation is not None:  # by its name, as a listening is about a distillation
            JOBS["listening"].from_overrides({"run": run.id, "snapshots": False}).work(run, session)
        return report

    @classmethod
    def key_figures(cls, run: Run) -> dict[str, float]:
        """The accuracy of a CNN trained on the tracks, and its gain over random clips, as far as they are measured."""
        report = evaluation_report(run)
        accuracy = report.accuracy("random-cnn", "synthetic") if report else None
        random = report.accuracy("random-cnn", "random-selection") if report else None
        if accuracy is None:
            return {}
        return {"accuracy": accuracy} | ({} if random is None else {"vs random": accuracy - random})

    def is_done(self, run: Run) -> bool:
        """Whether a run has everything that this job makes."""
        report = evaluation_report(run)
        if report is None or self.evaluation is None:
            return report is not None
        return {measured.key for measured in report.evaluations}.issuperset(
            measurement.key for measurement in measurements(self.evaluation)
        )


def distillation_job(run: Run) -> DistillJob:
    """The job of a run that distilled a dataset.

    Raises:
        RunError: the run is of another kind, or its config cannot be read.
    """
    job = job_of(run)
    if not isinstance(job, DistillJob):
        raise RunError(f"run {run.id} is a {job.kind}, not a distillation")
    return job
