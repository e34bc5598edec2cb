"""Events before the first step of gradient descent: one after another, each from what those before it have left."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distrack.decompose.splat.harmonic_pursuit import HARMONICS, Group, heard, next_group, refitted
from distrack.decompose.splat.onsets import group_at, onsets

Floats = NDArray[np.float32]

# All harmonics are fitted together after every so many events, while the matrix of all of them stays below this size.
REFIT_EVERY, LARGEST = 16, 1 << 25
# Nothing more is looked for 80 dB below the clip.
ENOUGH = 1e-8
# What takes less of the clip's energy away is no event of it.
LEAST = 1e-7
PLAIN = 4


class Beginning:
    """Finds events in a clip.

    Args:
        wave: ``[channels, samples]``
        events: at most so many.
        method: by a pursuit of harmonic groups, or at onsets.
    """

    def __init__(self, wave: Floats, sample_rate: int, *, events: int, method: Literal["pursuit", "onsets"]) -> None:
        self.wave, self.sample_rate = wave.astype(np.float64), sample_rate
        self.events, self.method = events, method
        self.residual = self.wave.copy()
        self.groups: list[Group] = []

    def find(self) -> bool:
        """Finds one more; False where there are enough, or nothing is left to find."""
        if len(self.groups) >= self.events or np.square(self.residual).sum() <= ENOUGH * np.square(self.wave).sum():
            return False
        if not any(self._taken(found) for found in self._candidates() if found is not None):
            return False
        matrix = len(self.groups) * 2 * HARMONICS * self.wave.shape[1]
        if (len(self.groups) % REFIT_EVERY == 0 or len(self.groups) == self.events) and matrix <= LARGEST:
            self.groups = refitted(self.groups, self.wave, sample_rate=self.sample_rate)
            self.residual = self.wave.copy()
            for group in self.groups:
                self._take(group)
        return True

    def _candidates(self) -> Iterator[Group | None]:
        """What might come next, the likeliest first."""
        if self.method == "pursuit":
            yield next_group(self.residual, sample_rate=self.sample_rate)
            return
        at = onsets(self.wave, sample_rate=self.sample_rate)
        # One event at each, then a second at each; where nothing begins, as in silence, none.
        for number in range(len(self.groups), len(self.groups) + len(at)):
            yield group_at(at[number % len(at)], self.residual, sample_rate=self.sample_rate)

    def _taken(self, group: Group) -> bool:
        """Takes an event away, unless that takes nothing."""
        before = self.residual.copy()
        self._take(group)
        gain = np.square(before).sum() - np.square(self.residual).sum()
        if gain <= LEAST * np.square(self.wave).sum():
            self.residual = before
            return False
        self.groups.append(group)
        return True

    def _take(self, group: Group) -> None:
        first, sound = heard(group, sample_rate=self.sample_rate, samples=self.wave.shape[1])
        self.residual[:, first : first + sound.shape[1]] -= sound

    def state(self) -> Mapping[str, NDArray[Any]]:
        """All that going on needs."""
        plain = np.array([group[:PLAIN] for group in self.groups]).reshape(-1, PLAIN)
        parts = np.array([group.parts for group in self.groups]).reshape(-1, len(self.wave), HARMONICS, 2)
        return {"plain": plain, "parts": parts, "residual": self.residual.copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes the state of another over."""
        self.residual = state["residual"].copy()
        rows = zip(state["plain"].tolist(), state["parts"].copy(), strict=True)
        self.groups = [
            Group(onset, frequency, attack, decay, parts) for (onset, frequency, attack, decay), parts in rows
        ]
