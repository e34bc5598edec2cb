"""Timbres: the harmonics and the noise of an event as ten numbers, by a small autoencoder."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from distrack.decompose.siam.rows import FARTHEST, HARMONICS, MIDDLE, TIMBRE, Decoded, Weights, decode, shapes
from distrack.decompose.siam.scenes import RATE, Draw, partial_amplitudes

# A harmonic this many dB below the event counts as silent.
SILENT = -50.0
WIDER = 128


class Description(NamedTuple):
    """What is measured of events, and what a timbre has to give back.

    Attributes:
        frequency: in Hz.
        harmonics: cosine and sine part of each harmonic, relative to all of them; the first one has no sine part.
        audible: 1 where a harmonic lies below half the sample rate at which it was measured, else 0.
        brightness, noise: as stored of an event.
        extra: logarithm of the damping in units of 1 / decay, octaves from the frequency to the noise's band, logarithm
            of its width in octaves, and of its time constant in units of the decay.

    Shape:
        - harmonics: ``[events, 16, 2]``
        - audible: ``[events, 16]``
        - extra: ``[events, 4]``
        - all others: ``[events]``
    """

    frequency: Tensor
    harmonics: Tensor
    audible: Tensor
    brightness: Tensor
    noise: Tensor
    extra: Tensor

    def at(self, which: Tensor) -> "Description":
        """Some of the events."""
        return Description(*(one[which] for one in self))


class TimbreEncoder(nn.Module):
    """From descriptions to timbres."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 4 * HARMONICS + 7
        self.layers = nn.Sequential(
            nn.Linear(inputs, WIDER), nn.Tanh(), nn.Linear(WIDER, WIDER), nn.Tanh(), nn.Linear(WIDER, TIMBRE)
        )

    def forward(self, given: Description) -> Tensor:
        """Timbres, ``[events, 10]``."""
        level = given.harmonics.square().sum(2)
        decibels = (1 - 10 * torch.log10(level + 1e-6) / SILENT).clamp(min=0) * given.audible
        tonal = (1 - given.noise)[:, None]
        parts = (
            given.harmonics.flatten(1) * tonal,
            decibels * tonal,
            given.audible,
            given.extra,
            given.brightness[:, None],
            given.noise[:, None],
            torch.log2(given.frequency / MIDDLE)[:, None] / 2,
        )
        return FARTHEST * torch.tanh(self.layers(torch.cat(parts, 1)) / FARTHEST)


def new_decoder() -> dict[str, Tensor]:
    """Random arrays of a decoder before training."""
    weights = {}
    for name, shape in shapes().items():
        scale = 1 / math.sqrt(shape[1]) if len(shape) == 2 else 0.0
        weights[name] = (torch.randn(shape) * scale).requires_grad_()
    return weights


def tilt(harmonics: Tensor) -> Tensor:
    """Slope of the harmonics' levels: the power of k that fits them, ``[events]``.

    Shape:
        - harmonics: ``[events, 16, 2]``
    """
    size = harmonics.square().sum(2).sqrt() + 1e-6
    order = torch.arange(1, harmonics.shape[1] + 1).log()
    weight = size / size.sum(1, keepdim=True)
    x = order - (weight * order).sum(1, keepdim=True)
    y = size.log() - (weight * size.log()).sum(1, keepdim=True)
    # Next to a slope of -1, which the few harmonics of a high note cannot show to be wrong.
    return (((weight * x * y).sum(1) - 0.1) / ((weight * x * x).sum(1) + 0.1)).clamp(-6, 3)


def tilted(decoded: Decoded, brightness: Tensor) -> Tensor:
    """The harmonics of an event as it sounds, ``[events, 16, 2]``."""
    order = torch.arange(1, HARMONICS + 1).log()
    moved = decoded.harmonics * (order * brightness[:, None]).exp()[..., None]
    return moved / moved.square().sum((1, 2), keepdim=True).sqrt().clamp(min=1e-9)


def random_descriptions(draw: Draw, count: int) -> Description:
    """Descriptions of random instruments."""
    frequency = torch.exp2(draw.uniform(math.log2(41), math.log2(4_000), count))
    sizes = torch.stack([partial_amplitudes(draw, float(pitch))[:HARMONICS] for pitch in frequency])
    phases = draw.uniform(0, 2 * math.pi, count, HARMONICS)
    phases[:, 0] = 0
    harmonics = torch.stack([sizes * phases.cos(), sizes * phases.sin()], 2)
    harmonics = harmonics / harmonics.square().sum((1, 2), keepdim=True).sqrt().clamp(min=1e-6)
    kinds = draw.uniform(0, 1, count)
    noise = torch.where(kinds < 0.2, torch.ones(count), torch.where(kinds < 0.5, draw.uniform(0, 0.6, count), 0.0))
    extra = torch.stack(
        [
            draw.uniform(-4, 2, count),
            draw.uniform(-0.9, 5, count) * (noise < 1),
            draw.uniform(-2, 0.8, count),
            draw.uniform(-2, 0.5, count),
        ],
        1,
    )
    audible = (frequency[:, None] * torch.arange(1, HARMONICS + 1) < 0.47 * RATE).float()
    return Description(frequency, harmonics, audible, tilt(harmonics), noise, extra)


def loss_of(given: Description, timbre: Tensor, weights: Weights) -> Tensor:
    """How far decoded events are from what was measured."""
    decoded = decode(timbre, given.frequency, weights)
    harmonics = tilted(decoded, given.brightness)
    tonal = 1 - given.noise
    audible = given.audible[..., None]
    error = ((harmonics - given.harmonics) * audible).square().sum((1, 2))
    levels = [10 * torch.log10(one.square().sum(2) + 10 ** (SILENT / 10)) for one in (harmonics, given.harmonics)]
    colour = ((levels[0] - levels[1]).abs() * given.audible).sum(1) / given.audible.sum(1).clamp(min=1) / 20
    rest = torch.stack([decoded.damping.log(), decoded.above, decoded.width.log(), decoded.burst.log()], 1)
    off = (rest - given.extra).abs()
    breath = (given.noise > 0).float()
    return (tonal * (error + 0.3 * colour + 0.05 * off[:, 0]) + 0.1 * breath * off[:, 1:].sum(1)).mean()
