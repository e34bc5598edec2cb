"""The sum of many atoms: compiled code, NumPy and single atoms give the same sound, with numba or without."""

import sys

import numpy as np
import pytest

from distrack.arrays import Complex, Doubles, Floats, Integers
from distrack.decompose.pursuit import sound
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom

RATE, SAMPLES = 16_000, 8_000


def atoms(count: int, *, channels: int, seed: int = 0) -> tuple[Integers, Doubles, Complex]:
    """Random atoms of both shapes, of 0.01 ms to 3 s; some begin before the clip or end after it, or lie outside."""
    draw = np.random.default_rng(seed)
    rows = np.stack(
        [
            draw.uniform(-0.2, 0.7, count),
            10 ** draw.uniform(-5, 0.5, count),
            draw.uniform(0, RATE / 2 * (1 - 1e-6), count),
        ],
        axis=1,
    )
    amplitudes = draw.normal(size=(count, channels)) + 1j * draw.normal(size=(count, channels))
    return draw.integers(0, 2, count), rows, amplitudes


def summed(given: tuple[Integers, Doubles, Complex]) -> Floats:
    return sound.summed(*given, RATE, SAMPLES)


@pytest.fixture
def always_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "COMPILED_FROM", 0)


@pytest.mark.parametrize("channels", [1, 2])
def test_compiled_code_gives_the_sound_of_numpy(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = atoms(300, channels=channels)
    plain = summed(given)
    monkeypatch.setattr(sound, "COMPILED_FROM", 0)
    compiled = summed(given)
    assert compiled.shape == (channels, SAMPLES)
    assert np.abs(plain).max() > 1
    np.testing.assert_allclose(compiled, plain, rtol=0, atol=1e-6 * np.abs(plain).max())
    assert np.array_equal(compiled, summed(given))


@pytest.mark.usefixtures("always_compiled")
@pytest.mark.parametrize("shape", [GABOR, DAMPED])
def test_an_atom_of_many_seconds_keeps_its_phase(shape: int) -> None:
    rate, samples = 22_050, 600 * 22_050
    atom = Atom(shape, 100.0, 40.0, 1234.5)
    row = np.array([[atom.time, atom.scale, atom.frequency]])
    wave = sound.summed(np.array([shape]), row, np.array([[0.5 + 0.5j]]), rate, samples)[0]
    late = slice(250 * rate, 250 * rate + 500)
    expected = atom.sound(np.array([0.5 + 0.5j]), late, rate)[0]
    np.testing.assert_allclose(wave[late], expected, rtol=0, atol=1e-7)


@pytest.mark.usefixtures("always_compiled")
def test_no_atom_and_an_atom_outside_of_the_clip_are_silent() -> None:
    assert not summed(atoms(0, channels=2)).any()
    outside = np.array([GABOR]), np.array([[9.0, 0.01, 440.0]]), np.ones((1, 1), np.complex128)
    assert not summed(outside).any()


def test_without_numba_the_sound_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given = atoms(50, channels=1)
    plain = summed(given)
    monkeypatch.setattr(sound, "COMPILED_FROM", 0)
    monkeypatch.setitem(sys.modules, "numba", None)
    for module in ("distrack.compiled", "distrack.decompose.pursuit.compiled_sound"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert np.array_equal(summed(given), plain)


def test_the_supports_of_many_atoms_are_those_of_each() -> None:
    shapes, rows, _ = atoms(200, channels=1)
    starts, stops = sound.supports(shapes, rows, RATE, SAMPLES)
    for shape, row, start, stop in zip(shapes.tolist(), rows.tolist(), starts, stops, strict=True):
        where = Atom(shape, *row).support(RATE, SAMPLES)
        assert stop - start == where.stop - where.start
        assert stop == start or (start, stop) == (where.start, where.stop)


@pytest.mark.parametrize("compiled_from", [0, 1 << 40])
@pytest.mark.parametrize("channels", [1, 2])
def test_parts_are_those_of_the_whole(compiled_from: int, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "COMPILED_FROM", compiled_from)
    given = atoms(300, channels=channels)
    whole = summed(given)
    for first, last in ((0, 1), (0, 3_000), (1_234, 1_235), (2_345, 7_999), (7_990, SAMPLES), (5_000, 5_000)):
        part = sound.summed(*given, RATE, SAMPLES, first=first, last=last)
        np.testing.assert_allclose(part, whole[:, first:last], rtol=0, atol=1e-6 * np.abs(whole).max())


def test_a_part_computes_only_the_atoms_that_sound_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.array([[0.1, 0.001, 440.0], [0.3, 0.001, 440.0], [0.4, 0.001, 440.0]])
    given = np.zeros(3, np.int64), rows, np.ones((3, 1), np.complex128)
    computed: list[float] = []

    class Counted(Atom):
        def sound(self, amplitudes: Complex, where: slice, sample_rate: int) -> Doubles:
            computed.append(self.time)
            return super().sound(amplitudes, where, sample_rate)

    monkeypatch.setattr(sound, "Atom", Counted)
    sound.summed(*given, RATE, SAMPLES, first=round(0.25 * RATE), last=round(0.35 * RATE))
    assert computed == [0.3]
