"""Noise: tracks start from no clip."""

from distrack.distill.initialisations.contract import INITIALISATIONS, Initialisation
from distrack.images import RealImages


def from_noise(train: RealImages, count: int, seed: int) -> None:
    """Chooses no clips: the distiller draws standard normal noise."""


INITIALISATIONS.add("noise", Initialisation(from_noise, "noise"))
