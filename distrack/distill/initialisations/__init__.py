"""Initialisations: the real clips that the tracks start from. One file each; the registry finds them here."""

from distrack.distill.initialisations.contract import INITIALISATIONS, Combinations, Initialisation
from distrack.registry import discover

__all__ = ["INITIALISATIONS", "Combinations", "Initialisation"]

discover(__name__, __path__)
