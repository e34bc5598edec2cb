"""Parameterisations: how stored numbers become tracks. One file each; the registry finds them here."""

from distrack.distill.parameterisations import dct, identity, multiformation  # noqa: F401
from distrack.distill.parameterisations.contract import PARAMETERISATIONS, Parameterisation, Plan, Stored

__all__ = ["PARAMETERISATIONS", "Parameterisation", "Plan", "Stored"]
