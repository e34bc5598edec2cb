"""The distillation: a dataset becomes a synthetic set, which is made audible and evaluated."""

from collections import Counter
from typing import Annotated, Any, ClassVar

from distrack import datasets
from distrack.distill import DistillConfig
from distrack.errors import ConfigError, RunError
from distrack.evaluate import EvaluationConfig, Report
from distrack.jobs.contract import Job, Table, job_of, register
from distrack.jobs.distillation.work import Work
from distrack.jobs.evaluation import device_of, report_table
from distrack.jobs.results import is_finished
from distrack.networks import check_shape
from distrack.runs import Run, Session
from distrack.validation import Option


@register
class DistillJob(DistillConfig, Job):
    """Distils a dataset and evaluates the result, unless `evaluation` is None."""

    kind: ClassVar[str] = "distillation"
    verb: ClassVar[str] = "distill"
    summary: ClassVar[str] = "Distills a dataset and evaluates the result."
    report_type: ClassVar[type[Report]] = Report
    has_own_command: ClassVar[bool] = False  # a sweep's, which may be a single distillation
    always_given: ClassVar[tuple[tuple[str, ...], ...]] = (("dataset",), ("preset",), ("ipc",))

    evaluation: Annotated[EvaluationConfig | None, Option("evaluation", off="no-evaluate")] = EvaluationConfig()
    """Distill only, without an evaluation."""

    @property
    def usual_name(self) -> str:
        """Dataset, feature and tracks per class."""
        feature = self.feature.name.removesuffix("spectrogram")
        return f"{self.dataset.lower().replace('_', '-')}_{feature}_ipc{self.ipc}"

    def queue(self, run: Run) -> str:  # noqa: ARG002
        """The device."""
        return str(device_of(self))

    def distillation(self) -> DistillConfig:
        """The job without its evaluation: the config that a synthetic set stores."""
        return DistillConfig.model_validate({name: getattr(self, name) for name in DistillConfig.model_fields})

    def check(self) -> None:
        """Refuses, before any work, what the dataset on this disk cannot give.

        Raises:
            DatasetError: the dataset is absent or cannot be used.
            ConfigError: the device is not on this machine, a class has fewer training clips than tracks are wanted, or
                the images are too small for the evaluation's network.
        """
        device_of(self)
        if self.evaluation is not None:
            try:
                check_shape(self.evaluation.network, self.feature.shape(self.samples))
            except ValueError as error:
                raise ConfigError(f"evaluation: {error}, or do not evaluate (--no-evaluate)") from None
        root = datasets.home(datasets.DATASETS[self.dataset], self.data_path)
        if not root.is_dir() and datasets.DATASETS[self.dataset].make is not None and self.data_path is None:
            return  # the job will make the dataset
        index = datasets.index(self.dataset, self.data_path, test_fold=self.test_fold)
        counts = Counter(clip.label for clip in index.clips if clip.split == "train")
        label, fewest = min(counts.items(), key=lambda item: item[1])
        if self.ipc > fewest:
            raise ConfigError(
                f"ipc {self.ipc}: class {index.classes[label]} of {self.dataset} has only {fewest} training clips; "
                f"ask for at most {fewest} tracks per class"
            )

    def work(self, run: Run, session: Session) -> Report:
        """Prepares the dataset, distills, inverts and evaluates; what is done is not done again."""
        return Work(run, self.distillation(), self.evaluation, device_of(self), session).finish()

    def is_done(self, run: Run) -> bool:
        """Whether a run has everything that this job makes."""
        return is_finished(run, self.evaluation)

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        """Accuracy of every evaluator on every training set."""
        return [report_table(report, run_id)]


def distillation_job(run: Run) -> DistillJob:
    """The job of a run that distilled a dataset.

    Raises:
        RunError: the run is of another kind, or its config cannot be read.
    """
    found = job_of(run)
    if not isinstance(found, DistillJob):
        raise RunError(f"run {run.id} is a {found.kind}, not a distillation")
    return found
