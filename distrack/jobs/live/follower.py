"""The reader's side: the folder of a run here is kept equal to what a store has of it."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pydantic
from pydantic import Field

from distrack.errors import RunError, StoreError
from distrack.files import FULL, digest_of_file, fill_once, replacing, write_atomically
from distrack.jobs.live.sending import (
    FILES_AT_ONCE,
    MOST_STATUS_BYTES,
    PERSONAL,
    QUEUE,
    STOP,
    WORKER,
    Sender,
    is_content_of,
    manifest_there,
    require_same_state,
)
from distrack.progress import unwatched
from distrack.runs import ALIVE, Run, Status
from distrack.store import Store
from distrack.store.contract import ChangedError
from distrack.store.package import STATUS, AbsentError, StoredFile, object_name, read_manifest, write_manifest
from distrack.validation import Record, read_model

# A hidden file in the folder of a run that is followed.
_FOLLOWED = ".followed"
# Seconds between two looks at a run that is worked on, and at one that waits, at least; of many that wait, so many are
# looked at in a second.
_LOOK, _LOOK_AT_WAITING, _WAITING_A_SECOND = 1.0, 3.0, 20.0
# Seconds without another word on a run that waits after which nobody is taken to wait for it.
_WAITING_SILENCE = 150.0
# Attempts to fetch a run that has ended and is not whole yet.
_ATTEMPTS = 5


class _Fetched(Record):
    """What was fetched of a run that is followed.

    Attributes:
        where: the address of the store.
        status: digests of the last status here, and of the one before. A run whose status is another one was worked on
            here since, and is not overwritten.
        files: digests of the other files by their names.
    """

    where: str = ""
    status: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)


class Follower:
    """Keeps the folder of a run equal to what a store has of it, and hands requests to stop on to the store.

    Methods may be called by several threads.

    Attributes:
        run: the run here.
        fetched: bytes that were fetched so far.
        parts: ids of the runs that belong to the run, as far as the store knows them.
        has_ended: whether the run has ended there, and all of it is here.
        is_waiting: whether no process had begun to work on the run at the last look.
        problem: the message of the last look, if it failed.
    """

    def __init__(self, store: Store, run_id: str, runs_path: Path) -> None:
        self.run = Run(runs_path / run_id)
        self.fetched = 0
        self.parts: tuple[str, ...] = ()
        self.has_ended = False
        self.problem = ""
        self._store, self._id = store, run_id
        self._digests = dict(_fetched(self.run, store).files)
        self._was_here = self.run.path.is_dir()
        self._says: Status | None = None
        self.is_waiting = False
        self._looked = float("-inf")
        self._heard = (0.0, 0.0)
        self._forwarded = ""
        self._lock = threading.RLock()

    def is_due(self, waiting: int) -> bool:
        """Whether it is time for another look, where so many runs wait; those are looked at less often."""
        pause = max(_LOOK_AT_WAITING, waiting / _WAITING_A_SECOND) if self.is_waiting else _LOOK
        return not self.has_ended and time.monotonic() - self._looked >= pause

    def look(self, *, with_checkpoint: bool = False) -> Status:
        """Brings the folder up to date, and returns the status of the run.

        A run that has ended gets its last status here when all of its files are here. A status of a worker that is
        silent is `stale`, as for every reader.

        Args:
            with_checkpoint: fetch the state that an interrupted job goes on from, too, while the run is worked on.

        Raises:
            AbsentError: the store does not have the run.
            StoreError: the store cannot be read, or the folder cannot be written.
            RunError: the folder was removed.
        """
        with self._lock, self._writing():
            self._looked = time.monotonic()
            content = self._store.read(self._name(STATUS), MOST_STATUS_BYTES)
            self.is_waiting = content is None
            if content is None:
                status = self._says or self._parsed(self._store.read(self._name(QUEUE), MOST_STATUS_BYTES))
            else:
                status = self._parsed(content)
            is_alive = self.is_waiting or status.state in ALIVE
            bring = partial(self._bring, is_alive=is_alive, with_checkpoint=with_checkpoint)
            if not self.run.path.is_dir():
                self._appear(status, bring)
            elif self.is_waiting:
                self._wait(status)
            else:
                if is_alive:  # before files, which may take a while
                    self._write_status(content or b"")
                if bring(self.run.path) and not is_alive:
                    self._write_status(content or b"")
                    self.has_ended = True
            self._forward_request_to_stop(is_alive=is_alive, status=status)
            return status if self.has_ended else self.run.status()

    def hand_over(self, status: Status) -> None:
        """Writes the run to the store for the process that works on it next, and fetches before what is newer there.

        Args:
            status: its status while it waits.

        Raises:
            RunError: the store has another run of this id, or another state of this run.
            StoreError: the store cannot be read or written.
        """
        with self._lock:
            there = manifest_there(self._store, self.run)
            if there is not None:
                if not (self.run.path / STATUS).exists() or is_followed(self.run, self._store):
                    self.look(with_checkpoint=True)
                else:
                    require_same_state(self._store, self.run, there)
                if self.run.status().state in ALIVE:
                    raise RunError(f"run {self._id} is worked on elsewhere: stop it first")
            sender = Sender(self._store, self.run, there)
            sender.send(last=False)
            self._digests, self.has_ended = sender.digests, False
            self.say(status, publish=True)
            if there is not None:
                self._remove(STATUS, WORKER, STOP)

    def say(self, status: Status, *, publish: bool) -> None:
        """Says here the status of a run that waits, and in the store as well if it is to be published."""
        with self._lock:
            self._says = status
            with self._writing():
                self._write_status(_json(status))
            if publish:
                self._store.write(self._name(QUEUE), _json(status), public=False)

    def settle(self, status: Status) -> None:
        """Says the last status of a run that no process works on any more; a process that still does has to stop."""
        content = _json(status)
        with self._lock:
            with self._writing():
                self._write_status(content)
            self._says = None
            self._remove(WORKER)
            there = read_manifest(self._store, self._id)
            last = StoredFile(name=STATUS, size=len(content), sha256=hashlib.sha256(content).hexdigest())
            files = (*(file for file in there.files if file.name != STATUS), last)
            write_manifest(self._store, there.model_copy(update={"files": files, "in_progress": False}))
            self._store.write(self._name(STATUS), content, public=False)
            self._remove(QUEUE, STOP)

    def was_asked_to_stop(self, status: Status) -> bool:
        """Whether the process that wrote a status was asked to stop, and has ended before it could say so."""
        return self._store.read(self._name(STOP), 100) == str(status.pid).encode()

    def _parsed(self, content: bytes | None) -> Status:
        if content is None:
            raise AbsentError(f"run {self._id} in {self._store.where} is not being worked on")
        try:
            return Status.model_validate_json(content)
        except pydantic.ValidationError as error:
            problem = f"the status of run {self._id} in {self._store.where} is refused"
            raise StoreError(f"{problem}: {error.errors()[0]['msg']}") from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._was_here and not self.run.path.is_dir():
                raise self._removed() from None
            reason = "the disk is full" if error.errno in FULL else error.strerror or str(error)
            raise StoreError(f"cannot write {self.run.path}: {reason}") from None

    def _removed(self) -> RunError:
        return RunError(f"the folder of run {self._id} was removed while it was followed")

    def _appear(self, status: Status, bring: Callable[[Path], bool]) -> None:
        """Makes the folder of the run with all of it."""
        if self._was_here:
            raise self._removed()

        def fill(folder: Path) -> None:
            self._digests = {}
            for _ in range(_ATTEMPTS):
                if bring(folder):
                    break
                time.sleep(_LOOK)
            else:
                raise StoreError(f"run {self._id} in {self._store.where} is being written: try again")
            self._write_status(_json(status), folder)

        if not fill_once(self.run.path, fill):
            raise StoreError(f"run {self._id} was fetched by another process meanwhile: try again")
        self._was_here, self.has_ended = True, status.state not in ALIVE

    def _wait(self, status: Status) -> None:
        """Says here that the run waits, as long as the process that handed it over says so there."""
        if asked := self._store.read(self._name(STOP), 100):
            write_atomically(self.run.stop_request, asked)
        if self._says is not None:
            return
        if status.heartbeat != self._heard[0]:
            self._heard = (status.heartbeat, time.monotonic())
        if time.monotonic() - self._heard[1] < _WAITING_SILENCE:
            self._write_status(_json(status.model_copy(update={"heartbeat": time.time()})))

    def _bring(self, folder: Path, *, is_alive: bool, with_checkpoint: bool) -> bool:
        """Fetches what has changed, removes what is gone, and returns whether the folder has what it should have."""
        manifest = read_manifest(self._store, self._id)
        self.parts = manifest.parts
        wanted = [file for file in manifest.files if file.name != STATUS]
        if is_alive and not with_checkpoint:
            wanted = [file for file in wanted if file.name != self.run.checkpoint.name]
        changed = [file for file in wanted if self._digests.get(file.name) != file.sha256]
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            is_whole = all(list(pool.map(partial(self._fetch, folder), changed)))
        for name in self._digests.keys() - {file.name for file in manifest.files} - PERSONAL:
            (folder / name).unlink(missing_ok=True)
            del self._digests[name]
        return is_alive or (is_whole and not manifest.in_progress)

    def _fetch(self, folder: Path, file: StoredFile) -> bool:
        """Whether a file is here after a fetch; it is not if it is written anew right now."""
        target = folder / file.name
        is_personal = file.name in PERSONAL and target.exists()
        if not is_personal and not is_content_of(file, Run(folder)):
            for place in reversed(target.relative_to(folder).parents[:-1]):  # a removed folder is not made again
                (folder / place).mkdir(exist_ok=True)
            try:
                with replacing(target) as part:
                    self._store.get(self._name(file.name), part, file.size, progress=unwatched)
                    if not file.is_content_of(part):
                        raise ChangedError(f"{file.name} of run {self._id} in {self._store.where} has changed")
            except ChangedError:
                return False
            self.fetched += file.size
        self._digests[file.name] = file.sha256
        return True

    def _write_status(self, content: bytes, folder: Path | None = None) -> None:
        folder = folder or self.run.path
        target, digest = folder / STATUS, hashlib.sha256(content).hexdigest()
        before = [digest_of_file(target)] if target.exists() else []
        if before != [digest]:
            fetched = _Fetched(where=self._store.where, status=(*before, digest), files=self._digests)
            write_atomically(folder / _FOLLOWED, fetched.model_dump_json())
            write_atomically(target, content)

    def _forward_request_to_stop(self, *, is_alive: bool, status: Status) -> None:
        with contextlib.suppress(FileNotFoundError):
            asked = self.run.stop_request.read_text()
            if not is_alive:
                self.run.stop_request.unlink()
            elif asked != self._forwarded and asked == str(status.pid):
                self._store.write(self._name(STOP), asked.encode(), public=False)
                self._forwarded = asked

    def _remove(self, *names: str) -> None:
        for name in names:
            self._store.remove(self._name(name))

    def _name(self, file: str) -> str:
        return object_name(self._id, file)


def is_followed(run: Run, store: Store | None = None) -> bool:
    """Whether a run here is as it was fetched, from that store or from any: nobody has worked on it here since."""
    return bool(_fetched(run, store).status)


def _fetched(run: Run, store: Store | None) -> _Fetched:
    """What was fetched of a run, if nobody has worked on it here since."""
    fetched = read_model(run.path / _FOLLOWED, _Fetched)
    with contextlib.suppress(OSError):
        if (
            fetched is not None
            and (store is None or fetched.where == store.where)
            and digest_of_file(run.path / STATUS) in fetched.status
        ):
            return fetched
    return _Fetched()


def _json(status: Status) -> bytes:
    return status.model_dump_json(indent=2).encode()
