"""Rounding to few bits: near, the same when it is done again, and of the same cost whatever the scale."""

import math

import numpy as np
import pytest

from distrack.decompose.pursuit.atoms import GABOR, Atom, as_complex, highest
from distrack.decompose.pursuit.rounding import BitRounding, FloatRounding
from distrack.decompose.pursuit.steps import BEST, COARSEST, FINEST, MAX_BITS, MIN_BITS, Steps, steps_for

RATE = 22_050
several = pytest.mark.parametrize("steps", [COARSEST, BEST, Steps(6, 8, 5, 6, 9), FINEST])


def random_atoms(count: int) -> list[Atom]:
    draw = np.random.default_rng(0)
    times, frequencies = draw.uniform(-1, 600, count), draw.uniform(0, RATE / 2, count)
    return [Atom(GABOR, *row) for row in zip(times, np.exp(draw.uniform(-9, 2, count)), frequencies, strict=True)]


@several
def test_numbers_are_rounded_to_the_nearest_steps_and_only_once(steps: Steps) -> None:
    rounding = BitRounding(steps, RATE)
    for atom in random_atoms(200):
        near = rounding.atom(atom)
        assert rounding.atom(near) == near == near.stored()
        octave = 2.0 ** math.floor(math.log2(near.scale))
        # float32 stores a time of minutes to some tens of microseconds.
        assert abs(near.time - atom.time) <= octave / 2**steps.time / 2 + 4e-5
        assert abs(math.log2(near.scale / atom.scale)) <= 2.0**-steps.scale / 2 + 1e-6
        step = 1 / octave / 2**steps.frequency
        assert abs(near.frequency - atom.frequency) <= step / (2 if atom.frequency < RATE / 2 - step else 1) + 1e-3
        assert 0 <= near.frequency < RATE / 2


@several
def test_amplitudes_and_phases_are_rounded_to_the_nearest_steps_and_only_once(steps: Steps) -> None:
    draw = np.random.default_rng(1)
    given = np.exp(draw.uniform(-15, 2, (50, 2))) * np.exp(1j * draw.uniform(-4, 4, (50, 2)))
    rounding = BitRounding(steps, RATE)
    pairs, amplitudes = rounding.amplitudes(given)
    assert pairs.shape == (50, 2, 2)
    assert pairs.dtype == np.float32
    assert np.array_equal(amplitudes, as_complex(pairs))
    assert np.array_equal(rounding.amplitudes(amplitudes)[0], pairs)
    assert np.abs(np.log2(np.abs(amplitudes / given))).max() <= 2.0**-steps.amplitude / 2 + 1e-6
    assert np.abs(np.angle(amplitudes / given)).max() <= np.pi / 2**steps.phase + 1e-6


def test_the_edges_of_what_an_atom_can_be() -> None:
    rounding = BitRounding(BEST, RATE)
    for atom in (
        Atom(GABOR, 0.0, 1e-9, 0.0),
        Atom(GABOR, -5.0, 1e9, highest(RATE)),
        Atom(GABOR, 600.0, 1e-5, highest(RATE)),
    ):
        near = rounding.atom(atom)
        assert rounding.atom(near) == near
        assert 1e-5 <= near.scale <= 1e3
        assert 0 <= near.frequency < RATE / 2
    pairs, amplitudes = rounding.amplitudes(np.array([0.0, 1e-12, 1e9, -1.0]))
    assert pairs[:2].tolist() == [[0, 0], [0, 0]]
    assert 0 < pairs[2, 0] <= 1e6
    assert amplitudes[3] == pytest.approx(-1)


def test_an_atom_loses_as_much_to_rounding_whatever_its_scale() -> None:
    """The mean overlap of atoms with their rounded selves, by the closed form of two Gaussians."""
    rounding, draw, overlaps = BitRounding(BEST, 192_000), np.random.default_rng(2), []
    for scale in (0.002, 0.02, 0.2):
        each = []
        for _ in range(400):
            atom = Atom(GABOR, draw.uniform(0, 5), scale * 2 ** draw.uniform(0, 1), draw.uniform(2000, 5000))
            near = rounding.atom(atom)
            square = atom.scale**2 + near.scale**2
            away = (atom.time - near.time) ** 2 / 2
            away += 2 * (np.pi * atom.scale * near.scale * (atom.frequency - near.frequency)) ** 2
            each.append(2 * atom.scale * near.scale / square * np.exp(-2 * away / square))
        overlaps.append(np.mean(each))
    assert np.ptp(overlaps) < 0.005
    assert 0.95 < np.mean(overlaps) < 0.99


def test_floats_are_rounded_to_float32() -> None:
    rounding = FloatRounding()
    atom = rounding.atom(Atom(GABOR, 0.1, 0.01, 440.1))
    assert atom.time == float(np.float32(0.1))
    assert rounding.amplitudes(np.array([1j]))[0].dtype == np.float32


def test_more_bits_are_finer_and_more_places_take_bits() -> None:
    def steps(bits: int, events: int = 1000, samples: int = 33_075, channels: int = 1) -> Steps:
        return steps_for(bits, events=events, samples=samples, channels=channels)

    sums = [sum(steps(bits)) for bits in range(MIN_BITS, MAX_BITS + 1)]
    assert sums == sorted(sums)
    assert steps(MIN_BITS, events=1, samples=10**7) == COARSEST
    assert steps(MAX_BITS + 100, events=1000) == FINEST
    assert sum(steps(40, samples=2**20)) < sum(steps(40, samples=2**15))
    assert sum(steps(40, events=100)) < sum(steps(40, events=1000))
    assert sum(steps(40, channels=2)) < sum(steps(40))
    assert steps(22, events=1550) == BEST
