"""Parameterisations: how stored numbers become tracks. One file each; the registry finds them here."""

from distrack.distill.parameterisations.contract import PARAMETERISATIONS, Parameterisation, Plan, Stored
from distrack.registry import discover

__all__ = ["PARAMETERISATIONS", "Parameterisation", "Plan", "Stored"]

discover(__name__, __path__)
