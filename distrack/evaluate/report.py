"""The report of a run: its data and its evaluations, as `report.json` stores them, and what they show."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import scipy
from pydantic import Field, computed_field

from distrack.arrays import Doubles, Integers
from distrack.datasets.clips import disjoint_text
from distrack.evaluate.contract import EVALUATORS, formed
from distrack.validation import Record

_CONFIDENCE = 0.95


class Accuracy(Record):
    """Share of correct predictions: the mean and standard deviation over runs, and the value of every run."""

    mean: float
    std: float
    runs: tuple[float, ...]

    @classmethod
    def of(cls, runs: Sequence[float]) -> Self:
        """The accuracy of these runs."""
        return cls(mean=float(np.mean(runs)), std=float(np.std(runs)), runs=tuple(runs))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean over seeds, by Student's t; None for a single run.

        It covers the spread of the seeds alone. The choice of the test clips would add to it.
        """
        if len(self.runs) < 2:
            return None
        half = _half_width(self.runs)
        return max(0.0, self.mean - half), min(1.0, self.mean + half)

    @property
    def text(self) -> str:
        """Mean, standard deviation and number of runs.

        >>> Accuracy.of([0.9, 0.92]).text
        '0.910 ± 0.010 (2)'
        """
        return f"{self.mean:.3f} ± {self.std:.3f} ({len(self.runs)})"

    @property
    def interval_text(self) -> str:
        """The confidence interval; empty for a single run.

        >>> Accuracy.of([0.90, 0.91, 0.92]).interval_text
        '0.885 to 0.935'
        """
        return "" if self.interval is None else f"{self.interval[0]:.3f} to {self.interval[1]:.3f}"


class Paired(Record):
    """Differences of two accuracies, seed by seed: both learn with the same network and the same draws.

    Attributes:
        interval: 95 % confidence interval of the mean difference over seeds, by Student's t; None for a single seed.
    """

    mean: float
    interval: tuple[float, float] | None
    runs: tuple[float, ...]

    @classmethod
    def of(cls, one: Sequence[float], other: Sequence[float]) -> Self:
        """The differences of accuracies that belong together.

        >>> Paired.of([0.9, 0.8, 0.9], [0.7, 0.7, 0.6]).text
        '+0.200 (-0.048 to +0.448)'
        """
        differences = np.subtract(one, other)
        interval = None
        if len(differences) > 1:
            half = _half_width(differences)
            interval = (float(differences.mean()) - half, float(differences.mean()) + half)
        return cls(mean=float(differences.mean()), interval=interval, runs=tuple(differences.tolist()))

    @property
    def text(self) -> str:
        """The mean difference and its interval."""
        if self.interval is None:
            return f"{self.mean:+.3f}"
        return f"{self.mean:+.3f} ({self.interval[0]:+.3f} to {self.interval[1]:+.3f})"


def _half_width(values: Sequence[float] | Doubles) -> float:
    """Half of the 95 % confidence interval of a mean, by Student's t."""
    quantile = scipy.special.stdtrit(len(values) - 1, (1 + _CONFIDENCE) / 2)
    return float(quantile * np.std(values, ddof=1) / math.sqrt(len(values)))


