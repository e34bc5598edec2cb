"""The evaluation: measures the synthetic set of a finished run, and adds the results to that run's report."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from distrack.distill import SyntheticSet
from distrack.errors import RunError
from distrack.evaluate import EvaluationConfig, Report
from distrack.evaluate.config import Seeds
from distrack.jobs.contract import Job, job_of, read_report, register
from distrack.jobs.distillation.job import Measured, distillation_job
from distrack.jobs.distillation.phases import device_of
from distrack.jobs.distillation.work import Work
from distrack.jobs.results import synthetic_file
from distrack.learning import ADAMW
from distrack.progress import Watch, unwatched
from distrack.runs import Run, Session, find
from distrack.validation import Option, Overrides, Positional, overlaid


class FollowUp(Job):
    """A job that works in the folder of a finished distillation."""

    has_own_folder: ClassVar[bool] = False

    run: Annotated[str, Positional("RUN")]
    """Id of a finished run."""

    def queue(self, run: Run) -> str:
        return str(device_of(distillation_job(run)))

    def open(self, runs_path: Path, name: str | None = None, *, watch: Watch = unwatched) -> Run:  # noqa: ARG002
        """The folder of the distillation.

        Raises:
            RunError: there is no such run, or it has no synthetic set.
        """
        run = find(runs_path, self.run)
        if not synthetic_file(run).is_file():
            raise RunError(f"run {run.id} has no synthetic set yet", remedy=f"python -m distrack resume {run.id}")
        distillation_job(run)
        return run

    def worth_keeping(self, run: Run) -> bool:  # noqa: ARG002
        return True


def report_of_present_tracks(run: Run, kind: type[FollowUp]) -> Any:
    """The report of a kind about the tracks that a run has now, of which it names the fingerprint; else None."""
    report = read_report(run, kind)
    with suppress(RunError):
        if report and report.tracks == SyntheticSet.load(synthetic_file(run)).fingerprint:
            return report
    return None


@register
class EvaluationJob(EvaluationConfig, Measured, FollowUp):
    """Measures a finished synthetic set with other evaluators, baselines, networks or seeds.

    A measurement that was made before is not made again: a further seed costs one network. What is not given is as the
    run's own evaluation was.
    """

    kind: ClassVar[str] = "evaluation"
    verb: ClassVar[str] = "evaluate"
    summary: ClassVar[str] = "Evaluates finished runs with other evaluators, baselines, networks or seeds."
    on_cluster: ClassVar[bool] = True

    run: Annotated[str, Positional("RUN", many=True)]
    """Id of a finished run."""
    # A distillation has seeds of its own: only here does the short name mean those of the evaluation.
    seeds: Annotated[Seeds, Option("seeds", ("evaluation-seeds",))] = 3
    processes: Annotated[int, Option("jobs"), Field(ge=1, le=256)] = 1
    """Parallel processes."""

    @classmethod
    def from_overrides(cls, overrides: Overrides, runs_path: Path | None = None) -> Job:
        """The run's own evaluation with the given changes."""
        before: EvaluationConfig | None = None
        if runs_path is not None and "run" in overrides:
            before = getattr(job_of(find(runs_path, overrides["run"])), "evaluation", None)
        own = before.model_dump() if before else {}
        if overrides.get("optimiser", own.get("optimiser")) != own.get("optimiser"):
            own = {name: value for name, value in own.items() if name not in ADAMW}  # they suit one optimiser alone
        return cls.validated(overlaid(own, overrides))

    def work(self, run: Run, session: Session) -> Report:
        """Makes every measurement; the report grows as they come, and other evaluations in it stay."""
        evaluation = EvaluationConfig.model_validate(self.model_dump(include=set(EvaluationConfig.model_fields)))
        return Work(run, distillation_job(run), session).evaluate(evaluation, again=True, processes=self.processes)
