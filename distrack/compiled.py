"""Functions that numba compiles at their first use, within seconds. The result is kept beside their file, or in the
user's cache folder, for the next process.

A module of such functions is imported where they are used: importing numba takes a quarter of a second and 70 MB.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Compiled = TypeVar("Compiled", bound=Callable[..., Any])


def compiled(*, fastmath: frozenset[str] = frozenset()) -> Callable[[Compiled], Compiled]:
    """Compiles a function, as a decorator; other threads go on while it runs.

    Args:
        fastmath: freedoms of rounding, as numba names them. With "reassoc", sums may depend on where arrays lie.
    """
    settings: dict[str, Any] = {"fastmath": set(fastmath), "nogil": True, "error_model": "numpy"}

    def decorated(function: Compiled) -> Compiled:
        result: Compiled
        try:
            result = njit(function, cache=True, **settings)
        except RuntimeError:  # no folder for the result can be written: every process compiles
            result = njit(function, **settings)
        return result

    return decorated
