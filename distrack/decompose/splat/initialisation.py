"""Finds the events that gradient descent starts from, one after another, each in the residual of those before it."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distrack.arrays import Floats
from distrack.decompose.splat.harmonic_pursuit import HARMONICS, Group, next_group, refitted, sound_of
from distrack.decompose.splat.onsets import group_at, onsets

Initialisation = Literal["pursuit", "onsets"]

# The harmonics of all groups are fitted at once after every so many groups, while their matrix is below this size.
REFIT_EVERY, LARGEST = 16, 1 << 25
# The search ends when the residual is 80 dB below the clip.
ENOUGH = 1e-8
# A group that removes a smaller share of the clip's energy does not count.
LEAST = 1e-7
# Numbers of a group before its parts.
PLAIN = 4


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

    def find(self) -> bool:
        """Finds one more group; False if there are enough, or none is left to find."""
        if len(self.groups) >= self.events or np.square(self.residual).sum() <= ENOUGH * np.square(self.wave).sum():
            return False
        if not any(self._add(group) for group in self._candidates() if group is not None):
            return False
        matrix = len(self.groups) * 2 * HARMONICS * self.wave.shape[1]
        if (len(self.groups) % REFIT_EVERY == 0 or len(self.groups) == self.events) and matrix <= LARGEST:
            self.groups = refitted(self.groups, self.wave, sample_rate=self.sample_rate)
            self.residual = self.wave.copy()
            for group in self.groups:
                self._subtract(group)
        return True

    def _candidates(self) -> Iterator[Group | None]:
        """The groups that may come next, the likeliest first."""
        if self.method == "pursuit":
            yield next_group(self.residual, sample_rate=self.sample_rate)
            return
        times = onsets(self.wave, sample_rate=self.sample_rate)
        # One group at each onset, then a second one at each.
        for number in range(len(self.groups), len(self.groups) + len(times)):
            yield group_at(times[number % len(times)], self.residual, sample_rate=self.sample_rate)

    def _add(self, group: Group) -> bool:
        """Subtracts a group, unless that removes next to no energy."""
        before = self.residual.copy()
        self._subtract(group)
        removed = np.square(before).sum() - np.square(self.residual).sum()
        if removed <= LEAST * np.square(self.wave).sum():
            self.residual = before
            return False
        self.groups.append(group)
        return True

    def _subtract(self, group: Group) -> None:
        first, sound = sound_of(group, sample_rate=self.sample_rate, samples=self.wave.shape[1])
        self.residual[:, first : first + sound.shape[1]] -= sound

    def state(self) -> Mapping[str, NDArray[Any]]:
        """Arrays that hold everything needed to continue."""
        plain = np.array([group[:PLAIN] for group in self.groups]).reshape(-1, PLAIN)
        parts = np.array([group.parts for group in self.groups]).reshape(-1, len(self.wave), HARMONICS, 2)
        return {"plain": plain, "parts": parts, "residual": self.residual.copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the state of another search of the same clip."""
        self.residual = state["residual"].copy()
        rows = zip(state["plain"].tolist(), state["parts"].copy(), strict=True)
        self.groups = [
            Group(onset, frequency, attack, decay, parts) for (onset, frequency, attack, decay), parts in rows
        ]
