"""The numbers that gradient descent moves: logarithms where they are positive, of like size, a row an event."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.decompose.splat.harmonic_pursuit import Group
from distrack.decompose.splat.parameters import (
    COLUMNS,
    FIRST,
    HARMONICS,
    LAST,
    PLACES,
    Sounds,
    assembled,
    frequency_at_onset,
)
from distrack.decompose.splat.parameters import stored_harmonics as stored

Floats = NDArray[np.float64]


class Number(NamedTuple):
    """One number that moves.

    Attributes:
        step: how far one step of the optimiser moves it at the most.
        low, high: where it is held; logarithms of the stored numbers where `logarithm` says so.
    """

    step: float
    low: float
    high: float
    logarithm: bool = False


def _log(step: float, low: float, high: float) -> Number:
    return Number(step, float(np.log(low)), float(np.log(high)), logarithm=True)


NUMBERS = {
    "time": Number(3e-4, -600.0, 600.0),
    "frequency": _log(2e-4, 15.0, 300_000.0),
    "attack": _log(0.02, 3e-4, 10.0),
    "decay": _log(0.02, 2e-3, 20.0),
    "damping": _log(0.02, 1e-2, 300.0),
    "bend": Number(2e-4, -0.1, 0.1),
    "burst": _log(0.02, 1e-3, 0.5),
    "centre": _log(0.02, 20.0, 300_000.0),
    "width": _log(0.02, 0.05, 4.0),
    # The rest is counted in the event's own scale, its size when it was found.
    "level": Number(0.01, 0.0, 1e4),
    **{f"{part} {k}": Number(0.02, -1e4, 1e4) for k in range(1, HARMONICS + 1) for part in ("cosine", "sine")},
    "pan": Number(0.01, -1.0, 1.0),
}
AT = {name: place for place, name in enumerate(NUMBERS)}
TONES = slice(AT["cosine 1"], AT[f"sine {HARMONICS}"] + 1)
SMALLEST = 1e-7
# Before the first step: what is noise beside the event's scale, octaves above the pitch, how wide, how long at most.
NOISE, ABOVE, WIDTH, LONGEST_BURST = 0.1, 1.6, 1.0, 0.12


def loosened(groups: list[Group], *, sample_rate: int) -> tuple[Floats, Floats]:
    """Numbers to begin with, and each event's scale.

    A stereo group goes to where its two sides' energies place it.

    Shape:
        - returns: ``[events, numbers]`` and ``[events]``
    """
    numbers = np.zeros((len(groups), len(NUMBERS)))
    scale = np.zeros(len(groups))
    for row, group in enumerate(groups):
        parts, pan = group.parts[0], 0.0
        if len(group.parts) == 2:
            angle = np.arctan2(*np.sqrt(np.square(group.parts).sum((1, 2)))[::-1])
            pan = angle * 4 / np.pi - 1
            parts = group.parts[0] * np.cos(angle) + group.parts[1] * np.sin(angle)
        scale[row] = max(float(np.sqrt(np.square(parts).sum())), SMALLEST)
        lasting = np.clip(0.5 * (group.attack + group.decay), 0.005, LONGEST_BURST)
        centre = min(group.frequency * 2**ABOVE, 0.4 * sample_rate)
        said = {
            "time": group.onset,
            "frequency": np.log(group.frequency),
            "attack": np.log(group.attack),
            "decay": np.log(group.decay),
            "damping": np.log(0.1),
            "burst": np.log(lasting),
            "centre": np.log(centre),
            "width": np.log(WIDTH),
            "level": NOISE,
            "pan": pan,
        }
        for name, value in said.items():
            numbers[row, AT[name]] = value
        numbers[row, TONES] = parts.reshape(-1) / scale[row]
    return np.clip(numbers, *bounds()), scale


def bounds() -> tuple[Floats, Floats]:
    """The least and the most of each number."""
    return np.array([n.low for n in NUMBERS.values()]), np.array([n.high for n in NUMBERS.values()])


def loose_sounds(numbers: Tensor, scale: Tensor, noise: Tensor, *, channels: int, sample_rate: int) -> Sounds:
    """What is heard of the numbers; differentiable."""
    column = {name: numbers[:, place] for name, place in AT.items()}
    column |= {name: column[name].exp() for name, number in NUMBERS.items() if number.logarithm}
    angle = (column["pan"] + 1) * (torch.pi / 4)
    return assembled(
        {**column, "noise": noise},
        harmonics=numbers[:, TONES].unflatten(1, (HARMONICS, 2)) * scale[:, None, None],
        level=column["level"] * scale,
        gains=torch.stack([angle.cos(), angle.sin()], 1) if channels == 2 else torch.ones(len(numbers), 1).double(),
        sample_rate=sample_rate,
    )


def rows(numbers: Floats, scale: Floats, noise: Floats, *, channels: int) -> NDArray[np.float32]:
    """The same as it is stored, ``[events, columns]``."""
    found = np.zeros((len(numbers), len(COLUMNS) + (channels == 2)))
    for name in ("time", "frequency", "attack", "decay", "damping", "bend", "burst", "centre", "width"):
        values = numbers[:, AT[name]]
        found[:, PLACES[name]] = np.exp(values) if NUMBERS[name].logarithm else values
    norm, phase, relative = stored(numbers[:, TONES].reshape(-1, HARMONICS, 2))
    # A time is stored to millionths of a second, a phase to millionths of a turn: the phase makes up for the time.
    column = {name: torch.from_numpy(found[:, PLACES[name]]) for name in ("frequency", "attack", "decay", "bend")}
    begun = 2 * np.pi * frequency_at_onset(**column).numpy()
    late = found[:, PLACES["time"]].astype(np.float32) - found[:, PLACES["time"]]
    found[:, PLACES["phase"]] = np.remainder(phase + begun * late + np.pi, 2 * np.pi) - np.pi
    found[:, FIRST:LAST] = relative
    level = numbers[:, AT["level"]]
    found[:, PLACES["amplitude"]] = (norm + level) * scale
    found[:, PLACES["mix"]] = norm / np.maximum(norm + level, SMALLEST)
    found[:, PLACES["noise"]] = noise
    if channels == 2:
        found[:, PLACES["pan"]] = numbers[:, AT["pan"]]
    return found.astype(np.float32)
