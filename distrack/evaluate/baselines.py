"""Baselines: what real clips of the training side do in the place of the tracks."""

from collections.abc import Callable

from distrack.distill.initialisation import Initialisation, central, herd, random_selection
from distrack.evaluate.contract import BASELINES, Baseline, TrainingSet
from distrack.images import RealImages
from distrack.randomness import derived_seed

_PROTOTYPES = ("prototype", "prototype-ensemble", "prototype-trained")
_ALL = ("random-cnn", *_PROTOTYPES, "linear-probe")


def _clips(select: Initialisation) -> Callable[[RealImages, int, int], TrainingSet]:
    """As many real clips of each class as there are tracks, the same storage, chosen by `select`."""

    def choose(train: RealImages, ipc: int, seed: int) -> TrainingSet:
        return TrainingSet.of_clips(train, select(train, ipc, derived_seed(seed, "baseline")))

    return choose


def choose_mean(train: RealImages, ipc: int, seed: int) -> TrainingSet:  # noqa: ARG001
    """All real clips, one mean for each class: less storage than more than one track."""
    return TrainingSet.of_clips(train, centres=1)


def choose_centres(train: RealImages, ipc: int, seed: int) -> TrainingSet:  # noqa: ARG001
    """All real clips, as many k-means centres for each class as there are tracks."""
    return TrainingSet.of_clips(train, centres=ipc)


def choose_all(train: RealImages, ipc: int, seed: int) -> TrainingSet:  # noqa: ARG001
    """All real clips: what the tracks are compressed from."""
    return TrainingSet.of_clips(train)


BASELINES.add("random-selection", Baseline(_clips(random_selection), _ALL, "as many random clips"))
BASELINES.add("herding", Baseline(_clips(herd), _ALL, "as many clips whose mean is the class's"))
BASELINES.add("k-means", Baseline(_clips(central), _ALL, "as many medoids"))
BASELINES.add("k-means-centres", Baseline(choose_centres, _PROTOTYPES, "as many centres, for prototypes only"))
BASELINES.add("class-mean", Baseline(choose_mean, _ALL, "the mean of each class", as_many=False))
BASELINES.add(
    "full",
    Baseline(choose_all, ("random-cnn", "linear-probe"), "all training clips, which takes the longest", as_many=False),
)
