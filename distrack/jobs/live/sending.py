"""Sending of a run's files to a store, and what must not be overwritten there."""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydantic

from distrack.errors import RunError, StoreError
from distrack.jobs.contract import job_of
from distrack.jobs.stored import manifest_of, stored_id
from distrack.progress import unwatched
from distrack.runs import Run
from distrack.store import Manifest, Store
from distrack.store.package import (
    LOG,
    STATUS,
    AbsentError,
    StoredFile,
    object_name,
    paths_of,
    read_manifest,
    stored_file,
    write_manifest,
)

QUEUE, WORKER, STOP = "queue", "worker", "stop"
MOST_STATUS_BYTES = 1_000_000
# Files of a run that people change.
PERSONAL = frozenset({"notes.json", "edits.json"})
# Files that are sent or fetched at once, where each is an answer to be waited for.
FILES_AT_ONCE = 8


class Sender:
    """Sends the files of a run to a store, each again only when it has changed.

    Args:
        there: what the store has of the run already.
        may_send: asked before each file; what it returns ends the sending if it is false.
    """

    def __init__(
        self, store: Store, run: Run, there: Manifest | None, *, may_send: Callable[[], bool] = lambda: True
    ) -> None:
        self._store, self._run, self._may_send = store, run, may_send
        self._id, self._stays = stored_id(run), job_of(run).stays
        self._there = {file.name: file for file in there.files} if there else {}
        self._sent: dict[str, tuple[tuple[int, int], StoredFile]] = {}
        self._manifest: Manifest | None = None

    @property
    def digests(self) -> dict[str, str]:
        """Digests of the files that the store has, by name."""
        return {name: file.sha256 for name, (_, file) in self._sent.items()}

    def send(self, *, last: bool, verify: bool = False, is_owner: Callable[[], bool] = lambda: True) -> None:
        """Sends what has changed, and then the manifest.

        Args:
            last: the work has ended: the manifest says so, and names the status, too.
            verify: send what the store has with another content than was sent.
            is_owner: asked just before the manifest, which is not written if it says no.

        Raises:
            StoreError: the store cannot be written, or a file cannot be read.
        """
        try:
            paths = [(name, path) for name, path in paths_of(self._run.path, self._stays) if last or name != STATUS]
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror or error}") from None
        paths.append((LOG, self._run.path / LOG))
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            found = pool.map(lambda named: self._file(*named, verify=verify), paths)
        files = tuple(file for file in found if file is not None)
        if not self._may_send():
            return
        try:
            manifest = manifest_of(self._run, files).model_copy(update={"in_progress": not last})
        except pydantic.ValidationError as error:
            raise StoreError(f"run {self._run.id} cannot be sent: {error.errors()[0]['msg']}") from None
        if manifest != self._manifest and is_owner():
            write_manifest(self._store, manifest)
            self._manifest = manifest
        for name in self._sent.keys() - {file.name for file in files}:
            self._store.remove(object_name(self._id, name))
            del self._sent[name]

    def _file(self, name: str, path: Path, *, verify: bool) -> StoredFile | None:
        """The description of a file as the store has it, which gets it if it has changed; None if it is gone."""
        if not self._may_send():
            return None
        try:
            stat = path.stat()
            key, before = (stat.st_mtime_ns, stat.st_size), self._sent.get(name)
            if before is not None and before[0] == key and not verify:
                return before[1]
            with tempfile.TemporaryDirectory(prefix="distrack-") as folder:
                copy = Path(folder) / "copy"  # its writer may replace it or add to it meanwhile
                shutil.copyfile(path, copy)
                file = stored_file(name, copy)
                there = self._there.get(name) if before is None else before[1]
                target = object_name(self._id, name)
                if there != file or (verify and not self._store.holds(target, file.size, file.sha256)):
                    self._store.put(copy, target, file.sha256, public=False, progress=unwatched)
        except FileNotFoundError:
            return None
        except pydantic.ValidationError as error:
            raise StoreError(f"run {self._run.id} cannot be sent: {error.errors()[0]['msg']}") from None
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror or error}") from None
        self._sent[name] = (key, file)
        return file


def manifest_there(store: Store, run: Run) -> Manifest | None:
    """The manifest of a run in a store; None if the store does not have the run.

    Raises:
        RunError: the store has another run of this id.
        StoreError: the store cannot be read.
    """
    try:
        there = read_manifest(store, stored_id(run))
    except AbsentError:
        return None
    config = next((file for file in there.files if file.name == "config.json"), None)
    if config is None or not is_content_of(config, run):
        problem = f"{store.where} has another run {run.id} with other settings"
        raise RunError(problem, remedy="choose another --name, or another --live-store")
    return there


def require_same_state(store: Store, run: Run, there: Manifest) -> None:
    """Refuses to go on with a run here if its work went on elsewhere, and has ended there.

    Raises:
        RunError: says what to do.
    """
    changing = {STATUS, LOG, *PERSONAL}
    if not there.in_progress and not all(is_content_of(file, run) for file in there.files if file.name not in changing):
        raise RunError(
            f"{store.where} has another state of run {run.id}. To go on from there, delete it here and pull it; to go "
            f"on from here, push it first"
        )


def is_content_of(file: StoredFile, run: Run) -> bool:
    """Whether the file of this name of a run here has this content."""
    try:
        return file.is_content_of(run.path / file.name)
    except OSError:
        return False
