"""The contract of matching objectives, their registry, and the setting that several of them have."""

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field
from torch import Tensor

from distrack.registry import Registry

Distance = Callable[..., Tensor]
"""How far the embeddings of the tracks of each class are from those of its real clips; differentiable.

Args:
    real: embeddings of real clips, class by class.
    synthetic: embeddings of synthetic tracks, class by class.
    settings: those of the objective's own config, by name.

Shape:
    - real: ``[classes, n, d]``
    - synthetic: ``[classes, m, d]``
    - returns: ``[classes]``, at least 0 up to rounding
"""
Bandwidths = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...],
    Field(
        min_length=1,
        title="Kernel bandwidths",
        description="Squared bandwidths as multiples of the typical squared distance of the embeddings.",
    ),
]


class Objective(NamedTuple):
    """A matching objective and the real embeddings that it needs.

    Attributes:
        real: "mean" if the mean of the real embeddings, a single row, gives the same result as all of them; "sample" if
            the objective needs the embeddings themselves.
        summary: what it compares, in a few words; its label in menus.
    """

    distance: Distance
    real: Literal["mean", "sample"]
    summary: str


OBJECTIVES: Registry[Objective] = Registry("objective")
