"""The storage and the time that a distillation will take, as text, before it is launched."""

from collections.abc import Sequence

from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.jobs.distillation import DistillJob, earlier_runs, expected_seconds
from distrack.ui.shared.progress import spoken
from distrack.ui.shared.run_in_view import runs_path

# Classes that share what a parameterisation stores for all of them, about: a form does not know how many there are.
_CLASSES = 10


def storage_text(job: DistillJob) -> str:
    """Tracks and stored floats per class."""
    tracks, budget = job.ipc * job.factor, job.plan(1).budget
    floats = job.form(_CLASSES).floats(tracks)
    count = f"**{tracks} track{'s' * (tracks > 1)} per class**"
    if tracks == job.ipc:
        return f"{count} ({floats:,} floats)."
    stored = PARAMETERISATIONS[job.parameterisation.name].summary
    return f"{count}, stored in the space of {job.ipc} ({floats:,} of {budget:,} floats: {stored})."


def time_text(distillations: Sequence[DistillJob], *, times: int = 1) -> str:
    """How long these distillations take, each done so many times, going by earlier runs that are like them."""
    earlier = earlier_runs(runs_path())
    like = [job for job in distillations if any(other.is_like(job) for other in earlier)]
    if not like:
        return "Time unknown until the first run finishes."
    seconds = sum(sum(expected_seconds(job, job.evaluation, earlier).values()) for job in like)
    seconds *= len(distillations) / len(like) * times
    return f"About {spoken(seconds)} (from {'similar runs' if len(like) > 1 else 'a similar run'})."
