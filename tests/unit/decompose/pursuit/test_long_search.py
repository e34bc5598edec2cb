"""The search of a long sound: as in one piece, in memory of a section, and again from the begin of any section."""

import math
from typing import Any

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import render, snr_db
from distrack.decompose.pursuit import decomposer
from distrack.decompose.pursuit.long_search import LongSearch
from distrack.decompose.pursuit.rounding import FloatRounding
from tests.unit.decompose.pursuit.clips import finished, music, pursuit

RATE = 4_000
# Samples of a section of these tests.
SECTION = 3 * RATE


class InParts:
    """A sound that cannot be read at once, and what was read of it."""

    def __init__(self, wave: Floats) -> None:
        self._wave, self.shape, self.longest = wave, wave.shape, 0

    def __getitem__(self, place: tuple[slice, slice]) -> Floats:
        part = self._wave[place]
        self.longest = max(self.longest, part.shape[1])
        return part


@pytest.fixture(autouse=True)
def in_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips of a few seconds are searched section by section."""
    monkeypatch.setattr(decomposer, "ONE_PIECE", SECTION)
    init = LongSearch.__init__

    def short(self: LongSearch, *given: Any, **settings: Any) -> None:
        init(self, *given, **settings, section=SECTION)

    monkeypatch.setattr(LongSearch, "__init__", short)


def in_one_piece(wave: Any, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Any:
    with monkeypatch.context() as usual:
        usual.setattr(decomposer, "ONE_PIECE", math.prod(wave.shape))
        return finished(wave, RATE, **settings)[1]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_sections_find_what_one_piece_finds(channels: int, orthogonal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = music(10.0, rate=RATE, channels=channels)
    wave[:, : 4 * RATE] *= 0.3
    search, found = finished(wave, RATE, events=600, orthogonal=orthogonal)
    assert isinstance(search.search, LongSearch)
    whole = in_one_piece(wave, monkeypatch, events=600, orthogonal=orthogonal)
    assert len(found) == len(whole) == 600
    assert snr_db(wave, render(found)) == pytest.approx(snr_db(wave, render(whole)), abs=0.25)
    # The loud part gets as many atoms as in one piece.
    late = [int((events.column("time") > 4).sum()) for events in (found, whole)]
    assert late[0] == pytest.approx(late[1], rel=0.03)
    assert search.snr_db() == pytest.approx(snr_db(wave, render(found)), abs=0.02)


def test_plain_atoms_are_those_of_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = music(10.0, rate=RATE)
    _, found = finished(wave, RATE, events=150, orthogonal=False)
    whole = in_one_piece(wave, monkeypatch, events=150, orthogonal=False)
    rows = {tuple(row) for row in np.round(whole.parameters[:, :3].astype(float), 3).tolist()}
    same = sum(tuple(row) in rows for row in np.round(found.parameters[:, :3].astype(float), 3).tolist())
    assert same > 0.8 * len(whole)


def test_a_sound_in_a_file_is_searched_in_one_piece_if_it_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = music(2.0, rate=RATE)
    found = in_one_piece(InParts(wave), monkeypatch, events=20)
    assert np.array_equal(found.parameters, in_one_piece(wave, monkeypatch, events=20).parameters)


def test_it_reads_no_more_than_a_section_and_its_margins() -> None:
    wave = music(80.0, rate=RATE)
    sound = InParts(wave)
    energy = float(np.square(wave, dtype=np.float64).sum())
    search = LongSearch(sound, RATE, events=100, orthogonal=True, rounding=FloatRounding(), energy=energy)
    while search.refining:
        search.take()
    assert search.count == 100
    assert sound.longest < wave.shape[1] / 2


@pytest.mark.parametrize("orthogonal", [False, True])
def test_it_continues_bit_for_bit_from_every_place(orthogonal: bool) -> None:
    wave = music(8.0, rate=RATE)
    settings = {"events": 120, "orthogonal": orthogonal}
    whole, found = finished(wave, RATE, **settings)
    steps = sum(1 for _ in pursuit(wave, RATE, **settings))
    for stop in range(0, steps, 29):
        begun = pursuit(wave, RATE, **settings)
        for _, _ in zip(range(stop), begun, strict=False):
            pass
        later = pursuit(wave, RATE, **settings)
        later.restore(begun.state())
        for _ in later:
            pass
        assert np.array_equal(later.events().parameters, found.parameters), stop
        assert later.residual_energy == whole.residual_energy, stop


@pytest.mark.parametrize("name", ["numbers", "energy", "table", "pairs", "energies", "removed", "best"])
def test_a_state_that_does_not_fit_is_refused(name: str) -> None:
    wave = music(8.0, rate=RATE)
    begun = pursuit(wave, RATE, events=120)
    while not begun.search.state()["table"].size:
        begun.step()
    state = dict(begun.search.state())
    state[name] = np.concatenate([state[name].ravel(), [10**6]]).astype(state[name].dtype)[None]
    later = pursuit(wave, RATE, events=120)
    with pytest.raises((ValueError, LookupError, TypeError)):
        later.search.restore(state)
    assert later.search.count == 0


def test_it_ends_at_a_ratio_with_atoms_from_everywhere() -> None:
    wave = music(10.0, rate=RATE)
    search, found = finished(wave, RATE, events=5_000, snr_db=12.0)
    assert 12.0 <= search.snr_db() < 12.1
    assert snr_db(wave, render(found)) == pytest.approx(search.snr_db(), abs=0.02)
    thirds = np.histogram(found.column("time"), bins=3, range=(0, 10))[0]
    assert thirds.min() > len(found) / 6


def test_sections_without_loud_atoms_are_visited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = 1e-4 * music(20.0, rate=RATE)
    wave[:, : 2 * RATE] += music(2.0, rate=RATE, seed=1)
    begun: list[int] = []
    begin = LongSearch._begun

    def counted(self: LongSearch, events: int, **settings: Any) -> Any:
        begun.append(self._section)
        return begin(self, events, **settings)

    monkeypatch.setattr(LongSearch, "_begun", counted)
    finished(wave, RATE, events=150)
    assert begun.count(0) > 3
    assert begun.count(3) == 1


def test_a_time_limit_ends_it_with_what_was_found() -> None:
    wave = music(10.0, rate=RATE)
    search, found = finished(wave, RATE, events=5_000, time_limit=1e-3)
    assert 5_000 > len(found) == search.search.count > 0


def test_noise_has_atoms_everywhere() -> None:
    # All atoms have nearly the same energy: the first energies are estimated badly.
    noise = 0.1 * np.random.default_rng(0).normal(size=(1, 12 * RATE)).astype(np.float32)
    _, found = finished(noise, RATE, events=800)
    quarters = np.histogram(found.column("time"), bins=4, range=(0, 12))[0]
    assert len(found) == 800
    assert quarters.min() > 150


def test_atoms_are_refined_at_a_quarter_half_and_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # The partials of a drone are alike: one pass could find them all.
    now = np.arange(12 * RATE) / RATE
    drone = np.sum([np.sin(2 * np.pi * 110 * partial * now) for partial in (1, 2, 3, 5, 7)], axis=0, keepdims=True)
    refined: list[int] = []
    improve = LongSearch._refined_section

    def counted(self: LongSearch) -> Any:
        refined.append(len(self._table))
        return improve(self)

    monkeypatch.setattr(LongSearch, "_refined_section", counted)
    search, found = finished(drone.astype(np.float32), RATE, events=400)
    assert len(found) == 400
    assert len(set(refined)) == 3
    assert max(refined) == 400
    assert search.snr_db() == pytest.approx(snr_db(drone, render(found)), abs=0.05)


def test_a_tone_in_silence_ends_the_search_early() -> None:
    now = np.arange(10 * RATE) / RATE
    tone = (np.exp(-0.5 * ((now - 5) / 0.1) ** 2) * np.sin(2 * np.pi * 440 * now))[None].astype(np.float32)
    search, found = finished(tone, RATE, events=400)
    assert 0 < len(found) < 400
    assert search.snr_db() > 100


def test_few_bits_are_rounded_in_sections_too() -> None:
    wave = music(10.0, rate=RATE)
    search, found = finished(wave, RATE, events=300, bits=24)
    assert found.steps is not None
    assert search.snr_db() == pytest.approx(snr_db(wave, render(found)), abs=0.02)
