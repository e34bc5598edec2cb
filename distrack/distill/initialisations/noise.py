"""Noise: tracks start from no clip."""

from distrack.distill.initialisations.contract import INITIALISATIONS
from distrack.images import RealImages


@INITIALISATIONS.register("noise", title="Noise")
def from_noise(train: RealImages, count: int, seed: int) -> None:
    """Chooses no clips: the distiller draws standard normal noise."""
