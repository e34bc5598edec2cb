"""The membership attack tells planted truths: copies give their clips away, sets that saw no clip give none away."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from distrack.arrays import Doubles, Mask
from distrack.evaluate.half_sets import half
from distrack.evaluate.membership import RATES, SIGNALS, attack, scores
from distrack.features import Normalisation
from distrack.images import RealImages
from distrack.learning import Recipe, TrainingSet
from distrack.networks import NetworkConfig
from distrack.progress import unwatched

HALVES, CLASSES = 12, 2
RECIPE = Recipe(network=NetworkConfig(width=16, depth=2), steps=200, epochs=1)


@pytest.fixture(scope="module")
def clips() -> RealImages:
    """Two classes of random images that have nothing in common, so that a network can only learn them by heart."""
    count = 120
    images = np.random.default_rng(0).standard_normal((count, 1, 8, 8)).astype(np.float32)
    rows, labels = np.arange(count), np.arange(count) % CLASSES
    plain = Normalisation(mean=(0.0,), std=(1.0,))
    return RealImages(images, np.zeros((count, 1), np.float32), rows, labels, CLASSES, plain)


def signals_of(clips: RealImages, signal: str, sets: list[TrainingSet]) -> Doubles:
    """The signal of every clip in every set."""
    cpu = torch.device("cpu")
    return np.array([SIGNALS[signal](each, clips, RECIPE, seed, cpu, unwatched) for seed, each in enumerate(sets)])


def members_of(clips: RealImages) -> Mask:
    """Which clips are in each half."""
    return np.array([half(clips.labels, number, 0) for number in range(HALVES)])


@pytest.mark.parametrize(("signal", "least"), [("distance", 0.99), ("network", 0.3)])
def test_copies_give_their_clips_away(clips: RealImages, signal: str, least: float) -> None:
    members = members_of(clips)
    copies = [TrainingSet.of_clips(clips, np.flatnonzero(used)) for used in members]
    found = attack("copies", signal, scores(signals_of(clips, signal, copies), members), members, 0)
    first = found.rates[0]
    assert first.false_positives == 0.01
    assert first.true_positives >= least
    assert found.area > 0.9
    # The same scores tell nothing about halves that the sets were not made from.
    others = np.array([half(clips.labels, number, 1) for number in range(HALVES)])
    chance = attack("copies", signal, scores(signals_of(clips, signal, copies), others), others, 0)
    assert chance.rates[0].true_positives < 0.05
    assert abs(chance.area - 0.5) < 0.05


@pytest.mark.parametrize("signal", list(SIGNALS))
def test_sets_that_saw_no_clip_give_none_away(clips: RealImages, signal: str) -> None:
    members, labels = members_of(clips), torch.arange(8) % CLASSES
    strangers = [
        TrainingSet.of_images(images, labels, classes=CLASSES, shift_bands=False)
        for images in torch.randn(HALVES, 8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    ]
    found = attack("strangers", signal, scores(signals_of(clips, signal, strangers), members), members, 0)
    for rate in found.rates:
        low, high = rate.interval
        assert low <= rate.false_positives <= max(high, 2 * rate.false_positives)
        assert rate.true_positives < rate.false_positives + 0.02
    assert abs(found.area - 0.5) < 0.05


def test_a_half_has_half_of_each_class_and_does_not_depend_on_how_many_there_are() -> None:
    labels = np.repeat([0, 1, 2], [10, 7, 1])
    halves = np.array([half(labels, number, 5) for number in range(20)])
    assert (halves[::2] ^ halves[1::2]).all(), "each odd half is the rest"
    assert (halves.sum(0) == 10).all()
    assert set(halves[:, labels == 0].sum(1)) == {5}
    assert set(halves[:, labels == 1].sum(1)) == {3, 4}
    assert len({each.tobytes() for each in halves}) == 20
    assert not np.array_equal(halves[0], half(labels, 0, 6)), "another seed, other halves"


def test_a_score_compares_a_signal_with_those_of_the_other_sets_made_without_the_clip() -> None:
    random = np.random.default_rng(0)
    signals, members = random.standard_normal((6, 9)), random.random((6, 9)) < 0.5
    members[:3], members[3:] = members[:3], ~members[:3]
    expected = np.empty_like(signals)
    for one, clip in np.ndindex(signals.shape):
        others = [signals[k, clip] for k in range(6) if k != one and not members[k, clip]]
        expected[one, clip] = signals[one, clip] - np.mean(others)
    found = scores(signals, members)
    ratio = found / expected
    assert np.allclose(ratio, ratio[0, 0]), "one deviation for all clips"
    assert np.sqrt(np.mean(found[~members] ** 2)) == pytest.approx(1)
    assert np.isfinite(scores(np.zeros((4, 3)), members[:4, :3])).all(), "a signal that never changes tells nothing"


def test_a_curve_is_that_of_sorted_scores() -> None:
    random = np.random.default_rng(1)
    members = random.random((10, 300)) < 0.5
    scored = random.standard_normal((10, 300)) + members
    found = attack("any", "any", scored, members, 0)
    assert found.area == pytest.approx(roc_auc_score(members.ravel(), scored.ravel()))
    assert [rate.false_positives for rate in found.rates] == list(RATES)
    threshold = np.quantile(scored[~members], 1 - RATES[0])
    assert found.rates[0].true_positives == pytest.approx((scored[members] > threshold).mean(), abs=0.02)
    assert all(rate.interval[0] <= rate.true_positives <= rate.interval[1] for rate in found.rates)
    assert found.curve[-1] == pytest.approx((1, 1))
    alike = attack("any", "any", np.zeros((10, 300)), members, 0)
    assert (alike.area, alike.rates[0].true_positives) == (0.5, 0.0), "equal scores are not told apart"
