"""Parameterisations: how stored numbers become tracks."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from distrack.registry import Registry


class Parameterisation(NamedTuple):
    """A pair of maps between stored parameters and tracks.

    Attributes:
        store: tracks ``[n, 1, bands, frames]`` -> parameters that render to them, or as near as they can.
        render: parameters -> tracks, differentiable.
    """

    store: Callable[[Tensor], Tensor]
    render: Callable[[Tensor], Tensor]


PARAMETERISATIONS: Registry[Parameterisation] = Registry("parameterisation")

PARAMETERISATIONS.add("identity", Parameterisation(store=lambda tracks: tracks, render=lambda parameters: parameters))
