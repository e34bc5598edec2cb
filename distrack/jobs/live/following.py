"""Many runs that are followed at once: those of a cluster, or a series with its runs."""

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from distrack.errors import DistrackError, StoreError
from distrack.jobs.live.follower import Follower, is_followed
from distrack.jobs.live.sending import manifest_there
from distrack.runs import ALIVE, Status
from distrack.store import Store
from distrack.store.package import AbsentError

log = logging.getLogger(__name__)

# Runs that are looked at at once.
_RUNS_AT_ONCE = 16
_POLL = 0.5
# Seconds of silence, of the run or of the store, after which nobody follows a run any longer.
_PATIENCE = 60.0


class Lookout:
    """Looks at many runs, each when it is due; a large one does not hold up the others."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_RUNS_AT_ONCE, thread_name_prefix="lookout")
        self._pending: dict[Follower, Future[None]] = {}

    def look(self, followers: Collection[Follower]) -> None:
        """Begins to look at those that are due."""
        waiting = sum(each.is_waiting for each in followers)
        for each in followers:
            if each.is_due(waiting) and (each not in self._pending or self._pending[each].done()):
                self._pending[each] = self._pool.submit(look, each)

    def close(self) -> None:
        """Waits until all looks have ended."""
        wait(self._pending.values())
        self._pool.shutdown()


def look(follower: Follower) -> None:
    """Looks at a run; the next look may see what this one could not."""
    problem = ""
    try:
        follower.look()
    except (DistrackError, OSError) as error:
        problem = str(error)
        if problem != follower.problem and not isinstance(error, AbsentError):
            log.warning("run %s cannot be followed: %s", follower.run.id, problem)
    follower.problem = problem


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
        watch: gets the status of the run several times a second; what it raises ends the call.

    Returns:
        the followers of the runs that belong to it, and of the run

    Raises:
        StoreError: the store cannot be read, nobody has worked on the run for a minute, or another run of this id is
            here.
        RunError: the folder was removed.
    """

    def follower_of(each: str) -> Follower:
        follower = Follower(store, each, runs_path)
        if follower.run.path.is_dir():
            if (state := follower.run.status().state) in ALIVE and not is_followed(follower.run):
                raise StoreError(f"run {each} is {state} here: there is nothing to fetch")
            if not is_followed(follower.run, store):
                remedy = f"delete that one first: python -m distrack delete {follower.run.id}"
                raise StoreError(f"run {each} is here with another content", remedy=remedy)
            manifest_there(store, follower.run)
        return follower

    main, parts = follower_of(run_id), dict[str, Follower]()
    status, heard, lookout = main.look(), time.monotonic(), Lookout()
    try:
        while not main.has_ended:
            allow(main.parts)
            for part in main.parts:
                if part not in parts:
                    parts[part] = follower_of(part)
            lookout.look(parts.values())
            if time.monotonic() - heard > _PATIENCE:
                with contextlib.suppress(DistrackError):
                    main.look(with_checkpoint=True)
                problem = f"nobody has worked on run {run_id} for {_PATIENCE:.0f} s. It is here as far as it got"
                raise StoreError(problem, remedy=f"python -m distrack resume {main.run.id}")
            watch(status)
            time.sleep(_POLL)
            if main.is_due(0):
                try:
                    status = main.look()
                except AbsentError:
                    raise
                except StoreError:
                    if time.monotonic() - heard > _PATIENCE:
                        raise
                    continue  # a connection that breaks now and then
                if status.state != "stale":
                    heard = time.monotonic()
        allow(main.parts)
    finally:
        lookout.close()
    for part in main.parts:
        parts.setdefault(part, follower_of(part))
    with ThreadPoolExecutor(_RUNS_AT_ONCE) as pool:
        list(pool.map(look, (each for each in parts.values() if not each.has_ended)))
    return [*(parts[part] for part in main.parts), main]
