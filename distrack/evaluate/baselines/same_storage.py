"""The same-storage control: real clips that are stored as the tracks are, and not distilled."""

from functools import partial

import torch

from distrack.distill import Distiller, SyntheticSet
from distrack.distill.initialisations import INITIALISATIONS
from distrack.evaluate.contract import BASELINES, Baseline
from distrack.images import RealImages
from distrack.randomness import derived_seed


def stored_clips(train: RealImages, like: SyntheticSet, seed: int, *, initialisation: str) -> SyntheticSet:
    """As many real clips as there are tracks, in the parameterisation and the storage of the tracks.

    This is what a distillation begins with when it starts from these clips. What the tracks teach beyond it is what
    distillation adds to compression.

    Args:
        initialisation: the name of the initialisation that selects the clips.
    """
    config = like.config.model_copy(
        update={"initialisation": INITIALISATIONS.choice(initialisation), "seed": derived_seed(seed, "baseline")}
    )
    return Distiller(config, train, classes=like.classes, device=torch.device("cpu")).synthetic_set()


for _name, _initialisation, _clips, _title in (
    ("same-storage", "real", "Random clips", "Same-storage control"),
    ("same-storage-herding", "herding", "Herded clips", "Same-storage control, herding"),
    ("same-storage-k-means", "k-means", "k-means medoids", "Same-storage control, k-means"),
):
    BASELINES.add(
        _name,
        Baseline(
            partial(stored_clips, initialisation=_initialisation),
            f"{_clips}, stored as the tracks are, not distilled",
            depends_on=("domain", "parameterisation", "ipc", "factor"),
            is_stored=True,
        ),
        title=_title,
    )
