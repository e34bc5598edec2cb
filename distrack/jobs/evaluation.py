"""The evaluation: measures the synthetic set of a finished run, and adds the results to that run's report."""

import logging
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field

from distrack import datasets
from distrack.device import choose_device
from distrack.distill import DistillConfig, SyntheticSet
from distrack.errors import RunError
from distrack.evaluate import (
    Evaluation,
    EvaluationConfig,
    PredictionCache,
    Report,
    SplitReport,
    evaluate,
    measurements,
)
from distrack.evaluate.config import Seeds
from distrack.images import Material
from distrack.jobs.contract import Job, Table, job_of, register
from distrack.jobs.evaluation_pool import measure_in_processes
from distrack.jobs.results import check_finished, evaluation_report, synthetic_file
from distrack.runs import Run, Session, find
from distrack.settings import settings
from distrack.validation import Option, Overrides, Positional, overlaid

log = logging.getLogger(__name__)

# The progress of an evaluation is a share of one; `status.json` counts in whole steps.
_PARTS = 1000


class FollowUp(Job):
    """A job that works in the folder of a finished distillation.

    Attributes:
        run: id of the distillation's run.
    """

    has_own_folder: ClassVar[bool] = False

    run: Annotated[str, Positional("RUN")]
    """Id of a finished run."""

    def queue(self, run: Run) -> str:
        """The device of the distillation."""
        return str(device_of(distillation_of(run)))

    def open(self, runs_path: Path, name: str | None = None) -> Run:  # noqa: ARG002
        """The folder of the distillation.

        Raises:
            RunError: there is no such run, or it has no synthetic set.
        """
        run = find(runs_path, self.run)
        check_finished(run)
        distillation_of(run)
        return run

    def worth_keeping(self, run: Run) -> bool:  # noqa: ARG002
        """The run was there before the job."""
        return True


@register
class EvaluationJob(EvaluationConfig, FollowUp):
    """Measures a finished synthetic set with other evaluators, baselines, networks or seeds.

    A measurement that was made before is not made again: a further seed costs one network. What is not given is as the
    run's own evaluation was.

    Attributes:
        processes: processes that measure side by side; a single one shares its work out among threads.
    """

    kind: ClassVar[str] = "evaluation"
    verb: ClassVar[str] = "evaluate"
    summary: ClassVar[str] = "Evaluates finished runs with other evaluators, baselines, networks or seeds."
    report_type: ClassVar[type[Report]] = Report

    run: Annotated[str, Positional("RUN", many=True)]
    """Id of a finished run."""
    # A distillation has seeds of its own: only here does the short name mean those of the evaluation.
    seeds: Annotated[Seeds, Option("seeds", ("evaluation-seeds",))] = 3
    processes: Annotated[int, Option("jobs"), Field(ge=1, le=256)] = 1
    """Processes that measure side by side."""

    @classmethod
    def from_overrides(cls, overrides: Overrides, runs_path: Path | None = None) -> Job:
        """The run's own evaluation with the given changes."""
        before = None if runs_path is None or "run" not in overrides else _evaluation_of(runs_path, overrides["run"])
        return cls.validated(overlaid({} if before is None else before.model_dump(), overrides))

    def work(self, run: Run, session: Session) -> Report:
        """Makes every measurement; the report grows as they come, and other evaluations in it stay."""
        config = distillation_of(run)
        return evaluate_tracks(
            run,
            config,
            EvaluationConfig.model_validate(self.model_dump(include=set(EvaluationConfig.model_fields))),
            device_of(config),
            session,
            prepared_material(config, session),
            again=True,
            processes=self.processes,
        )

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        """Accuracy of every evaluator on every training set."""
        return [report_table(report, run_id)]


def _evaluation_of(runs_path: Path, run_id: str) -> EvaluationConfig | None:
    before = getattr(job_of(find(runs_path, run_id)), "evaluation", None)
    return before if isinstance(before, EvaluationConfig) else None


def distillation_of(run: Run) -> DistillConfig:
    """The config of a run that distilled a dataset.

    Raises:
        RunError: the run is of another kind, or its config cannot be read.
    """
    config = job_of(run)
    if not isinstance(config, DistillConfig):
        raise RunError(f"run {run.id} is a {config.kind}, not a distillation")
    return config


