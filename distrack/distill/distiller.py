"""The distiller: an iterator that moves the tracks a step at a time until their embeddings match the real ones."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from distrack.distill.config import DistillConfig
from distrack.distill.images import RealImages
from distrack.distill.initialisation import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.distill.pool import network_source
from distrack.distill.synthetic import SyntheticSet, ordered_labels
from distrack.errors import RunError


class StepRecord(NamedTuple):
    """What one step did.

    Attributes:
        step: steps done, from 1.
        loss: matching objective summed over the classes, in units of the spread of the real class means around their
            common mean: networks of different scale can be compared.
    """

    step: int
    loss: float


class Distiller:
    """Distribution matching of the training side of a dataset.

    Who iterates over it drives it; between two records the state is whole and can be saved. On the CPU the same config
    gives the same numbers, resumed or not.

    Args:
        config: what to do.
        train: the training side; the test side is not handed over.
        classes: their names.
        device: where to compute.

    Source:
        Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, algorithm 1.
    """

    def __init__(
        self, config: DistillConfig, train: RealImages, *, classes: tuple[str, ...], device: torch.device
    ) -> None:
        self.config, self.classes, self.device = config, classes, device
        self.normalisation = train.normalisation
        self.step = 0
        self._render = PARAMETERISATIONS[config.parameterisation].render
        self._objective = OBJECTIVES[config.objective]
        self._networks = network_source(config, train, device)
        start = INITIALISATIONS[config.initialisation](train, config.ipc, config.seed)
        self._parameters = PARAMETERISATIONS[config.parameterisation].store(start).to(device).requires_grad_()
        self._update = OPTIMISERS[config.optimiser]
        self._memory: dict[str, Tensor] = {}

    def __iter__(self) -> Iterator[StepRecord]:
        """The steps that are left.

        Raises:
            RunError: the loss is no longer a number.
        """
        while self.step < self.config.steps:
            loss = self._advance()
            self.step += 1
            if not math.isfinite(loss):
                raise RunError(f"the loss is not a number after step {self.step}: lower the learning rate")
            yield StepRecord(self.step, loss)

    def _advance(self) -> float:
        network, real = self._networks.at(self.step)
        tracks = self._render(self._parameters)
        synthetic = network.embed(tracks).reshape(len(self.classes), self.config.ipc, -1)
        distance = self._objective(real, synthetic).sum()
        means = real.mean(1)
        spread = (means - means.mean(0)).square().sum()
        matched = distance / spread if self.config.balance == "spread" else distance
        (gradient,) = torch.autograd.grad(matched, self._parameters)
        with torch.no_grad():
            self._update(self._parameters, gradient, self._memory, self._learning_rate(), self.config.momentum)
        return float((distance / spread).detach())

    def _learning_rate(self) -> float:
        if self.config.schedule == "constant":
            return self.config.learning_rate
        return self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * self.step / self.config.steps))

    def synthetic_set(self) -> SyntheticSet:
        """The tracks as they are now, on the CPU."""
        labels = ordered_labels(len(self.classes), self.config.ipc)
        parameters = self._parameters.detach().cpu().clone()
        return SyntheticSet(parameters, labels, self.classes, self.normalisation, self.config)

    def state(self) -> dict[str, Tensor]:
        """What `resume` needs: step, parameters and the optimiser's memory. Random draws belong to the step."""
        return {
            "step": torch.tensor(self.step),
            "parameters": self._parameters.detach().cpu().clone(),
            **{f"optimiser.{name}": value.cpu().clone() for name, value in self._memory.items()},
        }

    def resume(self, state: dict[str, Tensor]) -> None:
        """Goes back to a state; the steps that follow are those that would have followed then.

        Raises:
            RunError: the state belongs to another config.
        """
        if state["parameters"].shape != self._parameters.shape:
            raise RunError("the checkpoint belongs to another config: its parameters have another shape")
        with torch.no_grad():
            self._parameters.copy_(state["parameters"])
        self.step = int(state["step"])
        self._memory = {
            name.removeprefix("optimiser."): value.clone() if value.dim() == 0 else value.to(self.device)
            for name, value in state.items()
            if name.startswith("optimiser.")
        }
