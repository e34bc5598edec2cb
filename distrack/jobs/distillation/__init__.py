"""The distillation: a dataset becomes a synthetic set, which is made audible and evaluated."""

from distrack.jobs.distillation.expected import earlier_runs, expected_seconds
from distrack.jobs.distillation.job import DistillJob, distillation_job

__all__ = ["DistillJob", "distillation_job", "earlier_runs", "expected_seconds"]
