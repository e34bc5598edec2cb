"""Tracks as a training set: their stored images, or the images of their exported sounds."""

from collections.abc import Sequence

from distrack.distill import SyntheticSet
from distrack.distill.sounds import heard
from distrack.images import RealImages
from distrack.learning import TrainingSet


def training_set_of(synthetic: SyntheticSet, like: RealImages, *, sounds: Sequence[bytes] | None = None) -> TrainingSet:
    """The tracks of a synthetic set: their stored images, or the images of their exported sounds.

    Args:
        like: real clips of the same dataset.
        sounds: the exported FLAC files, in the order of the tracks.
    """
    images = synthetic.tracks() if sounds is None else heard(sounds, synthetic)
    return TrainingSet.of_images(images, synthetic.labels, classes=like.classes, shift_bands=like.shift_bands)
