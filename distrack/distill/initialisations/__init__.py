"""Initialisations: which real clips the tracks are before the first step. One file each."""

from distrack.distill.initialisations.contract import INITIALISATIONS, Initialisation, Select
from distrack.registry import discover

__all__ = ["INITIALISATIONS", "Initialisation", "Select"]

discover(__name__, __path__)
