"""Prepared datasets in a store: the decoded clips of a dataset, packed, pushed and pulled like a run."""

import contextlib
import os
import re
import shlex
import shutil
from pathlib import Path

from distrack.datasets import DATASETS, home
from distrack.datasets.library import pack_prepared
from distrack.errors import ConfigError, RunError, StoreError
from distrack.files import fill_once
from distrack.jobs.contract import job_of
from distrack.jobs.preparation import Preparation, place, preparation_report
from distrack.progress import DetailedProgress
from distrack.settings import settings, user_path
from distrack.store import Manifest, Store, pull, push, read_manifest
from distrack.store.package import AbsentError, StoredFile

# Folder of the ids of datasets in a store.
FOLDER = "_datasets"
_OWN = "folder-"


def dataset_of(word: str) -> tuple[str, Path | None] | None:
    """The dataset that a word of a command means: the name of one, or the path of a folder of one's own recordings.

    Returns:
        its name, and its folder if that is not the usual one; None if the word means no dataset
    """
    try:
        return DATASETS.name(word), None
    except ConfigError:
        return ("FOLDER", user_path(word)) if os.sep in word and user_path(word).is_dir() else None


def dataset_id(name: str, data_path: Path | None) -> str:
    """The id of a dataset in a store: that of a folder of one's own has the folder's name."""
    own = re.sub(r"[^A-Za-z0-9]+", "-", data_path.name).strip("-")[:80] if data_path else ""
    return f"{FOLDER}/{_OWN}{own}" if name == "FOLDER" else f"{FOLDER}/{name.lower()}"


def is_dataset(stored: str) -> bool:
    """Whether an id in a store is that of a dataset."""
    return stored.startswith(f"{FOLDER}/")


def dataset_place(dataset: str) -> Path:
    """The folder on this computer of a dataset in a store, by its id."""
    name = dataset.removeprefix(f"{FOLDER}/")
    if name.startswith(_OWN):
        return settings().data_path / "uploads" / name.removeprefix(_OWN)
    return DATASETS[name].places(settings().data_path)[0]


def push_dataset(
    store: Store, name: str, data_path: Path | None, *, public: bool, progress: DetailedProgress
) -> tuple[Manifest, int]:
    """Packs a dataset that was prepared here, and pushes it.

    Returns:
        the manifest, and the number of bytes that were sent

    Raises:
        RunError: the dataset was not prepared here.
        DatasetError: it changed since, or the disk is full.
        StoreError: the store cannot be written.
    """
    run = place(name, data_path)
    report, job = preparation_report(run), None
    if report is not None:
        job = job_of(run)
    if report is None or not isinstance(job, Preparation) or job.duration is None:
        where = "" if data_path is None else f" --data-path {shlex.quote(str(data_path))}"
        remedy = f"python -m distrack prepare --dataset {name}{where}"
        raise RunError(f"dataset {data_path or name} was not prepared here", remedy=remedy)
    seconds, layout = job.duration, job.layout
    title = f"{data_path.name if data_path else DATASETS.short_title(name)}, clips of {seconds:g} s"
    run_id = dataset_id(name, data_path)

    def described(files: tuple[StoredFile, ...]) -> Manifest:
        return Manifest(id=run_id, kind=Preparation.kind, title=title, files=files)

    def packing(done: int, total: int) -> None:
        progress(done, total, "packing")

    folder = settings().cache_path / "packed" / run_id.removeprefix(f"{FOLDER}/")
    try:
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier push that was interrupted
        fill_once(
            folder,
            lambda part: pack_prepared(name, data_path, part, seconds=seconds, layout=layout, progress=packing),
        )
        return push(store, folder, described, public=public, progress=progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pull_dataset(store: Store, manifest: Manifest, folder: Path, *, progress: DetailedProgress) -> int:
    """Fetches a packed dataset into a folder; returns the number of bytes that were fetched, 0 if it is here already.

    Raises:
        StoreError: the dataset is here with other files, or cannot be fetched; see `distrack.store.pull`.
    """
    name = manifest.id.removeprefix(f"{FOLDER}/")
    root = folder if name.startswith(_OWN) else home(DATASETS[name], None)
    if not root.is_dir():
        return pull(store, manifest, folder, progress=progress)
    with contextlib.suppress(OSError):
        if all(file.is_content_of(root / file.name) for file in manifest.files):
            return 0
    raise StoreError(
        f"the dataset is on this computer already, in {root}, with other files. Rename that folder to fetch it"
    )


def fetch_absent(store: Store, name: str, data_path: Path | None, *, progress: DetailedProgress) -> None:
    """Fetches the dataset of a job, if it is not on this computer and a store has it.

    Raises:
        StoreError: the dataset cannot be fetched.
    """
    if DATASETS[name].make is None and not home(DATASETS[name], data_path).is_dir():
        run_id = dataset_id(name, data_path)
        with contextlib.suppress(AbsentError):
            pull_dataset(store, read_manifest(store, run_id), data_path or dataset_place(run_id), progress=progress)
