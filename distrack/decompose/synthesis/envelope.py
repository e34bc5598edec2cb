"""Envelopes of resonances: their shape in time, and those that a search tries."""

import numpy as np

from distrack.arrays import Doubles
from distrack.decompose.synthesis.resonance import ORDER

# Attack and decay in seconds of the envelopes that are tried, hits and swells.
HITS = tuple((0.003, decay) for decay in (0.01, 0.03, 0.1, 0.3, 1.0))
SWELLS = tuple((2 * decay, decay) for decay in (0.004, 0.01, 0.025, 0.06, 0.15, 0.4))
SHAPES = (*HITS, *SWELLS)


def envelope(time: Doubles, attack: float, decay: float) -> Doubles:
    """The envelope of `resonance`, scaled to a peak of 1, at these seconds after the onset."""
    risen = ORDER * decay / (attack + ORDER * decay)
    peak = risen**ORDER * (1 - risen) ** (attack / decay)
    past = np.maximum(time, 0)
    shape: Doubles = (-np.expm1(-past / attack)) ** ORDER * np.exp(-past / decay) / peak
    return shape
