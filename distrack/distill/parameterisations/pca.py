"""Principal components: every track is a sum of a few images that all classes have in common."""

import math

import torch
from torch import Tensor

from distrack.distill.parameterisations.contract import PARAMETERISATIONS, Examples, Parameterisation, Stored
from distrack.distill.parameterisations.dct import analyse, synthesise

# Coefficients that components are made of, as a multiple of the root of the numbers stored for all classes together.
# With it a third of the storage is the components'.
_COEFFICIENTS = 2.1
# Coefficients, at most: components are found in seconds.
_MOST_COEFFICIENTS = 2048
# Clips of all classes that components are fitted to, at most.
_MOST_CLIPS = 10_000


@PARAMETERISATIONS.register("pca")
class PrincipalComponents(Parameterisation):
    """Stores the shares of a few components in each track; the components are stored once for all classes.

    The components are those of all real clips together, each class weighted alike: their sums come nearest to the
    clips. They are smooth images, so that of each only the strongest coefficients of an orthonormal DCT are stored, at
    places that all have in common. Components and places count as a part of the budget of every class. A class has as
    many tracks as the plan has, or as the smallest class has clips.

    Source:
        Pearson, "On Lines and Planes of Closest Fit to Systems of Points in Space", Philosophical Magazine 2(11), 1901;
        Deng and Russakovsky, "Remember the Past: Distilling Datasets into Addressable Memories for Neural Networks",
        NeurIPS 2022 (bases that the images of all classes share).
    """

    summary = "shares of principal components"
    domains = ("spectral",)
    factors = (32, 2, 4, 8, 16, 64)
    limited_by_clips = True
    constants = ("components", "positions")
    shared = ("components", "positions")

    @classmethod
    def usual_factor(cls, ipc: int) -> int:
        # Chosen by the measurements in `benchmarks/`.
        return 32 if ipc < 5 else 16 if ipc < 20 else 4

    def check(self) -> None:
        if self._components(self.plan.ipc * self.plan.factor) < 1:
            raise ValueError(
                f"factor {self.plan.factor}: so many tracks would have no component to share; choose a smaller factor"
            )

    def floats(self, tracks: int) -> int:
        components = self._components(tracks)
        return tracks * (components + 1) + -(-(components + 1) * self._coefficients // self.plan.classes)

    def store(self, tracks: Tensor, examples: Examples) -> Stored:
        """Shares of the components, the strongest component first, and the components.

        Shape:
            - parameters: ``[classes * tracks, components]``
            - components: ``[components, coefficients]``, orthonormal
            - positions: ``[coefficients]`` int32
        """
        components, positions = self._fitted(examples)
        components = components[: self._components(len(tracks) // self.plan.classes)]
        return {
            "parameters": analyse(tracks)[:, positions] @ components.T,
            "components": components.contiguous(),
            "positions": positions.int(),
        }

    def sizes(self, stored: Stored, examples: Examples) -> Tensor | None:
        components, positions = stored["components"], stored["positions"].long()
        energy = torch.zeros(self.plan.classes, len(components))
        for clips, labels in examples():
            energy.index_add_(0, labels, (analyse(clips)[:, positions] @ components.T).square())
        return energy.sqrt()

    def render(self, parameters: Tensor, stored: Stored) -> Tensor:
        """Sums of the components in these shares."""
        components, positions = (stored[name].to(parameters.device) for name in ("components", "positions"))
        whole = parameters.new_zeros(len(parameters), math.prod(self.plan.size))
        return synthesise(whole.index_copy(1, positions.long(), parameters @ components), self.plan.size)

    @property
    def _coefficients(self) -> int:
        """Coefficients that a component is made of."""
        wanted = round(_COEFFICIENTS * math.sqrt(self.plan.classes * self.plan.budget))
        return min(math.prod(self.plan.size), wanted, _MOST_COEFFICIENTS)

    def _components(self, tracks: int) -> int:
        """Components that the budget of all classes holds with their places, the tracks' shares and their labels."""
        classes, coefficients = self.plan.classes, self._coefficients
        left = classes * (self.plan.budget - tracks) - coefficients
        return min(coefficients, left // (coefficients + classes * tracks))

    def _fitted(self, examples: Examples) -> tuple[Tensor, Tensor]:
        """All components, the strongest first, and the places of their coefficients."""
        size = math.prod(self.plan.size)
        energy, counts = torch.zeros(self.plan.classes, size), torch.zeros(self.plan.classes)
        for clips, labels in examples():
            energy.index_add_(0, labels, analyse(clips).square())
            counts += labels.bincount(minlength=self.plan.classes)
        counts = counts.clamp_min(1)
        mean = (energy / counts[:, None]).mean(0)
        positions = mean.argsort(descending=True, stable=True)[: self._coefficients]
        products = torch.zeros(len(positions), len(positions), dtype=torch.float64)
        most = max(1, _MOST_CLIPS // self.plan.classes)
        taken = torch.zeros(self.plan.classes, dtype=torch.int64)
        for clips, labels in examples():
            few = torch.cat([(labels == each).nonzero()[: most - taken[each], 0] for each in labels.unique()])
            taken += labels[few].bincount(minlength=self.plan.classes)
            chosen = analyse(clips[few])[:, positions].double()
            products += chosen.T @ (chosen / counts.clamp_max(most)[labels[few]].double()[:, None])
        components = torch.linalg.eigh(products)[1].flip(1).T.float()
        # A component and its negative are the same: the largest coefficient is made positive.
        largest = components.gather(1, components.abs().argmax(1, keepdim=True))
        return components * largest.sign(), positions
