"""A synthetic set of the tiny dataset."""

from collections.abc import Mapping

import pytest
import torch

from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.images import RealImages


@pytest.fixture(scope="session")
def synthetic(tiny_config: DistillConfig, tiny_images: Mapping[Split, RealImages], cpu: torch.device) -> SyntheticSet:
    """Two tracks a class: real clips, a few steps on."""
    config = tiny_config.model_copy(update={"ipc": 2})
    distiller = Distiller(config, tiny_images["train"], classes=("chirp", "noise", "tone"), device=cpu)
    list(distiller)
    return distiller.synthetic_set()
