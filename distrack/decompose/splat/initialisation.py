"""Finds the events that gradient descent starts from, one after another, each in the residual of those before it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from distrack.arrays import Complex, Doubles, Floats
from distrack.decompose.splat.config import Initialisation
from distrack.decompose.splat.harmonic_pursuit import (
    HARMONICS,
    HIGHEST,
    LOWEST,
    Group,
    fitted,
    group_near,
    refitted,
    sound_of,
)
from distrack.decompose.splat.peaks import Peaks

# The harmonics of all groups are fitted at once after every so many groups, while their matrix is below this size.
REFIT_EVERY, LARGEST = 16, 1 << 25
# The search ends when the residual is 80 dB below the clip.
ENOUGH = 1e-8
# A group that removes a smaller share of the clip's energy does not count.
LEAST = 1e-7
# Numbers of a group before its parts.
PLAIN = 4
# In seconds: a frame of the search for onsets, the least time between two onsets, the time after an onset in which its
# pitch is measured, and attack and decay of its group.
WINDOW, APART, LISTEN, ATTACK, DECAY = 0.046, 0.05, 0.15, 0.005, 0.2


class Initialiser:
    """Finds harmonic groups in a clip.

    Args:
        wave: ``[channels, samples]``
        events: most groups.
        method: "pursuit" takes the strongest group anywhere, "onsets" the strongest one at each onset of the clip.
    """

    def __init__(self, wave: Floats, sample_rate: int, *, events: int, method: Initialisation) -> None:
        self.wave, self.sample_rate = wave.astype(np.float64), sample_rate
        self.events, self.method = events, method
        self.residual = self.wave.copy()
        self.groups: list[Group] = []
        # The peaks of the residual; None where all are to be computed.
        self._peaks: Peaks | None = None

    def find(self) -> bool:
        """Finds one more group; False if there are enough, or none is left to find."""
        over = len(self.groups) >= self.events
        over = over or np.square(self.residual).sum() <= ENOUGH * np.square(self.wave).sum()
        if over or not any(self._add(group) for group in self._candidates() if group is not None):
            self._peaks = None
            return False
        matrix = len(self.groups) * 2 * HARMONICS * self.wave.shape[1]
        if (len(self.groups) % REFIT_EVERY == 0 or len(self.groups) == self.events) and matrix <= LARGEST:
            self.groups = refitted(self.groups, self.wave, sample_rate=self.sample_rate)
            self.residual, self._peaks = self.wave.copy(), None
            for group in self.groups:
                first, sound = self._sound(group)
                self.residual[:, first : first + sound.shape[1]] -= sound
        return True

    def _candidates(self) -> Iterator[Group | None]:
        """The groups that may come next, the likeliest first."""
        if self.method == "pursuit":
            yield self._strongest()
            return
        times = onsets(self.wave, sample_rate=self.sample_rate)
        # One group at each onset, then a second one at each.
        for number in range(len(self.groups), len(self.groups) + len(times)):
            yield group_at(times[number % len(times)], self.residual, sample_rate=self.sample_rate)

    def _strongest(self) -> Group | None:
        """The group of the residual's strongest peak; None if the residual is silent."""
        if self._peaks is None:
            highest = HIGHEST * self.sample_rate
            self._peaks = Peaks(self.residual, self.sample_rate, events=self.events, lowest=LOWEST, highest=highest)
        peak, frequency = self._peaks.strongest()
        return group_near(self.residual, peak, frequency, sample_rate=self.sample_rate) if frequency > 0 else None

    def _add(self, group: Group) -> bool:
        """Subtracts a group, unless that removes next to no energy."""
        first, sound = self._sound(group)
        last = first + sound.shape[1]
        after = self.residual[:, first:last] - sound
        removed = np.square(self.residual[:, first:last]).sum() - np.square(after).sum()
        if removed <= LEAST * np.square(self.wave).sum():
            return False
        self.residual[:, first:last] = after
        if self._peaks is not None:
            self._peaks.update(self.residual, first, last)
        self.groups.append(group)
        return True

    def _sound(self, group: Group) -> tuple[int, Doubles]:
        return sound_of(group, sample_rate=self.sample_rate, samples=self.wave.shape[1])

    def state(self) -> Mapping[str, NDArray[Any]]:
        plain = np.array([group[:PLAIN] for group in self.groups]).reshape(-1, PLAIN)
        parts = np.array([group.parts for group in self.groups]).reshape(-1, len(self.wave), HARMONICS, 2)
        return {"plain": plain, "parts": parts, "residual": self.residual.copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.residual, self._peaks = state["residual"].copy(), None
        rows = zip(state["plain"].tolist(), state["parts"].copy(), strict=True)
        self.groups = [
            Group(onset, frequency, attack, decay, parts) for (onset, frequency, attack, decay), parts in rows
        ]


def onsets(wave: Doubles, *, sample_rate: int) -> list[float]:
    """Times in seconds at which energy rises in many bands: the beginning of the clip, then the clearest onsets first.

    Shape:
        - wave: ``[channels, samples]``

    Source:
        Bello et al., "A Tutorial on Onset Detection in Music Signals", 2005: the spectral difference, of logarithms.
    """
    size, spectrum = _spectra(wave, WINDOW, sample_rate=sample_rate)
    hop, magnitudes = size // 4, np.abs(spectrum).sum(0)
    loud = np.log1p(100 * magnitudes / max(float(magnitudes.max()), 1e-30))
    rise = np.maximum(np.diff(loud, axis=0), 0).sum(1)
    apart = max(1, round(APART * sample_rate / hop))
    peaks, _ = scipy.signal.find_peaks(rise, distance=apart, height=0.1 * float(rise.max(initial=0.0)) + 1e-9)
    clearest = peaks[np.argsort(-rise[peaks], kind="stable")]
    return [0.0, *(float(peak + 1) * hop / sample_rate for peak in clearest)]


def _spectra(wave: Doubles, seconds: float, *, sample_rate: int) -> tuple[int, Complex]:
    """Size of a Hann window of about this length, and the STFT with it and a hop of a quarter.

    Shape:
        - wave: ``[channels, samples]``
        - returns: a power of two, and ``[channels, frames, bins]``
    """
    size = max(16, 2 ** round(np.log2(seconds * sample_rate)))
    padded = np.pad(wave, ((0, 0), (size // 2, size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, :: size // 4]
    return size, scipy.fft.rfft(frames * scipy.signal.get_window("hann", size), axis=2)


def group_at(onset: float, residual: Doubles, *, sample_rate: int) -> Group | None:
    """A group of the residual's strongest pitch just after an onset; None if the residual is silent there.

    Shape:
        - residual: ``[channels, samples]``
    """
    first = min(round(onset * sample_rate), residual.shape[1] - 1)
    piece = residual[:, first : first + max(1, round(LISTEN * sample_rate))]
    size = max(256, 2 ** int(np.ceil(np.log2(4 * piece.shape[1]))))
    window = scipy.signal.get_window("hann", piece.shape[1], fftbins=False) if piece.shape[1] > 2 else 1.0
    power = np.square(np.abs(scipy.fft.rfft(piece * window, size, axis=1))).sum(0)
    power[: int(np.ceil(LOWEST * size / sample_rate))] = 0
    power[int(HIGHEST * size) :] = 0
    if not power.any():
        return None
    pitch = float(power.argmax()) * sample_rate / size
    time = max(onset - 1 / sample_rate, -1.0) if first else -ATTACK
    group = Group(time, pitch, ATTACK, DECAY, np.zeros((len(residual), HARMONICS, 2)))
    return group._replace(parts=fitted(residual, group, sample_rate=sample_rate))
