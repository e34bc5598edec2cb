"""How a run is named and described in a store."""

from distrack.jobs.contract import job_of, runs_path_of, title_of
from distrack.runs import Run
from distrack.store import Manifest
from distrack.store.package import StoredFile


def stored_id(run: Run) -> str:
    """The id of a run in a store: with the folder of its kind, if that has one."""
    return run.path.relative_to(runs_path_of(run)).as_posix()


def manifest_of(run: Run, files: tuple[StoredFile, ...]) -> Manifest:
    """The manifest of a run with these files, and with the ids of the runs that belong to it."""
    job = job_of(run)
    parts = tuple(stored_id(each) for each in job.belonging(run))
    title = " ".join(title_of(run).split())[:500]
    return Manifest(id=stored_id(run), kind=job.kind, title=title, files=files, parts=parts)
