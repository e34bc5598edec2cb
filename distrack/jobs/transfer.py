"""Pushing runs to a store and pulling them from one: trained models, distillations and whole series alike."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from distrack.errors import RunError, StoreError
from distrack.files import files_text, size_text
from distrack.jobs.contract import JOBS, Job, Table, as_json, find, job_of, register
from distrack.jobs.live import follow, is_followed
from distrack.jobs.packing import FOLDER as DATASETS_FOLDER
from distrack.jobs.packing import dataset_id, dataset_of, dataset_place, is_dataset, pull_dataset, push_dataset
from distrack.jobs.stored import manifest_of, stored_id
from distrack.progress import DetailedProgress, Watch, unwatched
from distrack.runs import ALIVE, Run, Session, Status
from distrack.store import Manifest, Store, open_store, pull, push, read_manifest
from distrack.store.package import AbsentError, ManifestError
from distrack.validation import Positional, Record

# Folder below the runs path that holds the state of transfers, one for each run and direction.
FOLDER = "_transfers"


class Transferred(Record):
    """`report.json` of a transfer.

    Attributes:
        where: the address of the store.
        runs: ids of the runs that are there and here now: the one that was named, and those that belong to it.
        folder: where a dataset lies that was fetched.
        files, size: number of their files, and their bytes.
        moved: bytes that were sent or fetched; the others were there before.
    """

    where: str
    runs: tuple[str, ...]
    folder: str = ""
    files: int
    size: int
    moved: int


class Transfer(Job):
    """What both directions have in common.

    Attributes:
        done: what was done, before the address of the store.
    """

    done: ClassVar[str]

    report_type: ClassVar[type[Transferred]] = Transferred
    has_own_folder: ClassVar[bool] = False

    run: Annotated[str, Positional("RUN", many=True)]
    """Id of a run of any kind, or a dataset: its name, or the path of a folder."""
    store: Annotated[str | None, Field(title="Store")] = None
    """Address of the store: s3://BUCKET/PREFIX, or a folder; S3_BUCKET where it is not given."""

    def queue(self, run: Run) -> str:
        return f"{self.kind}-{run.id}"  # transfers do not wait for each other

    def open(self, runs_path: Path, name: str | None = None, *, watch: Watch = unwatched) -> Run:  # noqa: ARG002
        """The folder of this transfer, with the config of this one."""
        run = place_of(self, runs_path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot write in {runs_path}: {error.strerror or error}") from None
        run.write("config.json", as_json(self))
        return run

    def check(self) -> None:
        """Refuses an address that is not one of a store."""
        open_store(self.store)

    def worth_keeping(self, run: Run) -> bool:  # noqa: ARG002
        return True

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:  # noqa: ARG003
        what = f"{files_text(report.files)}, {size_text(report.size)}, of these {size_text(report.moved)} now"
        into = f" into {report.folder}" * bool(report.folder)
        return [Table(f"{', '.join(report.runs)} {cls.done} {report.where}{into}: {what}", (), ())]


@register
class PushJob(Transfer):
    """Copies runs to a store, from which anybody who may read it pulls them: a trained model, a distillation, a series.

    A dataset that was prepared here is copied with its decoded clips, which are recordings: mind its licence.

    Safetensors, JSON and FLAC files are copied, and a manifest with their digests; real recordings and answers of
    listeners stay. A run's config and status name folders of this machine. What is there already is not sent again, so
    that the same command goes on after a break.
    """

    kind: ClassVar[str] = "push"
    verb: ClassVar[str] = "push"
    summary: ClassVar[str] = "Copies runs and trained models to a bucket or a folder."
    done: ClassVar[str] = "pushed to"

    public: bool = False
    """Let everybody read the files, where the bucket allows it."""

    def work(self, run: Run, session: Session) -> Transferred:
        """Pushes the run, and first the runs that belong to it.

        Raises:
            RunError: there is no such run, or it is running.
            StoreError: the store cannot be written.
        """
        store = open_store(self.store)
        try:
            named = find(runs_path_of_transfer(run), self.run)
        except RunError:
            if (dataset := dataset_of(self.run)) is None:
                raise
            session.phase("push")
            manifest, sent = push_dataset(store, *dataset, public=self.public, progress=_report(session))
            return _written(run, store, [manifest], sent)
        every = [*job_of(named).belonging(named), named]
        session.phase("push")
        made, moved = [], 0
        for each in every:
            if each.status().state in ALIVE:
                raise RunError(f"run {each.id} is running: push it when it is done")
            described, stays = partial(manifest_of, each), job_of(each).stays
            manifest, sent = push(
                store, each.path, described, public=self.public, progress=_report(session), stays=stays
            )
            made.append(manifest)
            moved += sent
        return _written(run, store, made, moved)


@register
class PullJob(Transfer):
    """Fetches runs from a store, with the runs that belong to them, and checks the size and digest of every file.

    A run is here when all of it is. One that is worked on right now is here at once, and follows what is done there
    until it has ended; to stop it here stops it there. Only safetensors, JSON, FLAC and log files are fetched, and
    nothing of them is executed.
    """

    kind: ClassVar[str] = "pull"
    verb: ClassVar[str] = "pull"
    summary: ClassVar[str] = "Fetches runs and trained models from a bucket or a folder."
    done: ClassVar[str] = "pulled from"

    def work(self, run: Run, session: Session) -> Transferred:
        """Pulls the run, and first the runs that belong to it.

        Raises:
            StoreError: the store does not have the run or cannot be read, a file is not what was pushed, or another run
                of this id is here.
        """
        store, runs_path = open_store(self.store), runs_path_of_transfer(run)
        session.phase("pull")
        named = _of_any_kind(store, self.run)
        allow = partial(_require_places, store)
        if is_dataset(named.id):
            folder = place_here(named.id, runs_path)
            fetched = pull_dataset(store, named, folder, progress=_report(session))
            return _written(run, store, [named], fetched, folder)
        allow((named.id,))
        if named.in_progress or is_followed(Run(runs_path / named.id)):
            session.phase("watch")
            followers = follow(store, named.id, runs_path, allow=allow, watch=partial(_progress_there, session))
            made = [read_manifest(store, stored_id(each.run)) for each in followers]
            return _written(run, store, made, sum(each.fetched for each in followers))
        allow(named.parts)
        made, moved = [], 0
        for manifest in (*(read_manifest(store, part) for part in named.parts), named):
            folder = place_here(manifest.id, runs_path)
            try:
                folder.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RunError(f"cannot write in {runs_path}: {error.strerror or error}") from None
            moved += pull(store, manifest, folder, progress=_report(session))
            made.append(manifest)
        return _written(run, store, made, moved)


def place_of(job: Transfer, runs_path: Path) -> Run:
    """The folder that holds the state of a transfer."""
    return Run(runs_path / FOLDER / f"{job.verb}-{re.sub(r'[^A-Za-z0-9._-]+', '-', job.run)[:80]}")


def place_here(stored: str, runs_path: Path) -> Path:
    """The folder on this computer of a run or a dataset in a store, by its id there."""
    return dataset_place(stored) if is_dataset(stored) else runs_path / stored


def runs_path_of_transfer(run: Run) -> Path:
    """The runs path that a transfer belongs to."""
    return run.path.parent.parent


def _require_places(store: Store, run_ids: Sequence[str]) -> None:
    folders = {JOBS[kind].folder for kind in JOBS}
    for each in run_ids:
        if each.rpartition("/")[0] not in folders:
            raise ManifestError(f"{each} in {store.where} is refused: no kind of run has that folder")


def _progress_there(session: Session, status: Status) -> None:
    """Reports the progress of a run that is worked on elsewhere."""
    session.progress(round(100 * status.share), 100, status.phase or status.state)


def _of_any_kind(store: Store, run_id: str) -> Manifest:
    """The manifest of a run, whose kind may have a folder of its own that nobody types."""
    folders = {""} if "/" in run_id else {DATASETS_FOLDER, *(JOBS[kind].folder for kind in JOBS)}
    ids = [f"{folder}/{run_id}" if folder else run_id for folder in sorted(folders)]
    if (dataset := dataset_of(run_id)) is not None:
        ids.append(dataset_id(*dataset))
    refused: StoreError | None = None
    for each in ids:
        try:
            return read_manifest(store, each)
        except ManifestError:
            raise
        except StoreError as error:
            # Without the right to list, a bucket refuses what is not there.
            refused = refused or error
    raise refused or AbsentError(f"there is no run {run_id} in {store.where}")


def _report(session: Session) -> DetailedProgress:
    def progress(done: int, total: int, _name: str) -> None:
        session.progress(done, max(total, 1), size_text(total))

    return progress


def _written(run: Run, store: Store, made: list[Manifest], moved: int, folder: Path | None = None) -> Transferred:
    report = Transferred(
        where=store.where,
        folder="" if folder is None else str(folder),
        runs=tuple(manifest.id for manifest in made),
        files=sum(len(manifest.files) for manifest in made),
        size=sum(manifest.size for manifest in made),
        moved=moved,
    )
    run.write("report.json", report.model_dump_json(indent=2))
    return report
