"""Membership inference: whether someone who has the tracks can tell which clips they were made from.

Many sets are made, each from a random half of the training clips. For every set and every clip an attacker then guesses
whether the clip was in the half. The guess compares a signal, such as how near the nearest track is, with the same
signal in the sets that were made without the clip.

Source:
    Carlini et al., "Membership Inference Attacks From First Principles" (LiRA), IEEE Symposium on Security and Privacy,
    2022; of distilled sets: Carlini, Feldman and Nasr, "No Free Lunch in 'Privacy for Free: How does Dataset
    Condensation Help Privacy'", 2022.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Doubles, Integers, Mask
from distrack.distill import SyntheticSet
from distrack.evaluate.memorisation import nearest_vectors, scaled_vectors
from distrack.images import RealImages
from distrack.learning import Recipe, TrainingSet, trained_network
from distrack.progress import Progress
from distrack.randomness import derived_seed
from distrack.registry import Registry
from distrack.validation import Record

# What a reader of a result is told: an attack measures a leak, its failure proves nothing.
NO_PROOF = (
    "A rate near that of false positives means that these attacks failed, not that the tracks are private: other "
    "attacks may succeed, and other clips may be exposed. Only a proof about the method, such as differential privacy, "
    "is a guarantee."
)
# The rates of false positives at which an attack is judged.
RATES = (0.01, 0.001)
# Those at which its curve is stored.
_CURVE = np.geomspace(1e-4, 1, 81)
# Added to a distance before its logarithm is taken, because a copy of a clip has the distance 0.
_SMALLEST = 1e-6
# Resamplings of clips and of halves behind an interval, and the share of them that it covers.
_RESAMPLINGS, _COVERED = 200, 0.95
# Clips that are named as most exposed.
_EXPOSED = 12

# (training set, real clips, recipe, seed, device, progress): a number for each clip that is larger if the clip seems to
# have been used, `[clips]`.
Signal = Callable[[TrainingSet, RealImages, Recipe, int, torch.device, Progress], Doubles]
SIGNALS: Registry[Signal] = Registry("membership signal")


class Rate(Record):
    """Share of members that an attack recognises while it takes so many others for members.

    Attributes:
        false_positives: share of other clips that it takes for members.
        true_positives: share of members that it recognises.
        interval: 95 % interval of that share, by resampling clips and halves.
    """

    false_positives: float
    true_positives: float
    interval: tuple[float, float]

    @property
    def text(self) -> str:
        """The share and its interval."""
        return f"{self.true_positives:.4f} ({self.interval[0]:.4f} to {self.interval[1]:.4f})"


class Attack(Record):
    """How well membership in one kind of set is told by one signal.

    Attributes:
        subject: what the sets are: `synthetic`, or the name of a baseline.
        signal: the name of the signal.
        rates: at each of `RATES`.
        area: area under the ROC curve; 0.5 is guessing.
        curve: pairs of false and true positives, for a figure with logarithmic axes.
    """

    subject: str
    signal: str
    rates: tuple[Rate, ...]
    area: float
    curve: tuple[tuple[float, float], ...]


class Exposed(Record):
    """A training clip whose use shows most in the tracks.

    Attributes:
        clip: its position on the training side.
        exposure: its mean score in sets made with it, minus that in sets made without it, in standard deviations.
        track: number of the track of its class that is nearest to it in the run.
    """

    clip: int
    exposure: float
    track: int


class Membership(Record):
    """The content of `membership.json`.

    Attributes:
        tracks: fingerprint of the run's synthetic set.
        halves: number of random halves, each with a set of every kind.
        clips: number of training clips.
        attacks: every kind of set by every signal.
        exposed: the most exposed clips by each signal, in tracks as the run makes them.
    """

    tracks: str
    halves: int
    clips: int
    attacks: tuple[Attack, ...]
    exposed: dict[str, tuple[Exposed, ...]]


@SIGNALS.register("distance", title="Distance to the nearest track")
def nearness(
    training: TrainingSet, clips: RealImages, recipe: Recipe, seed: int, device: torch.device, progress: Progress
) -> Doubles:
    """Negative logarithm of the root mean squared difference between a clip and the nearest image of its class."""
    del recipe, seed
    tracks = scaled_vectors(None, training.images(np.arange(len(training)), device))
    signal = np.empty(len(clips))
    for label in range(clips.classes):
        positions, of_class = clips.of_class(label), tracks[training.labels.to(device) == label]
        distances, _ = nearest_vectors(scaled_vectors(None, clips.batch(positions, device)), [of_class])
        signal[positions] = -np.log(distances + _SMALLEST)
        progress(label + 1, clips.classes)
    return signal


@SIGNALS.register("network", title="Confidence of a CNN")
def confidence(
    training: TrainingSet, clips: RealImages, recipe: Recipe, seed: int, device: torch.device, progress: Progress
) -> Doubles:
    """Log odds of a clip's class in a random CNN that was trained on the set, without augmentation and mixup."""
    network = trained_network(training.examples(device), recipe.plain, seed, device, progress)
    signal, done = np.empty(len(clips)), 0  # in one array, as in `Trial.predicted`
    with torch.no_grad():
        for images, labels in clips.batches(device):
            signal[done : done + len(labels)] = _log_odds(network(images), labels)
            done += len(labels)
    return signal


