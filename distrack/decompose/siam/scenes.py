"""Synthetic scenes: sounds of a few notes and noises whose onsets and pitches are known."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

RATE = 16_000
# Harmonics of a synthetic note.
PARTIALS = 24
LOWEST, HIGHEST = 41.2, 3_000.0
NOISIEST = 7_000.0


class Note(NamedTuple):
    """A synthetic note or noise alone.

    Attributes:
        wave: ``[samples]``, from its onset.
        frequency: pitch in Hz, or the middle of the band of a noise.
        noise: share of the noise; 1 without a pitch.
    """

    wave: Tensor
    frequency: float
    noise: float


class Scene(NamedTuple):
    """A sound and the events in it.

    Attributes:
        time: onset in seconds; 0 for an event that began before the scene.
        frequency: pitch in Hz, or the middle of the band of a noise.
        noise: share of the noise; 1 for an event without a pitch.
        level: root of the energy of the event.

    Shape:
        - wave: ``[samples]``, at 16 kHz
        - all others: ``[events]``
    """

    wave: Tensor
    time: Tensor
    frequency: Tensor
    noise: Tensor
    level: Tensor

    def louder_than(self, share: float) -> "Scene":
        """The same scene, of whose events those count that have this share of the level of the loudest one."""
        loud = self.level > share * self.level.max() if len(self.level) else self.level > 0
        return Scene(self.wave, *(one[loud] for one in self[1:]))


class Draw:
    """Random numbers of one generator, by the distributions that scenes use."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, low: float, high: float, *size: int) -> Tensor:
        return low + (high - low) * torch.rand(size, generator=self.generator)

    def number(self, low: float, high: float) -> float:
        return float(self.uniform(low, high, 1))

    def ratio(self, low: float, high: float) -> float:
        """A number between two, evenly by ratio."""
        return math.exp(self.number(math.log(low), math.log(high)))

    def normal(self, *size: int) -> Tensor:
        return torch.randn(size, generator=self.generator)

    def chance(self, share: float) -> bool:
        return self.number(0, 1) < share


def partial_amplitudes(draw: Draw, frequency: float) -> Tensor:
    """Amplitudes of a random instrument's partials: a tilt, formants, missing even ones, a weak fundamental."""
    order = torch.arange(1, PARTIALS + 1).float()
    pitch = frequency * order
    decibels = -draw.number(1, 18) * order.log2() + draw.number(0, 7) * draw.normal(PARTIALS)
    for _ in range(int(draw.number(0, 4))):
        centre, width = draw.ratio(150, 5_000), draw.number(0.3, 1.5)
        decibels = decibels + draw.number(-10, 20) * torch.exp(-0.5 * ((pitch / centre).log2() / width).square())
    amplitudes = 10 ** (decibels / 20)
    if draw.chance(0.2):
        amplitudes[1::2] *= draw.number(0.01, 0.7)
    if draw.chance(0.2):
        amplitudes[0] *= draw.number(0.05, 0.5)
    if draw.chance(0.07):
        amplitudes[1:] *= draw.number(0, 0.1)
    amplitudes = amplitudes * (pitch < 0.47 * RATE)
    return amplitudes / amplitudes.square().sum().sqrt().clamp(min=1e-9)


