"""The numbers that gradient descent changes, a row for each event: logarithms of positive numbers, scaled levels."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Doubles, Floats
from distrack.decompose.splat.harmonic_pursuit import Group
from distrack.decompose.splat.parameters import (
    COLUMNS,
    FIRST,
    HARMONICS,
    LAST,
    stored_harmonics,
)
from distrack.decompose.splat.parameters import PLACES as STORED_PLACES
from distrack.decompose.synthesis.sounds import Sounds, assembled, frequency_at_onset, pan_gains


class Variable(NamedTuple):
    """One number of an event that gradient descent changes.

    Attributes:
        step: how far one step of the optimiser moves it, about, at a learning rate of 1.
        logarithm: whether it is the logarithm of the stored number; step and range are then logarithms too.
    """

    step: float
    low: float
    high: float
    logarithm: bool = False


def _log(step: float, low: float, high: float) -> Variable:
    return Variable(step, float(np.log(low)), float(np.log(high)), logarithm=True)


VARIABLES = {
    "time": Variable(3e-4, -600.0, 600.0),
    "frequency": _log(2e-4, 15.0, 300_000.0),
    "attack": _log(0.02, 3e-4, 10.0),
    "decay": _log(0.02, 2e-3, 20.0),
    "damping": _log(0.02, 1e-2, 300.0),
    "bend": Variable(2e-4, -0.1, 0.1),
    "burst": _log(0.02, 1e-3, 0.5),
    "centre": _log(0.02, 20.0, 300_000.0),
    "width": _log(0.02, 0.05, 4.0),
    # Levels are in units of the event's scale, its level when it was found.
    "level": Variable(0.01, 0.0, 1e4),
    **{f"{part} {k}": Variable(0.02, -1e4, 1e4) for k in range(1, HARMONICS + 1) for part in ("cosine", "sine")},
    "pan": Variable(0.01, -1.0, 1.0),
}
PLACES = {name: place for place, name in enumerate(VARIABLES)}
TONES = slice(PLACES["cosine 1"], PLACES[f"sine {HARMONICS}"] + 1)
SMALLEST = 1e-7
# The noise of each event before the first step: its level in units of the scale, octaves from the pitch to the centre
# of its band, width of the band in octaves, and its longest time constant in seconds.
NOISE, ABOVE, WIDTH, LONGEST_BURST = 0.1, 1.6, 1.0, 0.12


def initial_variables(groups: list[Group], *, sample_rate: int) -> tuple[Doubles, Doubles]:
    """Variables before the first step, and the scale of each event.

    The energies of both channels decide the pan of a stereo event.

    Shape:
        - returns: ``[events, variables]`` and ``[events]``
    """
    variables = np.zeros((len(groups), len(VARIABLES)))
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
        values = {
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
        for name, value in values.items():
            variables[row, PLACES[name]] = value
        variables[row, TONES] = parts.reshape(-1) / scale[row]
    return np.clip(variables, *bounds()), scale


def bounds() -> tuple[Doubles, Doubles]:
    """Lower and upper end of the range of each variable, ``[variables]`` each."""
    return np.array([one.low for one in VARIABLES.values()]), np.array([one.high for one in VARIABLES.values()])


def sounds_of_variables(variables: Tensor, scale: Tensor, noise: Tensor, *, channels: int, sample_rate: int) -> Sounds:
    """The sounds that variables stand for; differentiable.

    Shape:
        - variables: ``[events, variables]``
        - scale, noise: ``[events]``
    """
    column = {name: variables[:, place] for name, place in PLACES.items()}
    column |= {name: column[name].exp() for name, variable in VARIABLES.items() if variable.logarithm}
    return assembled(
        {**column, "noise": noise},
        harmonics=variables[:, TONES].unflatten(1, (HARMONICS, 2)) * scale[:, None, None],
        level=column["level"] * scale,
        gains=pan_gains(column["pan"] if channels == 2 else None, len(variables)),
        sample_rate=sample_rate,
    )


def stored_rows(variables: Doubles, scale: Doubles, noise: Doubles, *, channels: int) -> Floats:
    """Rows of parameters as they are stored, ``[events, columns]``."""
    rows = np.zeros((len(variables), len(COLUMNS) + (channels == 2)))
    for name in ("time", "frequency", "attack", "decay", "damping", "bend", "burst", "centre", "width"):
        values = variables[:, PLACES[name]]
        rows[:, STORED_PLACES[name]] = np.exp(values) if VARIABLES[name].logarithm else values
    norm, phase, relative = stored_harmonics(variables[:, TONES].reshape(-1, HARMONICS, 2))
    # In float32 a time is exact to about a microsecond, which is a part of a period: the phase corrects the rounding.
    column = {name: torch.from_numpy(rows[:, STORED_PLACES[name]]) for name in ("frequency", "attack", "decay", "bend")}
    turn = 2 * np.pi * frequency_at_onset(**column).numpy()
    late = rows[:, STORED_PLACES["time"]].astype(np.float32) - rows[:, STORED_PLACES["time"]]
    rows[:, STORED_PLACES["phase"]] = np.remainder(phase + turn * late + np.pi, 2 * np.pi) - np.pi
    rows[:, FIRST:LAST] = relative
    level = variables[:, PLACES["level"]]
    rows[:, STORED_PLACES["amplitude"]] = (norm + level) * scale
    rows[:, STORED_PLACES["mix"]] = norm / np.maximum(norm + level, SMALLEST)
    rows[:, STORED_PLACES["noise"]] = noise
    if channels == 2:
        rows[:, STORED_PLACES["pan"]] = variables[:, PLACES["pan"]]
    return rows.astype(np.float32)
