"""A dictionary of waveforms learnt from the recording itself, and the recording as a sum of them at any place."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.signal
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from distrack.decompose.config import DecomposeConfig
from distrack.decompose.contract import Floats, Progress
from distrack.decompose.events import Events
from distrack.decompose.pursuit.waveforms import pitches

_ROUNDS = 8
# Waveforms taken in a round of learning, for each that is learnt.
_USES = 12
_NOTHING = 1e-11
# Of the waveforms that overlap with the last one, the nearest so many are fitted anew with it.
_MOST = 32
_TOGETHER = 1024

Doubles = NDArray[np.float64]


class Use(NamedTuple):
    """One waveform at one place: its number, its first sample, and its amplitude in every channel."""

    waveform: int
    place: int
    amplitude: Doubles


class Encoding:
    """A sound as a sum of given waveforms, found by matching pursuit.

    Args:
        sound: ``[channels, samples]``
        waveforms: ``[waveforms, length]``, each of norm 1.
        orthogonal: waveforms that overlap are fitted anew together after each one.
    """

    def __init__(self, sound: Doubles, waveforms: Doubles, *, orthogonal: bool) -> None:
        self.waveforms, self.orthogonal = waveforms, orthogonal
        self.length = waveforms.shape[1]
        self.residual = sound.copy()
        self.uses: list[Use] = []
        self.places = max(sound.shape[1] - self.length + 1, 0)
        self.strength = np.zeros((len(waveforms), self.places))
        self.highest = np.zeros((len(waveforms), -(-self.places // _TOGETHER)))
        self._correlate(0, self.places)

    def _correlate(self, begin: int, end: int) -> None:
        begin, end = max(begin, 0), min(end, self.places)
        if begin >= end:
            return
        some = self.residual[:, None, begin : end + self.length - 1]
        found = scipy.signal.oaconvolve(some, self.waveforms[None, :, ::-1], mode="valid", axes=2)
        self.strength[:, begin:end] = np.square(found).sum(axis=0)
        for group in range(begin // _TOGETHER, -(-end // _TOGETHER)):
            self.highest[:, group] = self.strength[:, group * _TOGETHER : (group + 1) * _TOGETHER].max(axis=1)

    def best(self) -> tuple[float, int, int]:
        """Energy, number and place of the waveform that takes most away."""
        if not self.places:
            return 0.0, 0, 0
        waveform, group = np.unravel_index(int(self.highest.argmax()), self.highest.shape)
        place = int(group) * _TOGETHER + int(
            self.strength[waveform, group * _TOGETHER : (group + 1) * _TOGETHER].argmax()
        )
        return float(self.strength[waveform, place]), int(waveform), place

    def take(self, waveform: int, place: int) -> None:
        """Takes a waveform away from where it stands."""
        inside = slice(place, place + self.length)
        amplitude = _stored(self.residual[:, inside] @ self.waveforms[waveform])
        self.residual[:, inside] -= np.outer(amplitude, self.waveforms[waveform])
        self.uses.append(Use(waveform, place, amplitude))
        first, last = self._refit() if self.orthogonal else (place, place + self.length)
        self._correlate(first - self.length + 1, last)

    def _refit(self) -> tuple[int, int]:
        last = self.uses[-1]
        apart = np.array([abs(use.place - last.place) for use in self.uses])
        some = [int(number) for number in np.argsort(apart, kind="stable")[:_MOST] if apart[number] < self.length]
        first = min(self.uses[number].place for number in some)
        stop = max(self.uses[number].place for number in some) + self.length
        columns = np.zeros((len(some), stop - first))
        for row, number in enumerate(some):
            use = self.uses[number]
            columns[row, use.place - first : use.place - first + self.length] = self.waveforms[use.waveform]
        gram = columns @ columns.T + 1e-10 * np.eye(len(some))
        steps = scipy.linalg.solve(gram, columns @ self.residual[:, first:stop].T, assume_a="pos")
        for number, step in zip(some, steps, strict=True):
            use = self.uses[number]
            after = _stored(use.amplitude + step)
            inside = slice(use.place, use.place + self.length)
            self.residual[:, inside] -= np.outer(after - use.amplitude, self.waveforms[use.waveform])
            self.uses[number] = use._replace(amplitude=after)
        return first, stop


def _stored(amplitude: Doubles) -> Doubles:
    return np.asarray(amplitude, np.float32).astype(np.float64)


class LearnedPursuit:
    """Learns waveforms from a clip, and takes the clip apart into them.

    Rounds of sparse coding and of updates: each waveform becomes the first singular vector of what it stands for.

    Source:
        Aharon, Elad and Bruckstein, "K-SVD: An algorithm for designing overcomplete dictionaries for sparse
        representation", IEEE Transactions on Signal Processing 54(11), 2006; for waveforms at any place, Mailhe et al.,
        "Shift-invariant dictionary learning for sparse representations: extending K-SVD", EUSIPCO 2008.
    """

    def __init__(self, wave: Floats, sample_rate: int, config: DecomposeConfig) -> None:
        self._wave, self._rate, self._config = wave, sample_rate, config
        self._sound = wave.astype(np.float64)
        self._energy = float(np.square(self._sound).sum())
        length = min(max(round(config.pursuit.waveform_seconds * sample_rate), 2), wave.shape[1])
        self._waveforms = self._first(length)
        self._round = 0
        self._encoding: Encoding | None = None
        self._threads = ThreadpoolController()

    def _first(self, length: int) -> Doubles:
        """Parts of the clip, chosen at random where it is loud."""
        draw = np.random.default_rng(self._config.seed)
        mono = self._sound.mean(axis=0)
        power = np.convolve(np.square(mono), np.ones(length), "valid")
        places = draw.choice(len(power), self._config.pursuit.waveforms, p=(power + 1e-12) / (power + 1e-12).sum())
        return _normed(np.stack([mono[place : place + length] for place in places]), draw)

    def __iter__(self) -> Iterator[Progress]:
        """Rounds of learning, and then a waveform at a time."""
        while self._round < _ROUNDS:
            with self._threads.limit(limits=1, user_api="blas"):
                self._learn()
            self._round += 1
            yield self._progress()
        encoding = self._coded()
        while len(encoding.uses) < self._config.events and not self._enough(encoding):
            with self._threads.limit(limits=1, user_api="blas"):
                energy, waveform, place = encoding.best()
                if energy <= _NOTHING * self._energy:
                    return
                encoding.take(waveform, self._storable(place))
            yield self._progress()

    def _storable(self, place: int) -> int:
        """The nearest place that the stored time of an event names."""
        return int(np.clip(round(float(np.float32(place / self._rate)) * self._rate), 0, self._coded().places - 1))

    def _coded(self) -> Encoding:
        if self._encoding is None:
            waveforms = self._waveforms.astype(np.float32).astype(np.float64)
            self._encoding = Encoding(self._sound, waveforms, orthogonal=self._config.pursuit.orthogonal)
        return self._encoding

    def _learn(self) -> None:
        encoding = Encoding(self._sound, self._waveforms, orthogonal=False)
        for _ in range(min(_USES * len(self._waveforms), self._config.events)):
            energy, waveform, place = encoding.best()
            if energy <= _NOTHING * self._energy:
                break
            encoding.take(waveform, place)
        draw = np.random.default_rng([self._config.seed, self._round])
        length = self._waveforms.shape[1]
        for number in range(len(self._waveforms)):
            mine = [index for index, use in enumerate(encoding.uses) if use.waveform == number]
            if not mine:
                self._waveforms[number] = self._lacking(encoding.residual, length, draw)
                continue
            for index in mine:
                use = encoding.uses[index]
                encoding.residual[:, use.place : use.place + length] += np.outer(use.amplitude, self._waveforms[number])
            places = [encoding.uses[index].place for index in mine]
            parts = np.concatenate([encoding.residual[:, place : place + length] for place in places])
            self._waveforms[number] = np.linalg.svd(parts, full_matrices=False)[2][0]
            for index in mine:
                use = encoding.uses[index]
                part = encoding.residual[:, use.place : use.place + length]
                amplitude = part @ self._waveforms[number]
                part -= np.outer(amplitude, self._waveforms[number])
                encoding.uses[index] = use._replace(amplitude=amplitude)

    def _lacking(self, residual: Doubles, length: int, draw: np.random.Generator) -> Doubles:
        """What the others leave out most."""
        mono = np.asarray(residual.mean(axis=0), np.float64)
        place = int(np.convolve(np.square(mono), np.ones(length), "valid").argmax())
        found: Doubles = _normed(mono[None, place : place + length], draw)[0]
        return found

    def _enough(self, encoding: Encoding) -> bool:
        wanted = self._config.pursuit.snr_db
        left = float(np.square(encoding.residual).sum())
        return left <= _NOTHING * self._energy or (wanted is not None and self._snr() >= wanted)

    def _snr(self) -> float:
        if self._encoding is None or self._energy == 0:
            return 0.0
        left = float(np.square(self._encoding.residual).sum())
        return 10 * math.log10(self._energy / max(left, 1e-20 * self._energy))

    def _progress(self) -> Progress:
        count = 0 if self._encoding is None else len(self._encoding.uses)
        return Progress(self._round + count, _ROUNDS + self._config.events, count, self._snr(), None)

    def events(self) -> Events:
        """What was found so far, the most energetic first."""
        waveforms = self._waveforms.astype(np.float32)
        natural = pitches(waveforms, self._rate)
        uses = [] if self._encoding is None else self._encoding.uses
        uses = sorted(uses, key=lambda use: -float(np.square(use.amplitude).sum()))
        rows = [[use.place / self._rate, natural[use.waveform], *use.amplitude, use.waveform] for use in uses]
        parameters = np.array(rows, np.float32).reshape(len(rows), 3 + len(self._wave))
        return Events.of(
            "waveform",
            parameters,
            sample_rate=self._rate,
            samples=self._wave.shape[1],
            channels=len(self._wave),
            kept={"waveforms": waveforms},
        )

    def state(self) -> Mapping[str, NDArray[Any]]:
        """The waveforms, the round, and what was taken away so far."""
        state: dict[str, NDArray[Any]] = {"waveforms": self._waveforms, "round": np.array([self._round])}
        if self._encoding is not None:
            uses = self._encoding.uses
            state["uses"] = np.array([(use.waveform, use.place) for use in uses], np.int64).reshape(-1, 2)
            state["amplitudes"] = np.array([use.amplitude for use in uses]).reshape(-1, len(self._wave))
            state |= {name: getattr(self._encoding, name) for name in ("residual", "strength", "highest")}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes the state of another over."""
        self._waveforms[:] = state["waveforms"]
        self._round = int(state["round"][0])
        self._encoding = None
        if "uses" in state:
            encoding = self._coded()
            for name in ("residual", "strength", "highest"):
                getattr(encoding, name)[:] = state[name]
            pairs = zip(state["uses"], state["amplitudes"], strict=True)
            encoding.uses = [Use(int(use[0]), int(use[1]), np.array(amplitude)) for use, amplitude in pairs]


def _normed(waveforms: Doubles, draw: np.random.Generator) -> Doubles:
    """Of norm 1 each; one that is nothing becomes noise."""
    norms = np.linalg.norm(waveforms, axis=1, keepdims=True)
    noise = draw.standard_normal(waveforms.shape)
    found: Doubles = np.where(norms > 1e-9, waveforms / np.maximum(norms, 1e-9), noise / np.linalg.norm(noise))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found
