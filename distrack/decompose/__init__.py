"""Decomposition: a clip as a few dozen events that can be moved like notes."""

from distrack.decompose.config import DecomposeConfig
from distrack.decompose.contract import DECOMPOSERS, KINDS, Box, Column, Decomposer, Kind, Progress
from distrack.decompose.events import Events
from distrack.decompose.quality import snr_db, spectral_convergence
from distrack.decompose.rendering import render
from distrack.decompose.splat import fit as splat_fit  # noqa: F401
from distrack.decompose.splat import kind as splat_kind  # noqa: F401

__all__ = [
    "DECOMPOSERS",
    "KINDS",
    "Box",
    "Column",
    "DecomposeConfig",
    "Decomposer",
    "Events",
    "Kind",
    "Progress",
    "render",
    "snr_db",
    "spectral_convergence",
]
