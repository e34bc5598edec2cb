"""One distillation on several devices, or in several processes on a CPU: each has a share of the classes.

Every process computes the same networks and moves its own tracks; a regression needs the embeddings of all of them,
which are exchanged once a step. On a CPU the result has the same bits whatever the number of processes.
"""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from distrack.device import side_by_side
from distrack.distill.config import DistillConfig
from distrack.distill.distiller import Distiller, StepRecord, checked
from distrack.distill.synthetic import SyntheticSet
from distrack.errors import ConfigError, DistrackError, RunError
from distrack.images import Material
from distrack.registry import load_plugins
from distrack.settings import settings


def devices_of(device: torch.device, count: int) -> list[torch.device]:
    """The devices that a distillation is shared between: several GPUs from one on, or several processes of a CPU.

    Raises:
        ConfigError: there are not so many GPUs.
    """
    if device.type == "cpu" or count == 1:
        return [device] * count
    present = torch.cuda.device_count() if device.type == "cuda" else 1
    first = device.index or 0
    if first + count > present:
        problem = f"devices {count}: from {device} on, this machine has {max(0, present - first)}"
        raise ConfigError(problem, remedy="choose fewer --devices")
    return [torch.device(device.type, number) for number in range(first, first + count)]


@contextlib.contextmanager
def distilling(config: DistillConfig, material: Material, device: torch.device) -> Iterator["Distiller | Workers"]:
    """The distiller of a config for the duration of a block: in this process, or in as many as it wants devices.

    Raises:
        ConfigError: there are not so many devices.
    """
    devices = devices_of(device, config.devices)
    whole = Distiller(config, material.train, classes=material.classes, device=device)
    devices = devices[: len(whole.groups)]
    if len(devices) == 1:
        yield whole
        return
    workers = Workers(whole, devices)
    try:
        yield workers
    finally:
        workers.close()


class Workers:
    """A distiller whose steps are done by other processes; it is used as `Distiller` is."""

    def __init__(self, whole: Distiller, devices: Sequence[torch.device]) -> None:
        self.config, self.step = whole.config, 0
        self._whole = whole
        context = get_context("spawn")
        self._processes, self._ends = [], []
        threads = max(1, torch.get_num_threads() // len(devices))
        for number, device in enumerate(devices):
            end, other = context.Pipe()
            order = _Order(whole.config, settings().cache_path, device, (number, len(devices)), threads)
            process = context.Process(target=_work, args=(other, order), daemon=True)
            process.start()
            other.close()
            self._processes.append(process)
            self._ends.append(end)

    def __iter__(self) -> Iterator[StepRecord]:
        """Does the steps that are left, one for each record; see `Distiller`."""
        while self.step < self.config.steps:
            if self.config.timetable.begins(self.step):
                self._asked("look", self._asked("tracks"))
            # By value: tensors would be passed as files, a dozen a step, which a busy machine may be slow to hand over.
            embeddings = np.concatenate(self._asked("embed")) if self.config.regression else None
            answers = self._asked("step", embeddings)
            distances = torch.from_numpy(np.concatenate([distances for distances, _ in answers]))
            self.step += 1
            yield checked(self.step, float(distances.sum() / torch.tensor(answers[0][1])))

    def synthetic_set(self) -> SyntheticSet:
        """The tracks as they are now."""
        self._gather()
        return self._whole.synthetic_set()

    def state(self) -> dict[str, Tensor]:
        """The state of all processes together, as one process has it."""
        self._gather()
        return self._whole.state()

    def resume(self, state: dict[str, Tensor]) -> None:
        """Returns to a state, from however many processes it is."""
        self._whole.resume(state)
        self.step = self._whole.step
        self._asked("resume", {name: value.numpy() for name, value in state.items()})

    def _gather(self) -> None:
        self._whole.join(self.step, self._asked("part"))

    def _asked(self, what: str, value: Any = None) -> list[Any]:
        """The answers of all processes to a request.

        Raises:
            DistrackError: a process failed, or ended by itself.
        """
        answers = []
        try:
            for end in self._ends:
                end.send((what, value))
            for end in self._ends:
                answers.append(end.recv())
        except (EOFError, OSError):
            raise RunError("a process of this distillation ended by itself: take fewer devices") from None
        for answer in answers:
            if isinstance(answer, DistrackError):
                raise answer
        return answers

    def close(self) -> None:
        """Ends the processes."""
        for end in self._ends:
            end.close()
        for process in self._processes:
            process.join(1)
            if process.is_alive():
                process.terminate()
                process.join()


class _Order(NamedTuple):
    """What a process needs to know."""

    config: DistillConfig
    cache_path: Path
    device: torch.device
    part: tuple[int, int]
    threads: int


def _work(end: Connection, order: _Order) -> None:
    """Answers the requests of `Workers` until it closes its end."""
    # Ctrl-C reaches the process that asks, which saves the state and then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(order.threads)
    load_plugins(settings().plugins)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        try:
            material = order.config.material(cache_path=order.cache_path)
            distiller = Distiller(
                order.config, material.train, classes=material.classes, device=order.device, part=order.part
            )
        except DistrackError as error:
            end.recv()
            end.send(error)
            return
        with side_by_side(order.device) as pool:
            while True:
                what, value = end.recv()
                end.send(_answer(distiller, pool, what, value))


def _answer(distiller: Distiller, pool: ThreadPoolExecutor, what: str, value: Any) -> Any:
    try:
        if what == "embed":
            return distiller.embeddings(pool).cpu().numpy()
        if what == "step":
            # A copy lies in memory as torch's own tensors do, on which the rounding of a product may depend.
            distances, spread = distiller.advance(pool, None if value is None else torch.tensor(value))
            return distances.cpu().numpy(), spread.cpu().numpy()
        if what in ("part", "tracks"):
            return distiller.part(tracks_alone=what == "tracks")
        if what == "look":
            distiller.look(value)
        else:
            distiller.resume({name: torch.tensor(array) for name, array in value.items()})
    except DistrackError as error:
        return error
    except (RuntimeError, MemoryError) as error:  # torch's, such as a device that is full
        return RunError(f"a process of this distillation failed on {distiller.device}: {str(error)[:300]}")
    return None
