"""Sounds of events: a resonance and a burst of noise each, from numbers in their stored units."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Floats
from distrack.decompose.events import Column, Events
from distrack.decompose.synthesis.burst import Bursts, burst
from distrack.decompose.synthesis.clip import Clip
from distrack.decompose.synthesis.resonance import ORDER, Resonances, resonate
from distrack.device import one_thread

# Share of half the sample rate over which a harmonic fades out before it would alias.
FADE = 0.05
PAN = Column("pan", "", "-1 is left, 0 the middle, 1 right", -1, 1)


class Sounds(NamedTuple):
    """The resonances and the bursts of some events, as they are rendered."""

    resonances: Resonances
    bursts: Bursts


def assembled(
    column: dict[str, Tensor], *, harmonics: Tensor, level: Tensor, gains: Tensor, sample_rate: int
) -> Sounds:
    """Sounds from columns in their stored units, and from the levels, which a fit stores in another form.

    Shape:
        - harmonics: ``[events, harmonics, 2]``
        - level: ``[events]``
        - gains: ``[events, channels]``
    """
    attack, decay, bend = column["attack"], column["decay"], column["bend"]
    settling = attack + decay
    onset_frequency = frequency_at_onset(frequency=column["frequency"], attack=attack, decay=decay, bend=bend)
    highest = onset_frequency * torch.clamp(1 + bend, min=1)
    multiples = highest.detach()[:, None] * torch.arange(1, harmonics.shape[1] + 1)
    fade = torch.clamp((sample_rate / 2 - multiples) / (FADE * sample_rate / 2), 0, 1)
    resonances = Resonances(
        onset=column["time"],
        attack=attack,
        decay=decay,
        damping=column["damping"],
        frequency=onset_frequency,
        bend=bend,
        settling=settling,
        harmonics=harmonics * fade[..., None],
        gains=gains,
    )
    bursts = Bursts(
        onset=column["time"],
        number=column["noise"],
        time_constant=column["burst"],
        centre=column["centre"],
        width=column["width"],
        level=level,
        gains=gains,
    )
    return Sounds(resonances, bursts)


def frequency_at_onset(*, frequency: Tensor, attack: Tensor, decay: Tensor, bend: Tensor) -> Tensor:
    """Frequency at the onset from the frequency at the envelope's peak; all ``[events]``, in Hz and seconds."""
    loudest = attack * torch.log1p(ORDER * decay / attack)
    return frequency / (1 - bend * torch.expm1(-loudest / (attack + decay)))


def pan_gains(pan: Tensor | None, count: int) -> Tensor:
    """Gain of each event into each channel, ``[events, channels]``; without pans there is one channel."""
    if pan is None:
        return torch.ones(count, 1, dtype=torch.float64)
    angle = (pan + 1) * (torch.pi / 4)
    return torch.stack([angle.cos(), angle.sin()], 1)


def mixed(sounds: Sounds, clip: Clip) -> Tensor:
    """The sum of all events, ``[channels, samples]``; differentiable."""
    tones = resonate(sounds.resonances, sample_rate=clip.sample_rate, samples=clip.samples)
    return tones + burst(sounds.bursts, clip)


def rendered(events: Events, gains: Floats, clip: Clip, sounds_of: Callable[[Tensor], Sounds]) -> Floats:
    """The sum of the audible ones of some events, each times its gain, without a gradient and by one thread.

    Args:
        sounds_of: the sounds that stored rows stand for.

    Shape:
        - gains: ``[events]``
        - returns: ``[channels, samples]``
    """
    audible = np.flatnonzero((gains != 0) & (events.column("amplitude") > 0))
    rows = torch.from_numpy(events.parameters[audible]).double()
    rows[:, events.place("amplitude")] *= torch.from_numpy(gains[audible]).double()
    with torch.no_grad(), one_thread():
        wave: Floats = mixed(sounds_of(rows), clip).numpy()
    return wave