class Evaluation(Record):
    """One line of `report.json`: the scores of one evaluator that learnt from one training set.

    Attributes:
        trained_on: `synthetic` for the tracks, or the name of a baseline.
        network: the network or the statistics that the evaluator represents images with.
        form: `sound` if the tracks were exported as sounds and analysed again; `image` for stored images, and for real
            clips.
        macro_f1: F1 score averaged over the classes, then over the runs.
        confusion: counts over all runs; a row is the true class, a column the predicted one.
        recipe: the training recipe; a report of an earlier version may have other fields.
        learning_rate: the tuned learning rate, or None if it was not tuned.
        seeds: number of runs that were wanted; None in a report of an earlier version.
    """

    evaluator: str
    trained_on: str
    network: str
    form: str = "image"
    accuracy: Accuracy
    macro_f1: float
    confusion: tuple[tuple[int, ...], ...]
    recipe: dict[str, Any] = Field(default_factory=dict)
    learning_rate: float | None = None
    seeds: int | None = None

    @property
    def training_set(self) -> str:
        """What the evaluator learnt from: `trained_on`, and the form unless that is the usual one."""
        return formed(self.trained_on, self.form)

    @property
    def finished(self) -> bool:
        """Whether all runs are there. An unfinished line is shown while it grows, and is no result."""
        return self.seeds is None or len(self.accuracy.runs) >= self.seeds

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Evaluator, training set, network and form: a report has one evaluation for each."""
        return self.evaluator, self.trained_on, self.network, self.form

    @computed_field  # type: ignore[prop-decorator]
    @property
    def recall(self) -> tuple[float, ...]:
        """Share of each class's clips that were recognised, over all runs; 0 for a class without clips."""
        counts = np.array(self.confusion)
        return tuple((counts.diagonal() / np.maximum(counts.sum(1), 1)).tolist())

    @property
    def worst_class(self) -> int | None:
        """The class with the lowest recall among those that have clips; None if none has any.

        >>> Evaluation(evaluator="e", trained_on="t", network="n", accuracy=Accuracy.of([0.6]), macro_f1=0.6,
        ...     confusion=((3, 1, 0), (3, 1, 0), (0, 0, 0))).worst_class
        1
        """
        tested = [label for label, row in enumerate(self.confusion) if any(row)]
        return min(tested, key=lambda label: self.recall[label], default=None)

    @property
    def lowest_recall(self) -> float | None:
        """The recall of `worst_class`."""
        return None if self.worst_class is None else self.recall[self.worst_class]


