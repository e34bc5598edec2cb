"""Matching pursuit: again and again the atom that takes most energy away, until enough is taken."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from distrack.decompose.config import DecomposeConfig
from distrack.decompose.contract import DECOMPOSERS, Decomposer, Floats, Progress
from distrack.decompose.events import Events
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, Atom, amplitude, rounded
from distrack.decompose.pursuit.learned import LearnedPursuit
from distrack.decompose.pursuit.refining import refined
from distrack.decompose.pursuit.refitting import neighbours, refit
from distrack.decompose.pursuit.scales import Scales

_SHAPES = {"gabor": (GABOR,), "damped": (DAMPED,), "both": (GABOR, DAMPED)}
_KINDS = {"gabor": "gabor", "damped": "damped", "both": "atoms"}
# Of the clip's energy: what is below this is nothing but rounding.
_NOTHING = 1e-11


class MatchingPursuit:
    """Takes a clip apart into Gabor atoms, damped sinusoids, or both.

    Atoms of a grid of scales, places and frequencies are compared by FFT; the best one is moved off the grid by Newton
    steps, its amplitude and phase are fitted by least squares, and only the correlations that it changed are computed
    anew. Both channels of a stereo clip share an atom, with an amplitude and a phase each.

    Source:
        Mallat and Zhang, "Matching pursuits with time-frequency dictionaries", IEEE Transactions on Signal Processing
        41(12), 1993; Krstulovic and Gribonval, "MPTK: Matching pursuit made tractable", ICASSP 2006, for the local
        updates; Mailhe, Gribonval, Bimbot and Vandergheynst, "A low complexity orthogonal matching pursuit for sparse
        signal approximation with shift-invariant dictionaries", ICASSP 2009, for the local least squares.
    """

    def __init__(self, wave: Floats, sample_rate: int, config: DecomposeConfig) -> None:
        self._wave, self._rate, self._config = wave, sample_rate, config
        self._residual = wave.astype(np.float64)
        self._energy = float(np.square(self._residual).sum())
        self._left = self._energy
        self._atoms: list[Atom] = []
        self._amplitudes: list[NDArray[np.complex128]] = []
        self._scales = Scales(self._residual, sample_rate, _SHAPES[config.pursuit.atoms])
        self._correlated = False
        self._threads = ThreadpoolController()

    def __iter__(self) -> Iterator[Progress]:
        """An atom at a time; before the first one, the scales that everything is correlated with."""
        if not self._correlated:
            for _ in self._scales.fill():
                yield self._progress()
            self._correlated = True
        while len(self._atoms) < self._config.events and not self._enough():
            # Threads inside such small products cost more than they gain.
            with self._threads.limit(limits=1, user_api="blas"):
                if not self._take():
                    return
            yield self._progress()

    def _progress(self) -> Progress:
        return Progress(len(self._atoms), self._config.events, len(self._atoms), self._snr(), None)

    def _snr(self) -> float:
        return 10 * math.log10(self._energy / max(self._left, 1e-20 * self._energy)) if self._energy > 0 else 0.0

    def _enough(self) -> bool:
        wanted = self._config.pursuit.snr_db
        return self._left <= _NOTHING * self._energy or (wanted is not None and self._snr() >= wanted)

    def _take(self) -> bool:
        """Takes one atom away; False where none takes anything."""
        energy, coarse = self._scales.best()
        if energy <= _NOTHING * self._energy:
            return False
        for atom in (refined(coarse, self._residual, self._rate).rounded(), coarse.rounded()):
            where = atom.support(self._rate, self._residual.shape[1])
            waveform = atom.waveform(where, self._rate)
            found = rounded(amplitude(self._residual[:, where], waveform))
            before = self._residual[:, where]
            after = before - (found[:, None] * waveform).real
            gain = float(np.square(before).sum() - np.square(after).sum())
            if gain > 0:
                break
        else:
            return False
        self._residual[:, where] = after
        self._left -= gain
        self._atoms.append(atom)
        self._amplitudes.append(found)
        changed = self._refit() if self._config.pursuit.orthogonal else (where.start, where.stop)
        self._scales.changed(self._residual, *changed)
        return True

    def _refit(self) -> tuple[int, int]:
        """Fits the last atom and those it overlaps with anew, together; the samples that this changed."""
        some = neighbours(self._atoms)
        span, found = refit(
            self._residual, self._rate, [self._atoms[number] for number in some], [self._amplitudes[n] for n in some]
        )
        for number, value in zip(some, found, strict=True):
            self._amplitudes[number] = value
        self._left = float(np.square(self._residual).sum())
        return span

    def events(self) -> Events:
        """What was found so far, the most energetic first."""
        channels = len(self._wave)
        kind = _KINDS[self._config.pursuit.atoms]
        rows = [self._row(atom, found) for atom, found in zip(self._atoms, self._amplitudes, strict=True)]
        width = 3 + 2 * channels + (kind == "atoms")
        parameters = np.array(rows, np.float32).reshape(len(rows), width)
        events = Events.of(kind, parameters, sample_rate=self._rate, samples=self._wave.shape[1], channels=channels)
        order = np.argsort(-events.how.boxes(events).energy, kind="stable")
        return Events.of(
            kind, parameters[order], sample_rate=self._rate, samples=self._wave.shape[1], channels=channels
        )

    def _row(self, atom: Atom, found: NDArray[np.complex128]) -> list[float]:
        pairs = [value for each in found for value in (abs(each), float(np.angle(each)))]
        shape = [float(atom.shape)] if self._config.pursuit.atoms == "both" else []
        return [atom.time, atom.scale, atom.frequency, *pairs, *shape]

    def state(self) -> Mapping[str, NDArray[Any]]:
        """Residual, atoms, and what was correlated."""
        channels = len(self._wave)
        return {
            "residual": self._residual,
            "atoms": np.array(self._atoms, np.float64).reshape(-1, 4),
            "amplitudes": np.array(self._amplitudes, np.complex128).reshape(-1, channels).view(np.float64),
            "left": np.array([self._left]),
            "correlated": np.array([self._correlated]),
            **self._scales.state(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes the state of another over."""
        channels = len(self._wave)
        self._residual[:] = state["residual"]
        self._atoms = [Atom(int(row[0]), *(float(value) for value in row[1:])) for row in state["atoms"]]
        pairs = np.ascontiguousarray(state["amplitudes"]).reshape(-1, 2 * channels)
        self._amplitudes = list(pairs.view(np.complex128))
        self._left = float(state["left"][0])
        self._correlated = bool(state["correlated"][0])
        self._scales.restore(dict(state), self._residual)


def _pursuit(wave: Floats, sample_rate: int, config: DecomposeConfig) -> Decomposer:
    begin: Callable[..., Decomposer] = LearnedPursuit if config.pursuit.atoms == "learned" else MatchingPursuit
    return begin(wave, sample_rate, config)


DECOMPOSERS.add("matching-pursuit", _pursuit, aliases=("mp",))
