"""The network that proposes events: at which time and pitch does something begin?"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from distrack.decompose.siam.scenes import RATE, Scene

# Samples from one frame to the next; and the two windows.
HOP = 512
WINDOWS = (4096, 1024)
# Pitches are BINS_PER_OCTAVE to the octave from LOWEST Hz on.
LOWEST, BINS_PER_OCTAVE, BINS = 41.2, 24, 180
# For every pitch the network sees the levels at these multiples of it.
MULTIPLES = (1 / 2, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
# Range of levels in dB.
RANGE = 80.0
CHANNELS = 16
DILATIONS = (1, 1, 2, 4)
# Outputs for each frame and pitch: score of an onset, its distance from the frame and from the pitch, share of noise.
OUTPUTS = 4
# Logit of the score before training.
RARE = -5.0


class Map(NamedTuple):
    """What the network says of a sound.

    Attributes:
        score: logit of "an event begins here".
        late: by how many frames it begins after the frame.
        high: by how many pitches it is above the pitch.
        noise: logit of the share of the noise.

    Shape:
        - all: ``[sounds, pitches, frames]``
    """

    score: Tensor
    late: Tensor
    high: Tensor
    noise: Tensor


class Detector(nn.Module):
    """A convolutional network on levels at the harmonics of each pitch.

    Source:
        Bittner et al., "Deep Salience Representations for F0 Estimation in Polyphonic Music", ISMIR 2017, for the
        harmonic stack.
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = len(MULTIPLES) * len(WINDOWS)
        layers: list[nn.Module] = []
        for dilation in DILATIONS:
            kernel = (5, 3) if not layers else (3, 5)
            reach = (kernel[0] // 2, dilation * (kernel[1] // 2))
            layers += [
                nn.Conv2d(inputs, CHANNELS, kernel, padding=reach, dilation=(1, dilation)),
                nn.GroupNorm(1, CHANNELS),
                nn.ReLU(),
            ]
            inputs = CHANNELS
        self.body = nn.Sequential(*layers)
        self.head = nn.Conv2d(CHANNELS, OUTPUTS, 1)
        # Few places of a map have an onset.
        self.head.bias = nn.Parameter(torch.tensor([RARE, *([0.0] * (OUTPUTS - 1))]))

    def forward(self, levels: Tensor) -> Map:
        """The map of some sounds.

        Shape:
            - levels: ``[sounds, 16, pitches, frames]``, see `levels_of`
        """
        output = self.head(self.body(levels))
        return Map(output[:, 0], output[:, 1], output[:, 2], output[:, 3])


@lru_cache(maxsize=8)
def bands(window: int) -> Tensor:
    """Weights from the power of an STFT to that at each pitch, ``[pitches, bins]``."""
    frequency = torch.arange(window // 2 + 1) * (RATE / window)
    pitch = LOWEST * torch.exp2(torch.arange(BINS) / BINS_PER_OCTAVE)
    # A band is half a bin of the STFT wide at least.
    width = torch.clamp(pitch * (2 ** (0.5 / BINS_PER_OCTAVE) - 2 ** (-0.5 / BINS_PER_OCTAVE)), min=RATE / window)
    return torch.clamp(1 - (frequency[None] - pitch[:, None]).abs() / width[:, None], min=0)


def powers(wave: Tensor) -> list[Tensor]:
    """Powers at each pitch through both windows.

    Shape:
        - wave: ``[sounds, samples]``
        - returns: ``[sounds, pitches, frames]`` each
    """
    result = []
    for window in WINDOWS:
        padded = functional.pad(wave, (window // 2, window // 2))
        shape = torch.hann_window(window)
        spectrum = torch.stft(padded, window, HOP, window=shape, center=False, return_complex=True)
        power = torch.view_as_real(spectrum).square().sum(3) / shape.square().sum()
        result.append(bands(window) @ power)
    return result


def levels_of(given: list[Tensor]) -> Tensor:
    """Levels at the multiples of each pitch, relative to the loudest one: 1, down to 0 at -80 dB.

    Shape:
        - given: what `powers` returns
        - returns: ``[sounds, 16, pitches, frames]``
    """
    loudest = torch.stack([one.amax((1, 2)) for one in given]).amax(0).clamp(min=1e-12)
    stacked = []
    for power in given:
        level = 1 + 10 / RANGE * torch.log10(power / loudest[:, None, None] + 10 ** (-RANGE / 10))
        for multiple in MULTIPLES:
            shift = round(BINS_PER_OCTAVE * math.log2(multiple))
            moved = torch.roll(level, -shift, 1)
            if shift > 0:
                moved[:, -shift:] = 0
            elif shift < 0:
                moved[:, :-shift] = 0
            stacked.append(moved)
    return torch.stack(stacked, 1)


def place_of(frequency: Tensor) -> Tensor:
    """Number of the pitch of a frequency in Hz, with its fraction."""
    return BINS_PER_OCTAVE * torch.log2(frequency / LOWEST)


def loss_of(maps: Map, scenes: Sequence[Scene]) -> Tensor:
    """How far the maps are from the events of the scenes.

    Source:
        Zhou, Wang and Krähenbühl, "Objects as Points", 2019, eq. 1: the focal loss around peaks.
    """
    target, frames = torch.zeros_like(maps.score), maps.score.shape[2]
    rows: list[tuple[int, int, int, float, float, float]] = []
    pitches, columns = torch.arange(BINS)[:, None], torch.arange(frames)[None]
    for number, one in enumerate(scenes):
        for when, pitch, share in zip(
            (one.time * RATE / HOP).tolist(), place_of(one.frequency).tolist(), one.noise.tolist(), strict=True
        ):
            frame, row = min(max(round(when), 0), frames - 1), min(max(round(pitch), 0), BINS - 1)
            wide = 4.0 if share == 1 else 0.8
            bump = torch.exp(-0.5 * (((pitches - row) / wide).square() + ((columns - frame) / 0.8).square()))
            target[number] = torch.maximum(target[number], bump)
            rows.append((number, row, frame, when - frame, pitch - row, share))
    likely = torch.sigmoid(maps.score)
    log_likely, log_unlikely = functional.logsigmoid(maps.score), functional.logsigmoid(-maps.score)
    at = [torch.tensor([row[place] for row in rows]) for place in range(6)]
    here = (at[0].long(), at[1].long(), at[2].long())
    missed = ((1 - likely[here]).square() * log_likely[here]).sum()
    wrong = ((1 - target) ** 4 * likely.square() * log_unlikely * (target < 1)).sum()
    count = max(len(rows), 1)
    focal = -(missed + wrong) / count
    tonal = (at[5] < 1).float()
    place = (maps.late[here] - at[3]).abs().mean() + ((maps.high[here] - at[4]).abs() * tonal).mean()
    noise_loss = functional.binary_cross_entropy_with_logits(maps.noise[here], at[5])
    return focal + place + noise_loss