def score(
    truth: Integers,
    predictions: Sequence[Integers],
    *,
    classes: int,
    **measured: Any,
) -> Evaluation:
    """The scores of several runs on the same images.

    Args:
        measured: the other fields of `Evaluation`.

    Shape:
        - truth: ``[n]``
        - predictions: ``[n]`` for each run
    """
    # Counted with numpy because loading scikit-learn takes longer than reading cached predictions.
    counts = [np.bincount(truth * classes + run, minlength=classes**2).reshape(classes, -1) for run in predictions]
    f1 = [2 * each.diagonal() / np.maximum(each.sum(0) + each.sum(1), 1) for each in counts]
    confusion = np.sum(counts, axis=0)
    return Evaluation(
        accuracy=Accuracy.of([float((truth == run).mean()) for run in predictions]),
        macro_f1=float(np.mean(f1)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        **measured,
    )


class Comparison(NamedTuple):
    """Accuracies of the tracks and of what they are compared with, by one evaluator with one network.

    Attributes:
        tracks: of the tracks as they are stored; as sounds if that alone was measured.
        sound: of the tracks as exported sounds.
        random: of as many random clips as the budget holds.
        control: of real clips in the same storage, in the form of `tracks`; see the baseline `same-storage`.
        control_sound: of these as exported sounds.
        full: of the full dataset.
        plain, random_plain: of the tracks and of random clips, learnt without augmentation.

    All but `tracks` are None if they were not measured.

    Source:
        Li et al., "DD-Ranking: Rethinking the Evaluation of Dataset Distillation", arXiv 2505.13300, 2025, for the hard
        label recovery, the improvement over random and the augmentation-robust score. All sets here have hard labels.
    """

    evaluator: str
    network: str
    tracks: Accuracy
    sound: Accuracy | None = None
    random: Accuracy | None = None
    control: Accuracy | None = None
    control_sound: Accuracy | None = None
    full: Accuracy | None = None
    plain: Accuracy | None = None
    random_plain: Accuracy | None = None

    @property
    def gain(self) -> float | None:
        """Accuracy minus that of random clips of the same size: DD-Ranking's improvement over random (IOR)."""
        return _difference(self.tracks, self.random)

    @property
    def added(self) -> float | None:
        """Accuracy minus that of real clips in the same storage: what distillation adds to compression."""
        return _difference(self.tracks, self.control)

    @property
    def added_by_seed(self) -> Paired | None:
        """What distillation adds, seed by seed; None where the numbers of seeds differ."""
        if self.control is None or len(self.control.runs) != len(self.tracks.runs):
            return None
        return Paired.of(self.tracks.runs, self.control.runs)

    @property
    def added_as_sound(self) -> float | None:
        """What distillation adds when both are exported as sounds."""
        return _difference(self.sound, self.control_sound)

    @property
    def lost(self) -> float | None:
        """Accuracy of the full dataset minus that of the tracks: DD-Ranking's hard label recovery (HLR)."""
        return _difference(self.full, self.tracks)

    @property
    def recovered(self) -> float | None:
        """Accuracy as a share of that of the full dataset."""
        return None if self.full is None or not self.full.mean else self.tracks.mean / self.full.mean

    @property
    def augmentation_robust_score(self) -> float | None:
        """DD-Ranking's augmentation-robust score (ARS), from 0 to 1.

        The improvement over random clips, half of it measured with augmentation and half without, on an exponential
        scale: an improvement of -1 is 0, none is 0.269 and an improvement of 1 is 1.
        """
        plain = _difference(self.plain, self.random_plain)
        if self.gain is None or plain is None:
            return None
        return (math.exp((self.gain + plain) / 2) - math.exp(-1)) / (math.exp(1) - math.exp(-1))


def _difference(one: Accuracy | None, other: Accuracy | None) -> float | None:
    return None if one is None or other is None else one.mean - other.mean


def comparisons(evaluations: Iterable[Evaluation]) -> list[Comparison]:
    """One comparison for each evaluator and network that measured the tracks.

    >>> line = lambda trained_on, accuracy: Evaluation(
    ...     evaluator="random-cnn", trained_on=trained_on, network="n", accuracy=Accuracy.of([accuracy]),
    ...     macro_f1=accuracy, confusion=((1,),))
    >>> one, = comparisons([line("synthetic", 0.75), line("random-selection", 0.25), line("full", 1.0)])
    >>> one.gain, one.lost, one.recovered
    (0.5, 0.25, 0.75)
    """
    by_key = {evaluation.key: evaluation.accuracy for evaluation in evaluations}

    def compared(evaluator: str, network: str) -> Comparison:
        form = "image" if (evaluator, "synthetic", network, "image") in by_key else "sound"
        plain = EVALUATORS[evaluator].without_augmentation if evaluator in EVALUATORS else ""

        def of(trained_on: str, form: str = "image", by: str = evaluator) -> Accuracy | None:
            return by_key.get((by, trained_on, network, form))

        return Comparison(
            evaluator,
            network,
            by_key[evaluator, "synthetic", network, form],
            sound=of("synthetic", "sound"),
            random=of("random-selection"),
            control=of("same-storage", form),
            control_sound=of("same-storage", "sound"),
            full=of("full"),
            plain=of("synthetic", form, plain),
            random_plain=of("random-selection", by=plain),
        )

    pairs = dict.fromkeys((evaluator, network) for evaluator, name, network, _ in by_key if name == "synthetic")
    return [compared(*pair) for pair in pairs]


class SplitReport(Record):
    """The split of the dataset.

    Attributes:
        disjoint_by: what no two sides share, for example the speaker.
        test_fold: official fold that is tested on; None for a dataset without folds.
        notes: further facts, for example that the dataset is a subset.
        copies: number of clips that are left out because another clip has the same sound; None in a report of an
            earlier version, which did not look for copies.
    """

    train: int
    test: int
    disjoint_by: str
    validation: int = 0
    test_fold: int | None = None
    notes: tuple[str, ...] = ()
    copies: int | None = None

    @property
    def sentence(self) -> str:
        """What the two sides do not share, as far as it was checked."""
        if self.disjoint_by == "clip" and self.copies is None:
            return "Split by clip; an earlier version did not look for copies of clips."
        return disjoint_text(self.disjoint_by)


class Report(Record):
    """The content of `report.json`.

    Attributes:
        tracks_per_class: the storage budget in whole tracks.
        rendered_per_class: number of tracks that are rendered from that storage.
        floats_per_class: stored floats per class, labels counted.
        seconds: wall time of each phase.
        skipped: number of files of the dataset that cannot be used.
        pace: seconds of an evaluation for each image that its networks saw in training, the last time that any was
            trained; None if all predictions came from the cache.
    """

    dataset: str
    split: SplitReport
    feature: str
    domain: str
    parameterisation: str = "identity"
    tracks_per_class: int
    rendered_per_class: int
    seconds_per_track: float
    floats_per_class: int
    seconds: dict[str, float]
    device: str
    skipped: int
    evaluations: tuple[Evaluation, ...]
    pace: float | None = None

    def accuracy(self, evaluator: str, trained_on: str, form: str = "image") -> float | None:
        """Mean accuracy of an evaluator on a training set, or None if it was not measured."""
        wanted = (evaluator, trained_on, form)
        measured = (each for each in self.evaluations if (each.evaluator, each.trained_on, each.form) == wanted)
        return next((each.accuracy.mean for each in measured), None)