def device_of(config: DistillConfig) -> torch.device:
    """The device on this machine that a distillation computes on.

    Raises:
        ConfigError: there is no such device here.
    """
    return choose_device(config.device if config.device != "auto" else settings().device)


def prepared_material(config: DistillConfig, session: Session) -> Material:
    """The phase `prepare`: the dataset as waveforms and images, from the cache or made now."""
    session.phase("prepare")
    return config.material(progress=session.progress)


def evaluate_tracks(
    run: Run,
    config: DistillConfig,
    evaluation: EvaluationConfig,
    device: torch.device,
    session: Session,
    material: Material,
    *,
    again: bool,
    processes: int = 1,
) -> Report:
    """The phase `evaluate`: makes the measurements of an evaluation and writes the report after each.

    Args:
        run: a run with a synthetic set.
        config: its distillation.
        evaluation: what to measure.
        device: where to compute.
        session: takes the progress.
        material: both sides of the dataset.
        again: make measurements again that the report holds already; the cache of predictions makes most of them free.
        processes: processes that measure side by side.
    """
    synthetic = SyntheticSet.load(synthetic_file(run))
    earlier = evaluation_report(run)
    done = {} if earlier is None else {measured.key: measured for measured in earlier.evaluations}
    plan = [measurement for measurement in measurements(evaluation) if again or measurement.key not in done]
    session.phase("evaluate", _PARTS)
    cache = PredictionCache(settings().cache_path / "evaluations")
    if processes > 1:
        measure_in_processes(
            run,
            config,
            plan,
            cache,
            device=device,
            processes=processes,
            progress=lambda made, total: session.progress(made, total, "measurements"),
        )
    for measured in evaluate(
        synthetic,
        material.train,
        material.test,
        plan,
        device=device,
        progress=lambda part, share: session.progress(round(_PARTS * share), _PARTS, part),
        cache=cache,
    ):
        done[measured.key] = measured
        write_report(run, config, device, session, material, synthetic, tuple(done.values()))
        log.info("%s on %s: accuracy %s", measured.evaluator, measured.trained_on, measured.accuracy.text)
    return write_report(run, config, device, session, material, synthetic, tuple(done.values()))


def write_report(
    run: Run,
    config: DistillConfig,
    device: torch.device,
    session: Session,
    material: Material,
    synthetic: SyntheticSet,
    evaluations: tuple[Evaluation, ...],
) -> Report:
    """Writes `report.json` with the evaluations that are made so far."""
    prepared = material.prepared
    report = Report(
        dataset=config.dataset,
        split=SplitReport(
            train=len(material.train),
            test=len(material.test),
            disjoint_by=prepared.index.disjoint_by,
            validation=len(prepared.split_rows("validation")),
            test_fold=_fold(config, prepared.index),
            notes=prepared.index.notes,
        ),
        feature=config.feature.name,
        domain=config.domain.name,
        parameterisation=config.parameterisation.name,
        tracks_per_class=config.ipc,
        rendered_per_class=synthetic.tracks_per_class,
        seconds_per_track=config.seconds,
        floats_per_class=synthetic.floats_per_class,
        seconds={phase: round(spent, 3) for phase, spent in session.seconds().items()},
        device=str(device),
        skipped=len(prepared.skipped),
        evaluations=evaluations,
    )
    run.write("report.json", report.model_dump_json(indent=2))
    return report


def _fold(config: DistillConfig, index: datasets.Index) -> int | None:
    if not index.has_folds:
        return None
    return datasets.DATASETS[config.dataset].test_fold if config.test_fold is None else config.test_fold


def report_table(report: Report, run_id: str) -> Table:
    """The evaluations of a report as a table."""
    if not report.evaluations:
        return Table(f"{run_id} is done, not evaluated. Evaluate it with: python -m distrack evaluate {run_id}", (), ())
    rows = [
        (
            measured.evaluator,
            measured.trained_on,
            measured.accuracy.text,
            f"{measured.macro_f1:.3f}",
        )
        for measured in report.evaluations
    ]
    return Table(f"{run_id}: {report.split.test} test clips", ("evaluator", "trained on", "accuracy", "macro F1"), rows)
