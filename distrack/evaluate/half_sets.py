"""Sets that are made from one half of the training clips, as a membership attack needs them."""

from collections.abc import Callable

import numpy as np
import torch

from distrack.arrays import Integers, Mask
from distrack.distill import Distiller, SyntheticSet
from distrack.distill.initialisations import INITIALISATIONS
from distrack.errors import ConfigError
from distrack.evaluate.contract import BASELINES
from distrack.evaluate.tracks import training_set_of
from distrack.images import RealImages
from distrack.learning import TrainingSet
from distrack.randomness import derived_seed

# Tracks that are distilled as the run's are, but do not start from clips.
FROM_NOISE = "synthetic (from noise)"
# Real clips that are attacked beside the tracks.
CONTROLS = ("same-storage", "random-selection")


class HalfSets:
    """What is made from random halves of the training clips: tracks, tracks from noise, and baselines.

    Args:
        synthetic: the run's own tracks, whose config and storage the sets have.
        train: the whole training side.

    Raises:
        ConfigError: a class has fewer clips in a half than there are tracks.
    """

    def __init__(self, synthetic: SyntheticSet, train: RealImages, device: torch.device) -> None:
        self._like, self._train, self._device = synthetic, train, device
        self._config = config = synthetic.config
        self._starts = {"synthetic": config.initialisation}
        if config.initialisation.name != "noise":
            self._starts[FROM_NOISE] = INITIALISATIONS.choice("noise")
        fewest, label = min((len(train.of_class(label)) // 2, label) for label in range(train.classes))
        if fewest < config.ipc:
            few = f"half of the training clips of class {synthetic.classes[label]} are only {fewest}"
            raise ConfigError(f"ipc {config.ipc}: {few}. Attack a run with at most {fewest} tracks per class")

    @property
    def steps(self) -> int:
        """Steps of all distillations of one half."""
        return len(self._starts) * self._config.steps

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the sets that are made from each half."""
        return (*self._starts, *CONTROLS)

    def members(self, number: int) -> Mask:
        """Which training clips are in a half, `[clips]`."""
        return half(self._train.labels, number, self._config.seed)

    def seed(self, number: int) -> int:
        """Seed of everything random in one half."""
        return derived_seed(self._config.seed, "half", number) % 2**32

    def make(self, number: int, progress: Callable[[int], None]) -> dict[str, TrainingSet]:
        """The sets of one half, by their names.

        Args:
            progress: called with the number of steps that are done, of `steps`.

        Raises:
            RunError: a distillation diverged.
        """
        clips, seed = self._train.at(self.members(number)), self.seed(number)
        sets, before = {}, 0
        for name, start in self._starts.items():
            config = self._config.model_copy(update={"seed": seed, "initialisation": start})
            distiller = Distiller(config, clips, classes=self._like.classes, device=self._device)
            for record in distiller:
                progress(before + record.step)
            before += config.steps
            sets[name] = training_set_of(distiller.synthetic_set(), clips)
        for name in CONTROLS:
            chosen = BASELINES[name].choose(clips, self._like, seed)
            sets[name] = chosen if isinstance(chosen, TrainingSet) else training_set_of(chosen, clips)
        return sets


def half(labels: Integers, number: int, seed: int) -> Mask:
    """Which clips are in a half, `[clips]`: half of each class at random, and each odd half is what the even one left.

    Half number n does not depend on how many halves there are.
    """
    members = np.zeros(len(labels), dtype=bool)
    random = np.random.default_rng(derived_seed(seed, "halves", number // 2))
    for label in np.unique(labels):
        clips = random.permutation(np.flatnonzero(labels == label))
        # Of an odd number of clips one more is in the first half as often as in the second.
        members[clips[: (len(clips) + int(random.integers(2))) // 2]] = True
    return members if number % 2 == 0 else ~members
