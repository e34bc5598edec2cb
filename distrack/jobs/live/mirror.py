"""The worker's side: it writes the folder of its run to a store while it works."""

import contextlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator

from distrack.errors import DistrackError, RunError, StoreError
from distrack.jobs.live.sending import (
    MOST_STATUS_BYTES,
    QUEUE,
    STOP,
    WORKER,
    Sender,
    manifest_there,
    require_same_state,
)
from distrack.jobs.stored import stored_id
from distrack.runs import Run
from distrack.store import Store, open_store
from distrack.store.package import STATUS, object_name

log = logging.getLogger(__name__)

_PERIOD = 2.0
# Pauses before further attempts to write the last state of a run, in seconds.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
# Seconds that a process which is about to end itself waits for its last state to be written.
_LEAVE = 10.0


class Mirror:
    """Writes the folder of a run to the store at an address while this process works on it; `mirrored` makes one.

    Two threads write: one the status, however long a large file takes the other.
    """

    def __init__(self, run: Run, address: str) -> None:
        self._run, self._address = run, address
        self._store: Store | None = None
        self._sender: Sender | None = None
        self._token = secrets.token_hex(8).encode()
        self._is_taken = self._took_over = False
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Takes the run over, whoever wrote it before, and starts to write.

        Raises:
            RunError: the store has another run of this id or another state of this one, or another process works on it.
            StoreError: the store cannot be written.
        """
        self._store = store = open_store(self._address)
        there = manifest_there(store, self._run)
        if there is not None:
            require_same_state(store, self._run, there)
            self._took_over = store.read(self._name(WORKER), 100) is not None
            if self._took_over and self._beats(store):
                raise RunError(f"run {self._run.id} is worked on elsewhere: stop it first")
        self._sender = Sender(store, self._run, there, may_send=lambda: not self._is_taken)
        store.write(self._name(WORKER), self._token, public=False)
        if there is not None:
            store.remove(self._name(STOP))
        self._sender.send(last=False)
        self.beat()
        for target in (self.beat, self.send):
            self._threads.append(threading.Thread(target=self._repeat, args=(target,), name="mirror", daemon=True))
        for thread in self._threads:
            thread.start()

    def end(self, *, pauses: tuple[float, ...] | None = None) -> None:
        """Writes the last state of the run, if `begin` was called and nobody has taken the run over since.

        Args:
            pauses: seconds before each further attempt; half a minute in all by default.

        Raises:
            StoreError: the store cannot be written.
        """
        self._ended.set()
        for thread in self._threads:
            thread.join()
        if not self._threads or self._is_taken:
            return
        for pause in (*(_PAUSES if pauses is None else pauses), None):
            try:
                self._write_last()
                return
            except StoreError:
                if pause is None:
                    raise
                time.sleep(pause)

    def leave(self) -> None:
        """Writes the last state of the run from a process that ends itself next, if that takes some seconds at most."""

        def end() -> None:
            with contextlib.suppress(DistrackError):
                self.end(pauses=())

        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        thread.join(_LEAVE)

    def beat(self) -> None:
        """Writes the status, and hands a request to stop on to this process."""
        if self._store is None or not self._is_owner():
            return
        self._write_status(self._store)
        if asked := self._store.read(self._name(STOP), 100):
            self._run.write(self._run.stop_request.name, asked)

    def send(self) -> None:
        """Sends the files that have changed."""
        if self._sender is not None:
            self._sender.send(last=False, is_owner=self._is_owner)

    def _beats(self, store: Store) -> bool:
        """Whether the status in the store is written anew."""
        before = store.read(self._name(STATUS), MOST_STATUS_BYTES)
        if before is None:
            return False
        time.sleep(1.5 * _PERIOD)
        return store.read(self._name(STATUS), MOST_STATUS_BYTES) != before

    def _write_last(self) -> None:
        if self._store is not None and self._sender is not None and self._is_owner():
            self._sender.send(last=True, verify=self._took_over, is_owner=self._is_owner)
            if not self._is_taken:
                self._write_status(self._store)
                for name in (QUEUE, STOP, WORKER):
                    self._store.remove(self._name(name))

    def _write_status(self, store: Store) -> None:
        with contextlib.suppress(FileNotFoundError):
            store.write(self._name(STATUS), (self._run.path / STATUS).read_bytes(), public=False)

    def _is_owner(self) -> bool:
        """Whether this process may still write; if another has taken the run over, this one is asked to stop."""
        owner = self._store.read(self._name(WORKER), 100) if self._store else None
        if owner != self._token and not self._is_taken:
            self._is_taken = True
            log.warning("another process has taken run %s over in %s: this one stops", self._run.id, self._address)
            self._run.write(self._run.stop_request.name, str(os.getpid()))
        return not self._is_taken

    def _repeat(self, target: Callable[[], None]) -> None:
        problem = ""
        while not self._ended.wait(_PERIOD):
            try:
                target()
                problem = ""
            except (DistrackError, OSError) as error:
                if str(error) != problem:
                    problem = str(error)
                    log.warning("the store lags behind: %s", problem)

    def _name(self, file: str) -> str:
        return object_name(stored_id(self._run), file)


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
    mirror = Mirror(run, address)
    try:
        yield mirror
    except BaseException:
        try:
            mirror.end()
        except DistrackError as error:
            log.warning("the store lacks the last state of run %s: %s", run.id, error)
        raise
    try:
        mirror.end()
    except StoreError as error:
        problem = f"run {run.id} is done, but {address} lacks its last state: {error.problem}"
        raise StoreError(problem, remedy=f"python -m distrack push {run.id} --store {address}") from None
