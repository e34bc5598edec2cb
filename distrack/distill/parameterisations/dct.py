"""DCT: of every track only those two-dimensional cosine coefficients that hold most of its class's energy."""

from functools import lru_cache

import torch
import torchaudio
from torch import Tensor

from distrack.distill.parameterisations.contract import (
    PARAMETERISATIONS,
    Examples,
    Parameterisation,
    Plan,
    Stored,
)


@PARAMETERISATIONS.register("dct")
class CosineCoefficients(Parameterisation):
    """A class shares one choice of coefficients; each of its tracks stores a value for each of them.

    The images of a class are smooth and alike, so a small share of the coefficients of an orthonormal DCT holds most of
    their energy, and the storage of one track holds `factor` of them. The choice is stored too and counts: one number
    for each coefficient and class. Where the smallest class has fewer clips than there would be tracks, there are as
    many tracks as clips, each with more coefficients.

    Source:
        Ahmed, Natarajan and Rao, "Discrete Cosine Transform", IEEE Transactions on Computers C-23(1), 1974;
        Shin, Bae, Shin and Moon, "Frequency Domain-based Dataset Distillation", NeurIPS 2023 (a chosen subset of
        coefficients as the storage of a distilled set).
    """

    summary = "of every track the cosine coefficients with most of the energy"
    domains = ("spectral",)
    factors = (1, 2, 4, 8, 16, 32)
    keeps = ("positions",)

    @classmethod
    def usual_factor(cls, ipc: int) -> int:
        """See `Parameterisation`; by measurement, see `benchmarks/`."""
        return 8 if ipc < 5 else 4

    def check(self) -> None:
        """See `Parameterisation`."""
        if _kept(self.plan, self.plan.ipc * self.plan.factor) < 1:
            raise ValueError(
                f"factor {self.plan.factor}: no coefficient would be left for each of so many tracks; choose a smaller "
                f"factor"
            )

    def tracks(self, clips: int) -> int:
        """See `Parameterisation`."""
        return min(self.plan.ipc * self.plan.factor, max(clips, self.plan.ipc))

    def floats(self, tracks: int) -> int:
        """See `Parameterisation`."""
        return (tracks + 1) * _kept(self.plan, tracks) + tracks

    def store(self, tracks: Tensor, examples: Examples) -> Stored:
        """Coefficients ``[classes * tracks, kept]`` and which they are, ``[classes, kept]`` int32, strongest first."""
        kept = _kept(self.plan, len(tracks) // self.plan.classes)
        positions = self._strongest(examples)[:, :kept]
        coefficients = self._analyse(tracks).reshape(self.plan.classes, -1, positions_of(self.plan))
        chosen = positions.unsqueeze(1).expand(-1, coefficients.shape[1], -1)
        return {
            "parameters": coefficients.gather(2, chosen).flatten(0, 1).contiguous(),
            "positions": positions.int().contiguous(),
        }

    def render(self, parameters: Tensor, stored: Stored) -> Tensor:
        """Images of these coefficients and zeros for the others."""
        _, bands, frames = self.plan.size
        positions = stored["positions"].to(parameters.device).long()
        values = parameters.reshape(self.plan.classes, -1, positions.shape[1])
        chosen = positions.unsqueeze(1).expand(-1, values.shape[1], -1)
        grid = values.new_zeros(*values.shape[:2], bands * frames).scatter(2, chosen, values)
        rows, columns = _basis(bands, parameters.device), _basis(frames, parameters.device)
        images: Tensor = rows.T @ grid.view(-1, 1, bands, frames) @ columns
        return images

    def _analyse(self, tracks: Tensor) -> Tensor:
        _, bands, frames = self.plan.size
        coefficients: Tensor = _basis(bands, tracks.device) @ tracks @ _basis(frames, tracks.device).T
        return coefficients.flatten(1)

    def _strongest(self, examples: Examples) -> Tensor:
        """Positions of every class's coefficients by their mean energy, the strongest first."""
        energy = torch.zeros(self.plan.classes, positions_of(self.plan))
        for clips, labels in examples():
            energy.index_add_(0, labels, self._analyse(clips).square())
        strongest: Tensor = energy.argsort(dim=1, descending=True)
        return strongest


def positions_of(plan: Plan) -> int:
    """Coefficients of a whole track."""
    _, bands, frames = plan.size
    return bands * frames


def _kept(plan: Plan, tracks: int) -> int:
    """Coefficients for each of so many tracks of a class: as many as the budget holds with their places and labels."""
    return min(positions_of(plan), (plan.budget - tracks) // (tracks + 1))


@lru_cache(maxsize=16)
def _basis(size: int, device: torch.device) -> Tensor:
    """Rows are the orthonormal DCT-II basis, ``[size, size]``."""
    basis: Tensor = torchaudio.functional.create_dct(size, size, "ortho")
    return basis.T.contiguous().to(device)
