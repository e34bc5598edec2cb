"""A clip of three notes, and a splatting of it."""

from typing import Any

import numpy as np

from distrack.arrays import Floats
from distrack.decompose import DecomposeConfig
from distrack.decompose.splat.config import SplatConfig
from distrack.decompose.splat.decomposer import Splatter

RATE = 8_000


def notes(*, rate: int = RATE, seconds: float = 0.8, channels: int = 1) -> Floats:
    """Three struck notes of four harmonics over a little noise, in stereo from left to right; none is a splat."""
    random = np.random.default_rng(1)
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.003 * random.normal(size=(channels, len(time)))
    for onset, pitch, left in ((0.05, 262.0, 1.0), (0.3, 392.0, 0.5), (0.55, 330.0, 0.0)):
        past = np.maximum(time - onset * seconds / 0.8, 0)
        body = np.minimum(past / 0.008, 1) * np.exp(-past / 0.12)
        parts = [np.sin(2 * np.pi * k * pitch * past + k) / k**1.5 for k in range(1, 5) if k * pitch < rate / 2]
        note = 0.3 * body * np.sum(parts, axis=0)
        wave += np.outer([left, 1 - left], note) * 1.4 if channels == 2 else note
    return wave.astype(np.float32)


def splatter(
    wave: Floats, *, rate: int = RATE, events: int = 6, time_limit: float | None = None, **settings: Any
) -> Splatter:
    """A splatting that has not begun."""
    config = DecomposeConfig(method=SplatConfig(**settings), events=events, time_limit=time_limit)
    made = config.decomposer(wave, rate)
    assert isinstance(made, Splatter)
    return made
