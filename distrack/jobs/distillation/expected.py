"""The time that a distillation will take, phase by phase, going by earlier runs on this machine."""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from distrack.distill import DistillConfig
from distrack.errors import RunError
from distrack.evaluate import EvaluationConfig, Measurement, Report, measurements
from distrack.jobs.contract import all_runs, job_of
from distrack.jobs.results import evaluation_report
from distrack.registry import Choice
from distrack.runs import Run

# What is expected where no earlier run tells: seconds of the phases on two cores, seconds of a network's training for
# each image, and the number of classes and of training clips.
_USUAL = {"prepare": 1.0, "distill": 50.0, "invert": 3.0, "evaluate": 0.0, "inspect": 10.0, "listen": 3.0}
_USUAL_PACE = 0.003
_USUAL_CLASSES, _USUAL_CLIPS = 10, 2400
# Runs that are alike in these take about the same time for a step, or measure the same real clips.
_TIMED_BY = ("dataset", "preset", "ipc", "domain", "duration", "parameterisation", "factor", "network", "objective")
_MEASURED_BY = ("dataset", "data_path", "test_fold", "duration", "feature", "pitch_is_class")


class Earlier(NamedTuple):
    """A finished distillation, and the seconds that each of its phases took."""

    config: DistillConfig
    report: Report
    seconds: dict[str, float]

    def is_like(self, config: DistillConfig) -> bool:
        """Whether a distillation takes about the same time for a step, or measures the same real clips."""
        return all(_kind(getattr(self.config, name)) == _kind(getattr(config, name)) for name in _TIMED_BY)

    def measured(self, wanted: Measurement, config: DistillConfig) -> int:
        """Number of networks of a measurement that were trained here: their predictions are in the cache."""
        depends_on = wanted.depends_on
        fields = DistillConfig.model_fields if depends_on is None else (*_MEASURED_BY, *depends_on)
        line = next((line for line in self.report.evaluations if line.key == wanted.key), None)
        same = line is not None and line.recipe == wanted.recipe.model_dump(mode="json")
        same &= all(getattr(self.config, name) == getattr(config, name) for name in fields)
        return len(line.accuracy.runs) if line and same else 0


def _kind(value: Any) -> Any:
    """The name of a chosen entry, whose settings hardly change its time; any other value itself."""
    return value.name if isinstance(value, Choice) else value


def earlier_runs(runs_path: Path) -> list[Earlier]:
    """The finished distillations, newest first."""
    found: list[Earlier] = []
    for run in all_runs(runs_path):
        with suppress(RunError, OSError):
            changed = tuple((run.path / name).stat().st_mtime_ns for name in ("status.json", "report.json"))
            if (earlier := _earlier(run.path, changed)) is not None:
                found.append(earlier)
    return found


# A form reads hundreds of runs whenever it is drawn.
@lru_cache(maxsize=5_000)
def _earlier(path: Path, _changed: tuple[int, ...]) -> Earlier | None:
    run = Run(path)
    status, config = run.status(), job_of(run)
    if status.state != "done" or not isinstance(config, DistillConfig):
        return None
    report = evaluation_report(run)
    return None if report is None else Earlier(config, report, {**status.seconds, **report.seconds})


def expected_seconds(
    config: DistillConfig, evaluation: EvaluationConfig | None, earlier: Sequence[Earlier]
) -> dict[str, float]:
    """Seconds of each phase in their order, going by the newest run, one that is alike if there is any."""
    ordered = sorted(earlier, key=lambda other: not other.is_like(config))
    expected, classes, clips = dict(_USUAL), _USUAL_CLASSES, _USUAL_CLIPS
    if ordered:
        before, report = ordered[0].config, ordered[0].report
        expected = {phase: ordered[0].seconds.get(phase, usual) for phase, usual in _USUAL.items()}
        work, known = (each.steps * each.ipc * each.factor * each.seconds for each in (config, before))
        expected["distill"] *= work / known
        classes = next((len(line.confusion) for line in report.evaluations), 1)
        clips = report.split.train
    pace = next((other.report.pace for other in ordered if other.report.pace), _USUAL_PACE)
    counts = {"classes": classes, "tracks": classes * config.ipc * config.factor, "clips": clips}
    expected["evaluate"] = 0.0
    for wanted in measurements(evaluation) if evaluation else ():
        missing = wanted.seeds - max((other.measured(wanted, config) for other in earlier), default=0)
        expected["evaluate"] += pace * max(0, missing) * wanted.cost(ipc=config.ipc, **counts)
    return expected if evaluation else {phase: expected[phase] for phase in ("prepare", "distill", "invert")}
