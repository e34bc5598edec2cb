"""The storage and the time that a distillation will take, as text, before it is launched."""

from collections.abc import Sequence

from distrack import jobs
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import evaluation_report
from distrack.ui.shared.progress import spoken
from distrack.ui.shared.run_in_view import job_of, runs_path

# Runs that are alike in these take about the same time for a step.
_TIMED_BY = ("dataset", "preset", "ipc", "domain", "duration", "parameterisation", "factor", "network", "objective")


def storage_text(job: DistillJob) -> str:
    """Tracks and stored floats per class."""
    tracks, budget, floats = job.ipc * job.factor, job.plan(1).budget, job.form(1).floats(job.ipc * job.factor)
    count = f"**{tracks} track{'s' * (tracks > 1)} per class**"
    if tracks == job.ipc:
        return f"{count} ({floats:,} floats)."
    stored = PARAMETERISATIONS[job.parameterisation.name].summary
    return f"{count}, stored in the space of {job.ipc} ({floats:,} of {budget:,} floats: {stored})."


def time_text(distillations: Sequence[DistillJob], *, times: int = 1) -> str:
    """How long these distillations take, each done so many times, going by earlier runs that are like them."""
    known = [seconds for job in distillations if (seconds := expected_seconds(job)) is not None]
    if not known:
        return "Time unknown until the first run finishes."
    seconds = sum(known) / len(known) * len(distillations) * times
    return f"About {spoken(seconds)} (from {'similar runs' if len(known) > 1 else 'a similar run'})."


def expected_seconds(job: DistillJob) -> float | None:
    """Wall time of the newest finished run most like this one, scaled to its steps; None if there is none."""
    for run in jobs.all_runs(runs_path(), "distillation"):
        report, other = evaluation_report(run), job_of(run, DistillJob)
        if report is None or other is None or run.status().state != "done":
            continue
        if all(getattr(other, name) == getattr(job, name) for name in _TIMED_BY):
            distilling = report.seconds.get("distill", 0.0) * job.steps / other.steps
            return distilling + sum(spent for phase, spent in report.seconds.items() if phase != "distill")
    return None
