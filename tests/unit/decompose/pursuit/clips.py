"""Clips for tests of the matching pursuit, and a pursuit of one."""

from typing import Any

import numpy as np

from distrack.arrays import Floats
from distrack.decompose import DecomposeConfig, Events

RATE = 16_000
ATOMS = ["gabor", "damped", "both", "learned"]


def pursuit(
    wave: Floats, rate: int = RATE, *, events: int = 12, time_limit: float | None = None, **settings: Any
) -> Any:
    """A matching pursuit that has not begun."""
    config = DecomposeConfig.model_validate({"events": events, "time_limit": time_limit, "method": settings})
    return config.decomposer(wave, rate)


def finished(wave: Floats, rate: int = RATE, **settings: Any) -> tuple[Any, Events]:
    """A matching pursuit that has ended, and its events."""
    decomposer = pursuit(wave, rate, **settings)
    for _ in decomposer:
        pass
    return decomposer, decomposer.events()


def music(seconds: float = 0.3, *, rate: int = RATE, channels: int = 1, seed: int = 0) -> Floats:
    """Struck and bowed notes of three partials, and a little noise: ``[channels, samples]``."""
    draw = np.random.default_rng(seed)
    now = np.arange(round(seconds * rate)) / rate
    wave = 0.01 * draw.normal(size=(channels, len(now)))
    for _ in range(round(24 * seconds)):
        start, pitch = draw.uniform(-0.05, seconds), 2 ** draw.uniform(7, 10)
        since = now - start
        struck = np.exp(-np.maximum(since, 0) / draw.uniform(0.02, 0.2)) * (since > 0)
        swell = np.exp(-0.5 * (since / draw.uniform(0.01, 0.1)) ** 2)
        for partial in (1, 2.01, 3.03):
            tone = np.sin(2 * np.pi * partial * pitch * since) / partial
            wave += draw.uniform(0.05, 0.3, (channels, 1)) * tone * (struck if draw.random() < 0.5 else swell)
    return wave.astype(np.float32)


def atoms(
    kind_name: str, rows: list[list[float]], *, samples: int = RATE, channels: int = 1, rate: int = RATE
) -> Events:
    """Events of a kind from rows of their columns."""
    parameters = np.array(rows, np.float32)
    return Events.of(kind_name, parameters, sample_rate=rate, samples=samples, channels=channels)