def note(draw: Draw, *, seconds: float) -> Note:
    """A random note of a random instrument, or a noise."""
    pitched = not draw.chance(0.15)
    samples = int(seconds * RATE)
    time = torch.arange(samples) / RATE
    if draw.chance(0.5):
        attack, decay = draw.ratio(0.001, 0.03), draw.ratio(0.03, 2.0)
        envelope = (1 - torch.exp(-time / attack)) * torch.exp(-time / decay)
    else:
        attack, length, release = draw.ratio(0.005, 0.15), draw.ratio(0.08, 2.5), draw.ratio(0.01, 0.15)
        envelope = (1 - torch.exp(-time / attack)) * (
            1 + draw.number(-0.4, 0.6) * torch.exp(-time / draw.ratio(0.05, 0.5))
        )
        envelope = envelope * torch.exp(-(time - length).clamp(min=0) / release)
    if not pitched:
        centre, width = draw.ratio(80, NOISIEST), draw.number(0.15, 2.0)
        return Note(band_noise(draw, samples, centre, width) * envelope, centre, 1.0)
    frequency = draw.ratio(LOWEST, HIGHEST)
    amplitudes = partial_amplitudes(draw, frequency)
    damping = draw.ratio(0.02, 10.0) if draw.chance(0.6) else 0.0
    cents = torch.zeros(samples)
    if draw.chance(0.35):
        vibrato = draw.number(3, 30) * torch.sin(2 * math.pi * draw.number(4, 7) * time + draw.number(0, 6.28))
        cents = vibrato * (time / draw.number(0.1, 0.6)).clamp(max=1)
    if draw.chance(0.2):
        cents = cents + draw.number(-80, 40) * torch.exp(-time / draw.number(0.01, 0.05))
    phase = 2 * math.pi * torch.cumsum(frequency * torch.exp2(cents.double() / 1200), 0) / RATE
    stretch = draw.ratio(1e-5, 4e-4) if draw.chance(0.2) else 0.0
    wave = torch.zeros(samples)
    for k, amplitude in enumerate(amplitudes.tolist(), 1):
        if amplitude > 1e-4:
            turned = torch.remainder(phase * (k * math.sqrt(1 + stretch * k * k)), 2 * math.pi).float()
            wave += amplitude * torch.exp(-damping * (k - 1) * time) * torch.sin(turned + draw.number(0, 6.28))
    wave = wave * envelope
    share = draw.number(0, 0.5) if draw.chance(0.4) else 0.0
    width = draw.number(0.3, 1.5)
    if share:
        breath = band_noise(draw, samples, frequency * draw.ratio(0.7, 12), width)
        if draw.chance(0.5):
            breath = breath * torch.exp(-time / draw.ratio(0.01, 0.1))
        wave = (1 - share) * wave + share * breath * envelope
    return Note(wave, frequency, share)


def band_noise(draw: Draw, samples: int, centre: float, width: float) -> Tensor:
    """Noise with a Gaussian band in octaves and an RMS of about 0.7."""
    frequency = torch.fft.rfftfreq(samples, 1 / RATE).clamp(min=1)
    shape = torch.exp(-0.5 * ((frequency / centre).log2() / width).square())
    wave: Tensor = torch.fft.irfft(torch.fft.rfft(draw.normal(samples)) * shape, samples)
    return 0.7 * wave / wave.square().mean().sqrt().clamp(min=1e-9)


def scene(draw: Draw, notes: Sequence[Note], *, samples: int, most: int) -> Scene:
    """A scene of 1 to `most` of the notes, at random times and levels, with reverb or hiss now and then."""
    count = 1 + int(most * draw.number(0, 1) ** 1.5)
    wave = torch.zeros(samples)
    rows = []
    times = [draw.number(-0.3, 0.9 * samples / RATE) for _ in range(count)]
    if draw.chance(0.3):
        # Chords: some notes begin together.
        times = [times[int(draw.number(0, max(1, count // 3)))] for _ in range(count)]
    for time in times:
        one = notes[int(draw.number(0, len(notes)))]
        shift = round(time * RATE)
        piece = one.wave[max(0, -shift) :][: samples - max(0, shift)] * draw.ratio(0.1, 1.0)
        level = float(piece.square().sum().sqrt())
        if level < 1e-3:
            continue
        wave[max(0, shift) : max(0, shift) + len(piece)] += piece
        rows.append((max(time, 0.0), one.frequency, one.noise, level))
    if draw.chance(0.4):
        length = int(draw.ratio(0.05, 0.8) * RATE)
        tail = draw.normal(length) * torch.exp(-torch.arange(length) / (length / 5))
        room = tail / tail.square().sum().sqrt() * draw.number(0.05, 0.5)
        size = samples + length
        echo: Tensor = torch.fft.irfft(torch.fft.rfft(wave, size) * torch.fft.rfft(room, size), size)
        wave = wave + echo[:samples]
    power = wave.square().mean().sqrt().clamp(min=1e-6)
    hiss = band_noise(draw, samples, draw.ratio(50, 5_000), 3.0)
    wave = wave + hiss * power * draw.ratio(1e-4, 0.05)
    return Scene(wave, *torch.tensor(rows).reshape(-1, 4).unbind(1))
