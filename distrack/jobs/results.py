"""The results of a distillation in its run's folder: paths of its files, and readers that cope with damaged ones."""

from pathlib import Path

from distrack.errors import RunError
from distrack.evaluate import EvaluationConfig, Report, measurements
from distrack.runs import Run
from distrack.validation import read_model


def synthetic_file(run: Run) -> Path:
    """The finished synthetic set."""
    return run.path / "synthetic.safetensors"


def track_file(run: Run, name: str) -> Path:
    """The audible track with a name of the synthetic set."""
    return run.path / "audio" / f"{name}.flac"


def evaluation_report(run: Run) -> Report | None:
    """The report of a distillation as far as it is measured; None if there is none, or it is another kind's."""
    return read_model(run.path / "report.json", Report)


def check_finished(run: Run) -> None:
    """Refuses a run without a synthetic set.

    Raises:
        RunError: says how to finish it.
    """
    if not synthetic_file(run).is_file():
        raise RunError(f"run {run.id} has no synthetic set yet: python -m distrack resume {run.id}")


def is_finished(run: Run, evaluation: EvaluationConfig | None) -> bool:
    """Whether a distillation's report holds every measurement of an evaluation."""
    report = evaluation_report(run)
    if report is None:
        return False
    measured = {measurement.key for measurement in report.evaluations}
    wanted = () if evaluation is None else measurements(evaluation)
    return measured.issuperset(measurement.key for measurement in wanted)
