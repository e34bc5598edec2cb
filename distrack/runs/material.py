"""The material of a job: its dataset as waveforms and images, made, decoded and computed where that was not done."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from distrack import datasets
from distrack.distill import DistillConfig, RealImages, real_images
from distrack.settings import settings

log = logging.getLogger(__name__)


class Material(NamedTuple):
    """What the phases after `prepare` work on."""

    prepared: datasets.Prepared
    train: RealImages
    test: RealImages


def gather(config: DistillConfig, progress: Callable[[int, int, str], None]) -> Material:
    """A dataset as waveforms and images: made, decoded and computed where that was not done before.

    Args:
        config: names dataset, folder, test fold, length of a clip and feature.
        progress: told what is done, how much there is, and of what.

    Raises:
        DatasetError: it is not there or cannot be used.
    """
    index = datasets.index(
        config.dataset,
        config.data_path,
        test_fold=config.test_fold,
        progress=lambda done, total: progress(done, total, "making the dataset"),
    )
    prepared = datasets.prepare(
        index,
        seconds=config.seconds,
        cache_path=settings().cache_path,
        progress=lambda done, total: progress(done, total, "decoding"),
    )
    for skip in prepared.skipped:
        log.warning("skipped %s: %s", skip.path, skip.reason)
    sides = real_images(
        prepared, config.feature, progress=lambda done, total: progress(done, total, "computing features")
    )
    if datasets.DATASETS[config.dataset].pitch_is_class:
        sides = {side: replace(images, shift_bands=False) for side, images in sides.items()}
    return Material(prepared, sides["train"], sides["test"])
