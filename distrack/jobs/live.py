"""A run in a store while it is worked on: the process that works on it writes it there, others follow it from there.

The objects of a run are those that a push leaves, and while it is worked on four more:

- `status.json`, written by the worker every two seconds.
- `queue`: the status of a run that waits for a worker, from the process that handed it over.
- `worker`: a token of the process that may write. Whoever takes a run over writes another one.
- `stop`: the number of the process that is asked to stop.
"""

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydantic
from pydantic import Field

from distrack.errors import DistrackError, RunError, StoreError
from distrack.files import FULL, digest_of_file, replacing, write_atomically
from distrack.jobs.contract import job_of
from distrack.jobs.stored import manifest_of, stored_id
from distrack.progress import unwatched
from distrack.runs import ALIVE, Run, Status
from distrack.store import Manifest, Store, open_store
from distrack.store.contract import ChangedError
from distrack.store.package import (
    LOG,
    MANIFEST,
    STATUS,
    AbsentError,
    StoredFile,
    object_name,
    paths_of,
    read_manifest,
    stored_file,
)
from distrack.validation import Record, read_model

log = logging.getLogger(__name__)

_QUEUE, _WORKER, _STOP = "queue", "worker", "stop"
# Seconds between two looks at the folder; between two looks at the store; and at a run there that waits.
_PERIOD, _LOOK, _LOOK_AT_WAITING = 2.0, 1.0, 3.0
# Files that are sent or fetched at once, where each is an answer to be waited for.
_AT_ONCE = 8
# Pauses before further attempts to write the last state of a run, in seconds.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
# Seconds of silence after which nobody follows a run any longer.
_PATIENCE = 60.0
_MOST_STATUS_BYTES = 1_000_000
# A hidden file in the folder of a run that is followed: what was fetched.
_FOLLOWED = ".followed"


class _Fetched(Record):
    """What was fetched of a run that is followed.

    Attributes:
        status: digests of the last status, and of the one before. A run here whose status is another one was worked on
            here since, and is not overwritten.
        files: digests of the other files by their names.
    """

    status: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)


