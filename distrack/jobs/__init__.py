"""Jobs: everything that can be run. One file or folder a kind, which is imported when the kind is looked up."""

from distrack.jobs.contract import (
    JOBS,
    Job,
    all_runs,
    as_json,
    find,
    from_json,
    job_of,
    kind_of,
    report_of,
    runs_path_of,
    shell_text,
)
from distrack.jobs.control import launch, resume, stop, work

JOBS.found_in(__name__, __path__)

__all__ = [
    "JOBS",
    "Job",
    "all_runs",
    "as_json",
    "find",
    "from_json",
    "job_of",
    "kind_of",
    "launch",
    "report_of",
    "resume",
    "runs_path_of",
    "shell_text",
    "stop",
    "work",
]
