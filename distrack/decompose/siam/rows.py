"""The stored numbers of an event of the model, and the small network that turns them into sound."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.arrays import Floats
from distrack.decompose.events import Column
from distrack.decompose.synthesis.sounds import PAN, Sounds, assembled, pan_gains

# Numbers of a timbre, and harmonics that it is decoded to.
TIMBRE, HARMONICS = 10, 16
# Largest value of a timbre's numbers.
FARTHEST = 6.0
COLUMNS = (
    Column("time", "s", "onset of the event", -1e5, 1e5),
    Column(
        "frequency", "Hz", "pitch of the event, or the middle of the band of one without a pitch", 1, 1e6, "geometric"
    ),
    Column("amplitude", "", "sum of the peaks of resonance and noise", 0, 1e6),
    Column("attack", "s", "time constant of the rise", 1e-4, 60, "geometric"),
    Column("decay", "s", "time constant of the fall", 1e-4, 60, "geometric"),
    Column(
        "brightness", "octaves", "harmonic k is multiplied by k to this power, and the noise moves up by it", -10, 10
    ),
    Column("noise", "", "share of the noise in the amplitude", 0, 1),
    *(Column(f"timbre {k}", "", f"number {k} of the learnt timbre", -FARTHEST, FARTHEST) for k in range(1, TIMBRE + 1)),
)
PLACES = {column.name: place for place, column in enumerate((*COLUMNS, PAN))}
TIMBRES = slice(PLACES["timbre 1"], PLACES[f"timbre {TIMBRE}"] + 1)
# What a timbre is decoded to besides harmonics: damping of higher harmonics in units of 1 / decay, octaves from the
# frequency to the middle of the noise's band, its width in octaves, and its time constant in units of the decay.
EXTRA = ("damping", "above", "width", "burst")
_LOW = {"damping": -4.0, "above": -1.0, "width": -3.0, "burst": -4.0}
_HIGH = {"damping": 2.0, "above": 6.0, "width": 1.0, "burst": 1.0}
OUTPUTS = 2 * HARMONICS + len(EXTRA)
HIDDEN = 64
# Frequency of which the decoder's input is 0, in Hz.
MIDDLE = 440.0
Weights = Mapping[str, Tensor]


class Decoded(NamedTuple):
    """What a timbre stands for at a pitch.

    Attributes:
        harmonics: cosine and sine part of each harmonic; their squares sum to 1.
        damping: how much faster each higher harmonic falls, in units of 1 / decay.
        above: octaves from the frequency to the middle of the noise's band.
        width: standard deviation of the noise's band, in octaves.
        burst: time constant of the noise, in units of the decay.

    Shape:
        - harmonics: ``[events, 16, 2]``
        - all others: ``[events]``
    """

    harmonics: Tensor
    damping: Tensor
    above: Tensor
    width: Tensor
    burst: Tensor


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the decoder's arrays, as a file of events stores them."""
    sizes = (TIMBRE + 1, HIDDEN, HIDDEN, OUTPUTS)
    result: dict[str, tuple[int, ...]] = {}
    for layer, (before, after) in enumerate(pairwise(sizes), 1):
        result |= {f"weight {layer}": (after, before), f"bias {layer}": (after,)}
    return result


def decode(timbre: Tensor, frequency: Tensor, weights: Weights) -> Decoded:
    """Harmonics, damping and noise of some events; differentiable.

    Shape:
        - timbre: ``[events, 10]``
        - frequency: ``[events]``, in Hz
    """
    hidden = torch.cat([timbre, torch.log2(frequency / MIDDLE)[:, None] / 2], 1)
    for layer in (1, 2, 3):
        hidden = hidden @ weights[f"weight {layer}"].T + weights[f"bias {layer}"]
        if layer < 3:
            hidden = torch.tanh(hidden)
    harmonics = hidden[:, : 2 * HARMONICS].unflatten(1, (HARMONICS, 2))
    # The time of an event is the phase of its first harmonic.
    real = torch.zeros(2)
    real[0] = 1.0
    harmonics = torch.cat([harmonics[:, :1] * real, harmonics[:, 1:]], 1)
    harmonics = harmonics / (harmonics.square().sum((1, 2), keepdim=True) + 1e-12).sqrt()
    rest = {
        name: _LOW[name] + (_HIGH[name] - _LOW[name]) * torch.sigmoid(hidden[:, 2 * HARMONICS + place])
        for place, name in enumerate(EXTRA)
    }
    return Decoded(harmonics, rest["damping"].exp(), rest["above"], rest["width"].exp(), rest["burst"].exp())


