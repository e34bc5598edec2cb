"""DCT: of every track, the two-dimensional cosine coefficients that hold most of its class's energy."""

import math
from functools import lru_cache
from typing import Annotated, ClassVar

import torch
import torchaudio
from pydantic import Field
from torch import Tensor

from distrack.distill.parameterisations.contract import PARAMETERISATIONS, Examples, Parameterisation, Plan, Stored
from distrack.distill.preconditioner import Prior
from distrack.registry import Choice
from distrack.validation import Option


class CosineConfig(Choice):
    """Settings of the cosine coefficients."""

    prior: Annotated[Prior, Field(title="Step scaling"), Option("coefficient-prior")] = "spectrum"
    """How a step is spread over the coefficients: in proportion to the class's typical values, or evenly."""


@PARAMETERISATIONS.register("dct", config=CosineConfig)
class CosineCoefficients(Parameterisation):
    """Stores the values of a few coefficients of each track; which coefficients these are is chosen for each class.

    The images of a class are smooth and similar, so that a small share of the coefficients of an orthonormal DCT holds
    most of their energy, and the storage of one whole track holds `factor` such tracks. The choice of coefficients is
    stored as well and counts: one number for each coefficient and class. If the smallest class has fewer clips than
    there would be tracks, there are as many tracks as clips, each with more coefficients.

    Source:
        Ahmed, Natarajan and Rao, "Discrete Cosine Transform", IEEE Transactions on Computers C-23(1), 1974;
        Shin, Bae, Shin and Moon, "Frequency Domain-based Dataset Distillation", NeurIPS 2023 (a chosen subset of
        coefficients as the storage of a distilled set).
    """

    summary = "strongest DCT coefficients"
    domains = ("spectral",)
    factors: ClassVar[tuple[int, ...]] = (1, 2, 4, 8, 16, 32)
    limited_by_clips = True
    constants = ("positions",)

    def __init__(self, plan: Plan, *, prior: Prior = "spectrum") -> None:
        super().__init__(plan)
        self.prior = prior

    @classmethod
    def usual_factor(cls, ipc: int) -> int:
        # Chosen by the measurements in `benchmarks/`.
        return 8 if ipc < 5 else 4

    def check(self) -> None:
        if self._coefficients(self.plan.ipc * self.plan.factor) < 1:
            raise ValueError(
                f"factor {self.plan.factor}: each of so many tracks would have no coefficient; choose a smaller factor"
            )

    def floats(self, tracks: int) -> int:
        return (tracks + 1) * self._coefficients(tracks) + tracks

    def store(self, tracks: Tensor, examples: Examples) -> Stored:
        """Values of the coefficients and their positions, the strongest coefficient first.

        Shape:
            - parameters: ``[classes * tracks, coefficients]``
            - positions: ``[classes, coefficients]`` int32
        """
        count = self._coefficients(len(tracks) // self.plan.classes)
        positions = self._energy(examples).argsort(dim=1, descending=True)[:, :count]
        coefficients = analyse(tracks).reshape(self.plan.classes, -1, math.prod(self.plan.size))
        chosen = positions.unsqueeze(1).expand(-1, coefficients.shape[1], -1)
        return {
            "parameters": coefficients.gather(2, chosen).flatten(0, 1).contiguous(),
            "positions": positions.int().contiguous(),
        }

    def sizes(self, stored: Stored, examples: Examples) -> Tensor | None:
        if self.prior == "none":
            return None
        return self._energy(examples).gather(1, stored["positions"].long()).sqrt()

    def render(self, parameters: Tensor, stored: Stored) -> Tensor:
        """Images of these coefficients; the others are zero."""
        positions = stored["positions"].to(parameters.device).long()
        values = parameters.reshape(self.plan.classes, -1, positions.shape[1])
        chosen = positions.unsqueeze(1).expand(-1, values.shape[1], -1)
        whole = values.new_zeros(*values.shape[:2], math.prod(self.plan.size)).scatter(2, chosen, values)
        return synthesise(whole.flatten(0, 1), self.plan.size)

    def _coefficients(self, tracks: int) -> int:
        """Coefficients of each of a class's tracks: as many as the budget holds with their positions and the labels."""
        return min(math.prod(self.plan.size), (self.plan.budget - tracks) // (tracks + 1))

    def _energy(self, examples: Examples) -> Tensor:
        """Sum of the squares of every coefficient over the clips of each class, ``[classes, bands * frames]``."""
        energy = torch.zeros(self.plan.classes, math.prod(self.plan.size))
        for clips, labels in examples():
            energy.index_add_(0, labels, analyse(clips).square())
        return energy


def analyse(images: Tensor) -> Tensor:
    """All coefficients of images ``[n, 1, bands, frames]``, ``[n, bands * frames]``."""
    bands, frames = images.shape[2:]
    coefficients: Tensor = _basis(bands, images.device) @ images @ _basis(frames, images.device).T
    return coefficients.flatten(1)


def synthesise(coefficients: Tensor, size: tuple[int, ...]) -> Tensor:
    """The images of that size that have these coefficients; the inverse of `analyse`."""
    bands, frames = size[1:]
    rows, columns = _basis(bands, coefficients.device), _basis(frames, coefficients.device)
    images: Tensor = rows.T @ coefficients.view(-1, *size) @ columns
    return images


@lru_cache(maxsize=16)
def _basis(size: int, device: torch.device) -> Tensor:
    """The orthonormal DCT-II basis in rows, ``[size, size]``."""
    basis: Tensor = torchaudio.functional.create_dct(size, size, "ortho")
    return basis.T.contiguous().to(device)
