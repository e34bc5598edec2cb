"""The inner loops of a pursuit of Gabor atoms: compiled where that pays and numba is installed, or in NumPy."""

from typing import Protocol

from distrack.arrays import Complex, Floats
from distrack.decompose.pursuit.layout import Store

# Atoms from which compiled code pays: it takes a quarter of a second and 70 MB to load.
COMPILED_FROM = 100


class Kernels(Protocol):
    """What both ways of computing have, with the same results to 1e-6.

    Times and scales are in samples, frequencies in cycles per sample; a residual is ``[channels, samples]``.
    """

    def fitted(self, residual: Floats, begin: int, end: int, time: float, scale: float, frequency: float, /) -> Complex:
        """The complex amplitude of each channel with which an atom fits the residual between two samples."""

    def subtract(
        self,
        residual: Floats,
        begin: int,
        end: int,
        time: float,
        scale: float,
        frequency: float,
        amplitudes: Complex,
        only_if_less: bool,
        /,
    ) -> float:
        """Subtracts an atom between two samples, if asked only where the energy falls; returns what this removes."""

    def refined(
        self, residual: Floats, time: float, scale: float, frequency: float, highest: float, /
    ) -> tuple[float, float, float, float, float]:
        """Time, scale and frequency of the best atom near a given one, its energy, and that of the given one."""

    def measure(self, store: Store, layer: int, first: int, last: int, /) -> None:
        """Writes the largest energies of some frames of a layer, whose cells were written."""

    def best(self, store: Store, /) -> tuple[float, int, int, int]:
        """The energy that the best atom of all layers removes, and its layer, frame and bin."""

    def lessen(
        self, store: Store, time: float, scale: float, frequency: float, amplitudes: Complex, tolerance: float, /
    ) -> None:
        """Takes an atom out of the cells that it changes by more than a tolerance."""


def kernels_for(events: int) -> Kernels:
    """The kernels for a search of so many atoms, the same in every process."""
    if events >= COMPILED_FROM:
        try:
            from distrack.decompose.pursuit import compiled
        except ImportError:
            pass
        else:
            return compiled
    from distrack.decompose.pursuit import plain

    return plain