def sounds_of_rows(rows: Tensor, weights: Weights, *, sample_rate: int) -> Sounds:
    """The sounds that stored rows stand for; differentiable.

    Shape:
        - rows: ``[events, 17]`` of a mono clip, ``[events, 18]`` of a stereo one; any float dtype
    """
    column = {name: rows[:, place].double() for name, place in PLACES.items() if place < rows.shape[1]}
    decoded = decode(rows[:, TIMBRES].float(), column["frequency"].float(), weights)
    order = torch.arange(1, HARMONICS + 1, dtype=torch.float64)
    tilted = decoded.harmonics.double() * (order.log() * column["brightness"][:, None]).exp()[..., None]
    tilted = tilted / tilted.square().sum((1, 2), keepdim=True).sqrt().clamp(min=1e-9)
    level = column["amplitude"] * (1 - column["noise"])
    frequency, decay = column["frequency"], column["decay"]
    return assembled(
        {
            "time": column["time"],
            "frequency": frequency,
            "attack": column["attack"],
            "decay": decay,
            "damping": decoded.damping.double() / decay,
            "bend": torch.zeros_like(frequency),
            "burst": (decoded.burst.double() * decay).clamp(1e-4, 4.0),
            "centre": frequency * torch.exp2(decoded.above.double() + column["brightness"]),
            "width": decoded.width.double(),
            "noise": torch.zeros_like(frequency),
        },
        harmonics=tilted * level[:, None, None],
        level=column["amplitude"] * column["noise"],
        gains=pan_gains(column.get("pan"), len(rows)),
        sample_rate=sample_rate,
    )


def weights_of(shared: Mapping[str, Floats]) -> Weights:
    """The decoder of a file of events."""
    # Copies: where an array lies in memory decides how a product of matrices is rounded.
    return {name: torch.tensor(shared[name]) for name in shapes()}


def random_rows(draw: np.random.Generator, count: int, *, channels: int = 1) -> Floats:
    """Rows of random events at time 0, each with a timbre, a pitch and an envelope: ``[count, 17]``, 18 in stereo."""

    def ratio(low: float, high: float) -> NDArray[np.float64]:
        return low * (high / low) ** draw.random(count)

    rows = np.zeros((count, len(COLUMNS) + (channels == 2)))
    values = {
        "frequency": ratio(60, 1_500),
        "amplitude": ratio(0.1, 0.4),
        "attack": ratio(0.002, 0.05),
        "decay": ratio(0.05, 0.6),
        "brightness": draw.uniform(-2, 0, count),
        "noise": 0.3 * draw.random(count) ** 2,
    }
    for name, value in values.items():
        rows[:, PLACES[name]] = value
    rows[:, TIMBRES] = draw.normal(size=(count, TIMBRE))
    if channels == 2:
        rows[:, PLACES["pan"]] = draw.uniform(-0.8, 0.8, count)
    return rows.astype(np.float32)


def sounding(rows: Floats, weights: Weights) -> Tensor:
    """Level of each harmonic of some events in dB relative to the event, at least -60: ``[events, 16]``."""
    given = torch.from_numpy(rows)
    decoded = decode(given[:, TIMBRES], given[:, PLACES["frequency"]], weights)
    order = torch.arange(1, HARMONICS + 1).log()
    tilted = decoded.harmonics.square().sum(2) * (2 * order * given[:, PLACES["brightness"], None]).exp()
    return 10 * torch.log10(tilted / tilted.sum(1, keepdim=True) + 1e-6)
