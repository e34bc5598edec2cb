"""The contract of matching objectives, their registry, and the setting that several of them have."""

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field
from torch import Tensor

from distrack.registry import Registry

# (real [classes, n, d], synthetic [classes, m, d], random generator, the settings by name) -> [classes]
Distance = Callable[..., Tensor]
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
        distance: the objective.
        real: "mean" if the mean of the real embeddings, a single row, gives the same result as all of them; "sample" if
            the objective needs the embeddings themselves.
        summary: what it compares, in a few words; its label in menus.
    """

    distance: Distance
    real: Literal["mean", "sample"]
    summary: str


OBJECTIVES: Registry[Objective] = Registry("objective")
