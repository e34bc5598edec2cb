"""A Ray cluster as the place where runs are worked on: each is a task with a share of cores and GPUs.

A task whose node dies is started again on another node. What a run needs lies in folders that all nodes share.
"""

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from distrack.engines.contract import EngineConfig
from distrack.engines.node import call, versions
from distrack.errors import EngineError
from distrack.process_environment import FAST_ON_CPU
from distrack.settings import PROJECT, settings

_CONNECT_SECONDS = 5.0
# Times that a task is started again after its node died.
_RETRIES = 3
# Variables of this process that its tasks have, too; whoever may ask the cluster can read them.
_HANDED_ON = ("DISTRACK_", "AUDIO_PATH", "IMPULSE_RESPONSE_PATH", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")
# Those that name folders: nodes that share none have their own.
_FOLDERS = ("DISTRACK_RUNS_PATH", "DISTRACK_DATA_PATH", "AUDIO_PATH", "IMPULSE_RESPONSE_PATH")


class UnfitNodeError(EngineError):
    """A node has other versions, or does not share the folder of the runs."""


class Cluster:
    """A connection to a cluster; `connected` makes one."""

    def __init__(self, ray: Any, config: EngineConfig, marker: Path | None) -> None:
        self._ray, self._config, self._marker = ray, config, marker
        self._expected = versions()
        variables = {name: value for name, value in os.environ.items() if name.startswith(_HANDED_ON)} | {
            **FAST_ON_CPU,
            "DISTRACK_DATA_PATH": str(settings().data_path.absolute()),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH", "")))),
        }
        if marker is None:
            variables = {name: value for name, value in variables.items() if name not in _FOLDERS}
        self._remote = ray.remote(call).options(
            num_cpus=config.cpus_per_run,
            num_gpus=config.gpus_per_run,
            max_retries=_RETRIES,
            runtime_env={"env_vars": variables},
        )

    def submit(self, target: str, *arguments: Any) -> Any:
        """Asks for a call of `package.module:function` on some node; returns a handle of the task."""
        marker = None if self._marker is None else str(self._marker)
        return self._remote.remote(target, arguments, self._expected, marker)

    def ended(self, tasks: Iterable[Any], *, wait: float) -> list[Any]:
        """Those of the tasks that have ended, after at most so many seconds."""
        tasks = list(tasks)
        try:
            ended: list[Any] = self._ray.wait(tasks, num_returns=len(tasks), timeout=wait)[0]
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise self._lost(error) from None
        return ended

    def result(self, task: Any) -> dict[str, Any]:
        """What the call of an ended task returned.

        Raises:
            EngineError: no node could do it, its node died again and again, or it failed in a way that nobody expected.
        """
        try:
            answer: dict[str, Any] = self._ray.get(task)
        except self._ray.exceptions.TaskCancelledError:
            raise EngineError("it was cancelled before a node worked on it") from None
        except ConnectionError as error:
            raise self._lost(error) from None
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(getattr(error, "cause", None) or error).split())[-300:]
            raise EngineError(f"the cluster gave up a run ({type(error).__name__}): {reason}") from None
        if "unfit" in answer:
            raise UnfitNodeError(str(answer["unfit"]))
        return answer

    def _lost(self, error: Exception) -> EngineError:
        reason = " ".join(str(error).split())[:200]
        return UnfitNodeError(f"the cluster at {self._config.address} is lost ({reason})", remedy="resume the run")

    def cancel(self, task: Any) -> None:
        """Takes a task that no node works on yet out of the cluster's queue."""
        with suppress(self._ray.exceptions.RayError, ConnectionError, ValueError):
            self._ray.cancel(task, force=False, recursive=False)

    def check(self) -> None:
        """Refuses a share that no node of the cluster can give.

        Raises:
            EngineError: says what is wanted and what there is.
        """
        wanted = {"CPU": self._config.cpus_per_run, "GPU": self._config.gpus_per_run}
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(node.get(name, 0) >= share for name, share in wanted.items()) for node in nodes):
            most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in wanted}
            raise EngineError(
                f"no node has {wanted['CPU']:g} cores and {wanted['GPU']:g} GPUs for a run: the largest has "
                f"{most['CPU']:g} cores and {most['GPU']:g} GPUs"
            )


@contextmanager
def connected(config: EngineConfig, shared: Path) -> Iterator[Cluster]:
    """Connects to the cluster of a config for the duration of a block.

    Args:
        shared: the folder of the runs, which every node has to see, unless runs are written to a store.

    Raises:
        EngineError: Ray is not installed, no cluster answers at the address, or it has no node that is large enough.
    """
    try:
        import ray
    except ImportError:
        problem = "a cluster needs Ray, which is not installed"
        raise EngineError(problem, remedy="pip install 'distrack[ray]'") from None
    _require_answer(config.address)
    marker = None if config.live_store else shared / f".shared-{secrets.token_hex(8)}"
    try:
        with _signals_kept():
            ray.init(address=config.address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise EngineError(f"no Ray cluster at {config.address} ({reason})", remedy=_START) from None
    try:
        try:
            shared.mkdir(parents=True, exist_ok=True)
            if marker is not None:
                marker.touch()
        except OSError as error:
            raise EngineError(f"{shared} is not writable: {error.strerror or error}") from None
        cluster = Cluster(ray, config, marker)
        cluster.check()
        yield cluster
    finally:
        if marker is not None:
            marker.unlink(missing_ok=True)
        ray.shutdown()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keeps the handler of SIGTERM, which Ray replaces by one that ends the process at once."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


_START = "start one with `ray start --head`, or give its --address"


def _require_answer(address: str) -> None:
    """Asks at the address first: Ray itself waits for minutes there."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal():
        raise EngineError(f"--address {address}: expected auto, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"nobody answers at {address} ({error})", remedy=_START) from None