def _log_odds(logits: Tensor, labels: Tensor) -> Doubles:
    """Logarithm of p / (1 - p) for the probability p of the true class, `[n]`."""
    true = logits.gather(1, labels[:, None]).squeeze(1)
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    odds: Doubles = (true - others).double().cpu().numpy()
    return odds


def scores(signals: Doubles, members: Mask) -> Doubles:
    """The attacker's score of every clip in every set: how unusual its signal is for a set that was made without it.

    The usual signal of a clip is its mean over the other sets without it; the deviation around that mean is common to
    all clips, because few sets do not tell that of each clip apart. Sets that were made with the clip are not used: a
    track is made of few clips of a half only, so that most of these sets do not show what a clip leaves behind.

    Shape:
        - signals, members, returns: ``[halves, clips]``

    Source:
        Carlini et al., "Membership Inference Attacks From First Principles": LiRA with global variance, offline.
    """
    without = ~members
    others = without.sum(0) - without
    means = ((signals * without).sum(0) - signals * without) / np.maximum(others, 1)
    deviations = signals - means
    spread = float(np.sqrt(np.mean(deviations[without] ** 2)))
    scored: Doubles = deviations / max(spread, np.finfo(float).tiny)
    return scored


def attack(subject: str, signal: str, scored: Doubles, members: Mask, seed: int) -> Attack:
    """How well scores, `[halves, clips]`, tell members."""
    curve = _Curve(scored, members)
    halves, clips = scored.shape
    random = np.random.default_rng(derived_seed(seed, "membership intervals"))
    resampled = []
    for _ in range(_RESAMPLINGS):
        # A half and the rest of it, which follows from it, are drawn together.
        of_halves = np.repeat(random.multinomial(halves // 2, np.full(halves // 2, 2 / halves)), 2)
        of_clips = random.multinomial(clips, np.full(clips, 1 / clips))
        resampled.append(curve.true_positives(np.array(RATES), np.outer(of_halves, of_clips)))
    tail = (1 - _COVERED) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    rates = tuple(
        Rate(false_positives=rate, true_positives=float(share), interval=(float(least), float(most)))
        for rate, share, least, most in zip(RATES, curve.true_positives(np.array(RATES)), low, high, strict=True)
    )
    pairs = zip(_CURVE.tolist(), curve.true_positives(_CURVE).tolist(), strict=True)
    return Attack(subject=subject, signal=signal, rates=rates, area=curve.area(), curve=tuple(pairs))


class _Curve:
    """The ROC curve of scores; resampling changes weights only, so that the scores are sorted once."""

    def __init__(self, scored: Doubles, members: Mask) -> None:
        flat = scored.ravel()
        self._order = np.argsort(-flat, kind="stable")
        self._members = members.ravel()[self._order]
        # Equal scores are taken for members together.
        self._ends = np.append(np.flatnonzero(np.diff(flat[self._order])), flat.size - 1)

    def true_positives(self, false_positives: Doubles, weights: Integers | None = None) -> Doubles:
        """Share of members recognised at these shares of false positives, at most; weighted if there are weights."""
        members = self._members
        weighted = np.ones(members.size) if weights is None else weights.ravel()[self._order]
        taken = np.cumsum(weighted * members)[self._ends]
        wrong = np.cumsum(weighted * ~members)[self._ends]
        places = np.searchsorted(wrong / max(wrong[-1], 1), false_positives, side="right")
        shares: Doubles = np.append(0, taken / max(taken[-1], 1))[places]
        return shares

    def area(self) -> float:
        """Area under the curve."""
        taken, wrong = (np.append(0, np.cumsum(each)[self._ends]) for each in (self._members, ~self._members))
        return float(np.trapezoid(taken / taken[-1], wrong / wrong[-1]))


def exposed(scored: Doubles, members: Mask, synthetic: SyntheticSet, train: RealImages) -> tuple[Exposed, ...]:
    """The clips whose scores, `[halves, clips]`, differ most between sets made with and without them.

    Args:
        synthetic: the run's own tracks, of which the nearest one is named.
    """
    means = [(scored * each).sum(0) / np.maximum(each.sum(0), 1) for each in (members, ~members)]
    exposure = means[0] - means[1]
    clips = np.argsort(-exposure)[:_EXPOSED]
    tracks, found = scaled_vectors(None, synthetic.tracks()), []
    for clip in clips:
        of_class = torch.nonzero(synthetic.labels == int(train.labels[clip])).squeeze(1)
        query = scaled_vectors(None, train.batch(np.array([clip]), torch.device("cpu")))
        _, nearest = nearest_vectors(query, [tracks[of_class]])
        found.append(Exposed(clip=int(clip), exposure=float(exposure[clip]), track=int(of_class[nearest[0]])))
    return tuple(found)
