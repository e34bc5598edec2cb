"""The contracts of evaluators and baselines, and their registries."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from distrack.distill import SyntheticSet
from distrack.images import RealImages
from distrack.learning import Recipe, TrainingSet
from distrack.progress import Progress
from distrack.registry import Registry


class Trial(NamedTuple):
    """One run of one measurement. On a CPU the predictions depend on nothing but its values.

    Attributes:
        test: the images whose classes are predicted: real test clips, or tracks.
        clips: all real training clips, for an evaluator that trains its embedding network on them.
    """

    training: TrainingSet
    test: RealImages | TrainingSet
    recipe: Recipe
    clips: TrainingSet
    seed: int
    device: torch.device
    progress: Progress

    def predicted(self, classify: Callable[[Tensor], Tensor]) -> Tensor:
        """The classes, `[n]` int64, that a function names of all test images, batch by batch.

        They are written into one tensor: small ones that are kept between the large ones of each batch would keep the
        process from using that memory again, and it would grow with the images.
        """
        predictions, done = torch.empty(len(self.test), dtype=torch.int64), 0
        with torch.no_grad():
            for images, _ in self.test.batches(self.device):
                predictions[done : done + len(images)] = classify(images)
                done += len(images)
        return predictions


class Evaluator(NamedTuple):
    """A way to measure a training set.

    Attributes:
        predict: learns from a training set and predicts the classes of other images, `[n]` int64.
        network_name: what it represents images with, as a report names it: a network, or statistics.
        any_network: it trains one network by the recipe, so it can be repeated with other architectures and its
            learning rate can be tuned.
        has_latent_space: it compares embeddings with prototypes, which may be centres of many embeddings.
        tests_tracks: it learns from all real training clips and classifies the tracks, not the other way round.
        measures: names of the training sets that it measures; empty for all.
        usual_steps: about how many steps its network takes if it converges before the recipe ends; 0 if it does not.
        without_augmentation: name of the evaluator that does the same without augmentation, if there is one.
    """

    predict: Callable[[Trial], Tensor]
    network_name: Callable[[Recipe], str]
    summary: str
    any_network: bool = False
    has_latent_space: bool = False
    tests_tracks: bool = False
    measures: tuple[str, ...] = ()
    usual_steps: int = 0
    without_augmentation: str = ""


class Baseline(NamedTuple):
    """A training set of real clips that a synthetic set is compared with.

    Attributes:
        choose: makes it from the real training clips, the synthetic set and a seed. It is a synthetic set itself where
            clips are stored as the tracks are.
        suits: whether an evaluator can measure it.
        depends_on: the fields of the distillation's config that another training set follows from.
        is_stored: whether `choose` makes a synthetic set, which can be evaluated as images or as sounds.
    """

    choose: Callable[[RealImages, SyntheticSet, int], TrainingSet | SyntheticSet]
    summary: str
    suits: Callable[[Evaluator], bool] = lambda _evaluator: True
    depends_on: tuple[str, ...] = ("ipc",)
    is_stored: bool = False


EVALUATORS: Registry[Evaluator] = Registry("evaluator")
BASELINES: Registry[Baseline] = Registry("baseline")


def name_of(training_set: str) -> str:
    """The tracks or a baseline as the screen names it, with its form; an unknown name stays as it is.

    >>> name_of("synthetic"), name_of("synthetic (sound)"), name_of("a plugin's")
    ('Synthetic tracks', 'Synthetic tracks (sound)', "a plugin's")
    """
    name, space, form = training_set.partition(" (")
    title = "Synthetic tracks" if name == "synthetic" else BASELINES.title(name) if name in BASELINES else name
    return f"{title}{space}{form}"


def formed(name: str, form: str) -> str:
    """A training set by its name or title, and its form unless that is the usual one.

    >>> formed("synthetic", "image"), formed("synthetic", "sound")
    ('synthetic', 'synthetic (sound)')
    """
    return name if form == "image" else f"{name} ({form})"
