"""What an export keeps private: the path to the dataset on this machine."""

from pathlib import Path

from distrack.jobs.distillation import DistillJob

# Stands for the path in a command that a reader repeats.
PLACEHOLDER = Path("FOLDER")


def without_path(job: DistillJob, replacement: Path | None) -> DistillJob:
    """The job with a replacement for the path to its dataset, if it has one."""
    return job if job.data_path is None else job.model_copy(update={"data_path": replacement})