class Mirror:
    """Writes the folder of a run to a store while this process works on it; `mirrored` makes one.

    Two threads write: one the status, about once a second, however long a large file takes the other.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store, self._run = store, run
        self._id, self._stays = stored_id(run), job_of(run).stays
        self._token = secrets.token_hex(8)
        self._sent: dict[str, tuple[tuple[int, int], StoredFile]] = {}
        self._manifest: Manifest | None = None
        self._is_taken = False
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Takes the run over, whoever wrote it before, and starts to write.

        Raises:
            RunError: the store has another run of this id.
            StoreError: the store cannot be written.
        """
        with contextlib.suppress(AbsentError):
            require_same_config(self._store, self._run)
        self._store.write(self._name(_WORKER), self._token.encode(), public=False)
        self._store.remove(self._name(_STOP))
        self.send()
        self.beat()
        for target in (self.beat, self.send):
            self._threads.append(threading.Thread(target=self._repeat, args=(target,), name="mirror", daemon=True))
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Writes the last state of the run, if `begin` was called and nobody has taken the run over since.

        Raises:
            StoreError: the store cannot be written, after attempts of half a minute.
        """
        self._ended.set()
        for thread in self._threads:
            thread.join()
        if not self._threads or self._is_taken:
            return
        for pause in (*_PAUSES, None):
            try:
                self._write_last()
                return
            except StoreError:
                if pause is None:
                    raise
                time.sleep(pause)

    def _write_last(self) -> None:
        if self._requires_owner():
            self.send(last=True)
            self._write_status()
            for name in (_QUEUE, _STOP, _WORKER):
                self._store.remove(self._name(name))

    def beat(self) -> None:
        """Writes the status, and hands a request to stop on to this process."""
        if not self._requires_owner():
            return
        self._write_status()
        if asked := self._store.read(self._name(_STOP), 100):
            self._run.write(self._run.stop_request.name, asked)

    def _write_status(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            content = (self._run.path / STATUS).read_bytes()
            self._store.write(self._name(STATUS), content, public=False)

    def _requires_owner(self) -> bool:
        """Whether this process may still write; if another has taken the run over, this one stops its work."""
        owner = self._store.read(self._name(_WORKER), 100)
        if owner != self._token.encode() and not self._is_taken:
            self._is_taken = True
            log.warning("another process has taken run %s over in %s: this one stops", self._id, self._store.where)
            self._run.write(self._run.stop_request.name, str(os.getpid()))
        return not self._is_taken

    def send(self, *, last: bool = False) -> None:
        """Writes the files that have changed since, and then the manifest.

        Args:
            last: the work has ended: the manifest says so, and names the status, too.
        """
        if self._is_taken:
            return
        paths = [(name, path) for name, path in paths_of(self._run.path, self._stays) if last or name != STATUS]
        paths.append((LOG, self._run.path / LOG))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            sent = pool.map(self._sent_file, *zip(*paths, strict=True))
        files = [file for file in sent if file is not None]
        manifest = manifest_of(self._run, tuple(files)).model_copy(update={"in_progress": not last})
        if manifest != self._manifest:
            content = manifest.model_dump_json(indent=1).encode()
            self._store.write(self._name(MANIFEST), content, public=False)
            self._manifest = manifest
        for name in self._sent.keys() - {file.name for file in files}:
            self._store.remove(self._name(name))
            del self._sent[name]

    def _sent_file(self, name: str, path: Path) -> StoredFile | None:
        """The description of a file as the store has it, which gets it if it has changed; None if it is gone."""
        try:
            stat = path.stat()
            key = (stat.st_mtime_ns, stat.st_size)
            before = self._sent.get(name)
            if before is not None and before[0] == key:
                return before[1]
            with tempfile.TemporaryDirectory(prefix="distrack-") as folder:
                copy = Path(folder) / "copy"  # its writer may replace it or add to it meanwhile
                shutil.copyfile(path, copy)
                file = stored_file(name, copy)
                is_there = before is not None and before[1] == file
                if self._manifest is None:  # another process may have sent it
                    is_there = self._store.holds(self._name(name), file.size, file.sha256)
                if not is_there:
                    self._store.put(copy, self._name(name), file.sha256, public=False, progress=unwatched)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror or error}") from None
        self._sent[name] = (key, file)
        return file

    def _repeat(self, target: Callable[[], None]) -> None:
        problem = ""
        while not self._ended.wait(_PERIOD):
            try:
                target()
                problem = ""
            except (DistrackError, pydantic.ValidationError) as error:
                if str(error) != problem:
                    problem = str(error)
                    log.warning("the store lags behind: %s", problem)

    def _name(self, file: str) -> str:
        return object_name(self._id, file)


@contextlib.contextmanager
def mirrored(run: Run, address: str | None) -> Iterator[Mirror | None]:
    """Yields what writes a run to the store at an address once its `begin` is called; None without an address.

    The end of the block writes the last state.

    Raises:
        StoreError: the store cannot be written.
    """
    if not address:
        yield None
        return
    mirror = Mirror(open_store(address), run)
    try:
        yield mirror
    except BaseException:
        try:
            mirror.end()
        except StoreError as error:
            log.warning("the store lacks the last state of run %s: %s", run.id, error)
        raise
    try:
        mirror.end()
    except StoreError as error:
        problem = f"run {run.id} is done, but {address} lacks its last state: {error.problem}"
        raise StoreError(problem, remedy=f"python -m distrack push {run.id} --store {address}") from None


class Follower:
    """Keeps the folder of a run equal to what a store has of it, and hands requests to stop on to the store.

    Methods may be called by several threads.

    Attributes:
        run: the run here.
        fetched: bytes that were fetched so far.
        parts: ids of the runs that belong to the run, as far as the store knows them.
    """

    def __init__(self, store: Store, run_id: str, runs_path: Path) -> None:
        self.run = Run(runs_path / run_id)
        self.fetched = 0
        self.parts: tuple[str, ...] = ()
        self._waits_since = 0.0
        self._says: bytes | None = None
        self._store, self._id = store, run_id
        self._digests = _fetched(self.run).files
        self._is_begun = False
        self._forwarded = ""
        self._lock = threading.RLock()

    @property
    def is_due(self) -> bool:
        """Whether it is time for another look: a run that waits is looked at less often."""
        return time.monotonic() - self._waits_since > _LOOK_AT_WAITING

    def look(self) -> Status:
        """Brings the folder up to date, and returns the status that the run has here now.

        A run that has ended gets its last status when all of its files are here.

        Raises:
            AbsentError: the store has no such run.
            StoreError: the store cannot be read, or the folder cannot be written.
            RunError: the folder was removed.
        """
        with self._lock:
            content = self._store.read(self._name(STATUS), _MOST_STATUS_BYTES)
            has_worker = content is not None
            self._waits_since = 0.0 if has_worker else time.monotonic()
            if content is None:  # what this process itself says of the run while it waits need not be read
                content = self._says or self._store.read(self._name(_QUEUE), _MOST_STATUS_BYTES)
            if content is None:
                raise AbsentError(f"run {self._id} in {self._store.where} is not being worked on")
            try:
                status = Status.model_validate_json(content)
            except pydantic.ValidationError as error:
                problem = f"the status of run {self._id} in {self._store.where} is refused"
                raise StoreError(f"{problem}: {error.errors()[0]['msg']}") from None
            with self._writing():
                if not has_worker:
                    self._take_request_to_stop()
                if has_worker or not self._digests or status.state not in ALIVE:
                    manifest = read_manifest(self._store, self._id)
                    self.parts = manifest.parts
                    is_whole = self._fetch(manifest) and not (has_worker and manifest.in_progress)
                else:
                    is_whole = True  # nobody writes to a run that waits
                self._forward_request_to_stop(status)
                if status.state in ALIVE or is_whole:
                    self._write_status(content)
            return self.run.status()

    def hand_over(self, status: Status) -> None:
        """Writes the run to the store for the process that works on it next, and fetches before what is newer there.

        Args:
            status: its status while it waits.

        Raises:
            RunError: the store has another run of this id.
            StoreError: the store cannot be read or written.
        """
        with self._lock:
            with contextlib.suppress(AbsentError):
                require_same_config(self._store, self.run)
                if not (self.run.path / STATUS).exists() or is_followed(self.run):
                    self.look()
            Mirror(self._store, self.run).send()
            self.settle(status)

    def settle(self, status: Status) -> None:
        """Says the status of a run that no process works on, or that none works on any more."""
        with self._lock:
            self.say(status)
            for name in (STATUS, _WORKER, _STOP):
                self._store.remove(self._name(name))

    def say(self, status: Status) -> None:
        """Says, here and in the store, the status of a run that waits."""
        content = status.model_dump_json(indent=2).encode()
        with self._lock:
            self._says = content
            self._store.write(self._name(_QUEUE), content, public=False)
            with self._writing():
                self._write_status(content)

    def was_asked_to_stop(self, status: Status) -> bool:
        """Whether the process that wrote a status was asked to stop, and may have ended before it could say so."""
        return self._store.read(self._name(_STOP), 100) == str(status.pid).encode()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            if not self._is_begun:
                self.run.path.mkdir(parents=True, exist_ok=True)
                self._is_begun = True
            yield
        except OSError as error:
            if self._is_begun and not self.run.path.is_dir():
                raise RunError(f"the folder of run {self._id} was removed while it was followed") from None
            reason = "the disk is full" if error.errno in FULL else error.strerror or str(error)
            raise StoreError(f"cannot write {self.run.path}: {reason}") from None

    def _fetch(self, manifest: Manifest) -> bool:
        """Fetches what has changed, removes what is gone, and returns whether the folder has all of it."""
        changed = [
            file for file in manifest.files if file.name != STATUS and self._digests.get(file.name) != file.sha256
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            is_whole = all(list(pool.map(self._fetch_file, changed)))
        for name in self._digests.keys() - {file.name for file in manifest.files}:
            (self.run.path / name).unlink(missing_ok=True)
            del self._digests[name]
        return is_whole

    def _fetch_file(self, file: StoredFile) -> bool:
        """Whether a file is here after a fetch; it is not if it is written anew right now."""
        target = self.run.path / file.name
        if not (target.is_file() and file.is_content_of(target)):
            if target.parent != self.run.path:  # the folder of a run that was deleted meanwhile is not made again
                target.parent.mkdir(exist_ok=True)
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

    def _write_status(self, content: bytes) -> None:
        target, digest = self.run.path / STATUS, hashlib.sha256(content).hexdigest()
        before = [digest_of_file(target)] if target.exists() else []
        if before == [digest]:
            return
        fetched = _Fetched(status=(*before, digest), files=self._digests)
        write_atomically(self.run.path / _FOLLOWED, fetched.model_dump_json())
        write_atomically(target, content)

    def _take_request_to_stop(self) -> None:
        """Hands a request to stop a run that waits on to the process that says so."""
        if asked := self._store.read(self._name(_STOP), 100):
            write_atomically(self.run.stop_request, asked)

    def _forward_request_to_stop(self, status: Status) -> None:
        if status.state not in ALIVE:
            self.run.stop_request.unlink(missing_ok=True)
        elif self.run.stop_request.exists():
            asked = self.run.stop_request.read_text()
            if asked != self._forwarded:
                self._store.write(self._name(_STOP), asked.encode(), public=False)
                self._forwarded = asked

    def _name(self, file: str) -> str:
        return object_name(self._id, file)


def follow(
    store: Store,
    run_id: str,
    runs_path: Path,
    *,
    allow: Callable[[Sequence[str]], None],
    watch: Callable[[Status], None],
) -> list[Follower]:
    """Follows a run in a store, and the runs that belong to it, until it has ended there.

    Args:
        allow: gets the ids of the runs that belong to it, and raises an error if one of them must not be fetched.
        watch: gets the status of the run at every look; what it raises ends the call.

    Returns:
        the followers of the run and of those that belong to it

    Raises:
        StoreError: the store cannot be read, nobody has worked on the run for a minute, or another run of this id is
            here.
        RunError: the folder was removed.
    """

    def follower_of(each: str) -> Follower:
        follower = Follower(store, each, runs_path)
        if follower.run.path.is_dir() and not is_followed(follower.run):
            remedy = f"delete that one first: python -m distrack delete {follower.run.id}"
            raise StoreError(f"run {each} is here with another content", remedy=remedy)
        return follower

    followers = {run_id: follower_of(run_id)}
    ended: set[str] = set()
    heard = time.monotonic()
    while True:
        status = followers[run_id].look()
        parts = followers[run_id].parts
        allow(parts)
        for part in parts:
            follower = followers[part] = followers.get(part) or follower_of(part)
            if part not in ended and (follower.is_due or status.state not in ALIVE):
                with contextlib.suppress(AbsentError):  # its folder is there, and not handed over yet
                    if follower.look().state not in (*ALIVE, "stale"):
                        ended.add(part)
        if status.state != "stale":
            heard = time.monotonic()
        if status.state not in (*ALIVE, "stale"):
            return [followers[each] for each in (*parts, run_id)]
        if time.monotonic() - heard > _PATIENCE:
            problem = f"nobody has worked on run {run_id} for {_PATIENCE:.0f} s. It is here as far as it got"
            raise StoreError(problem, remedy=f"python -m distrack resume {followers[run_id].run.id}")
        watch(status)
        time.sleep(_LOOK)


def is_followed(run: Run) -> bool:
    """Whether a run here is as it was fetched while it was worked on elsewhere: nobody has worked on it here since."""
    return bool(_fetched(run).status)


def _fetched(run: Run) -> _Fetched:
    """What was fetched of a run, if nobody has worked on it here since."""
    fetched = read_model(run.path / _FOLLOWED, _Fetched)
    with contextlib.suppress(OSError):
        if fetched is not None and digest_of_file(run.path / STATUS) in fetched.status:
            return fetched
    return _Fetched()


def require_same_config(store: Store, run: Run) -> None:
    """Refuses a run whose id another run in the store has.

    Raises:
        RunError: the configs differ.
        AbsentError: the store has no run of this id.
        StoreError: the store cannot be read.
    """
    there = read_manifest(store, stored_id(run))
    config = next((file for file in there.files if file.name == "config.json"), None)
    if config is None or not config.is_content_of(run.path / config.name):
        problem = f"{store.where} has another run {run.id} with other settings"
        raise RunError(problem, remedy="choose another --name, or another --live-store")
