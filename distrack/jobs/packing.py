"""Prepared datasets in a store: the decoded clips of a dataset, packed, pushed and pulled like a run."""

import contextlib
import os
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
    """The id of a dataset in a store: that of its preparation, in which each folder of one's own has another digest."""
    return f"{FOLDER}/{place(name, data_path).path.name}"


def is_dataset(stored: str) -> bool:
    """Whether an id in a store is that of a dataset."""
    return stored.startswith(f"{FOLDER}/")


def dataset_place(dataset: str) -> Path:
    """The folder on this computer of a dataset in a store, by its id."""
    name, data_path = dataset.removeprefix(f"{FOLDER}/"), settings().data_path
    if _is_named(name):
        return DATASETS[name].places(data_path)[0]
    return data_path / "uploads" / name


def _is_named(name: str) -> bool:
    """Whether a dataset in a store is one of the library, and not a folder of somebody's own."""
    return name.upper() in DATASETS and not DATASETS[name].own_layout


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
    job = None if preparation_report(run) is None else job_of(run)
    if not isinstance(job, Preparation) or job.duration is None:
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
    root = home(DATASETS[name], None) if _is_named(name) else folder
    if not root.is_dir():
        return pull(store, manifest, folder, progress=progress)
    with contextlib.suppress(OSError):
        if all(file.is_content_of(root / file.name) for file in manifest.files):
            return 0
    raise StoreError(
        f"the dataset is on this computer already, in {root}, with other files. Rename that folder to fetch it"
    )


def fetch_absent(store: Store, name: str, *, progress: DetailedProgress) -> None:
    """Fetches a dataset of the library, if it is not on this computer and a store has it.

    Raises:
        StoreError: the dataset cannot be fetched.
    """
    if _is_named(name) and DATASETS[name].make is None and not home(DATASETS[name], None).is_dir():
        run_id = dataset_id(name, None)
        with contextlib.suppress(AbsentError):
            pull_dataset(store, read_manifest(store, run_id), dataset_place(run_id), progress=progress)
