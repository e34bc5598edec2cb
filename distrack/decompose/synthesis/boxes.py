"""Boxes of sounds: where a resonance and a burst of noise lie on the time-frequency plane, and their energy."""

import numpy as np

from distrack.arrays import Doubles, Floats
from distrack.decompose.events import Box
from distrack.decompose.synthesis.burst import ENDS, PEAK
from distrack.decompose.synthesis.clip import Clip, Envelope
from distrack.decompose.synthesis.resonance import END, ORDER
from distrack.decompose.synthesis.sounds import Sounds

# A box covers each harmonic that has at least this share of the event's energy, and the noise if it has as much, up to
# this many deviations of its band to each side.
COUNTS, DEVIATIONS = 0.01, 1.0
# Points of a numerical integral.
POINTS = 257


def boxes_of(sounds: Sounds, pitches: Floats, clip: Clip) -> Box:
    """Where each of some sounds lies; one that is mostly noise has no pitch.

    Energy is that within the clip: the sum over harmonics, and the noise's expected energy.

    Shape:
        - pitches: ``[events]``, in Hz
    """
    tones, noise = sounds
    harmonics = tones.harmonics.shape[1]
    onset = tones.onset.numpy()
    attack, decay, damping = tones.attack.numpy(), tones.decay.numpy(), tones.damping.numpy()
    spread = (tones.gains.square().sum(1)).numpy()
    powers = tones.harmonics.square().sum(2).numpy() / 2
    sample_rate, seconds = clip.sample_rate, clip.samples / clip.sample_rate
    begins, ends = np.clip(-onset, 0, None), np.clip(seconds - onset, 0, None)
    integrals = np.stack([_resonance_integral(attack, decay, k * damping, begins, ends) for k in range(harmonics)], 1)
    risen = ORDER * decay / (attack + ORDER * decay)
    log_peak = ORDER * np.log(risen) + attack / decay * np.log1p(-risen)
    tone_energy = powers * integrals * np.exp(-2 * log_peak)[:, None] * (sample_rate * spread)[:, None]
    time_constant, centre, width = noise.time_constant.numpy(), noise.centre.numpy(), noise.width.numpy()
    noise_energy = (
        np.square(noise.level.numpy())
        * _noise_integral(time_constant, begins, ends, clip.envelope)
        * sample_rate
        * spread
    )
    noise_energy *= _share_below(sample_rate / 2, centre, width)
    energy = tone_energy.sum(1) + noise_energy
    least = COUNTS * np.maximum(energy, 1e-30)
    base = tones.frequency.numpy() * np.minimum(1, 1 + tones.bend.numpy())
    top = tones.frequency.numpy() * np.maximum(1, 1 + tones.bend.numpy())
    blur = 1 / (2 * np.pi * (attack + decay))
    order = np.arange(1, harmonics + 1)
    has_harmonic = tone_energy >= least[:, None]
    lows = np.where(has_harmonic, base[:, None] * order - blur[:, None], np.inf)
    highs = np.where(has_harmonic, top[:, None] * order + blur[:, None], -np.inf)
    has_noise = noise_energy >= least
    band = 2.0 ** (DEVIATIONS * width)
    low = np.minimum(lows.min(1), np.where(has_noise, centre / band, np.inf))
    high = np.maximum(highs.max(1), np.where(has_noise, centre * band, -np.inf))
    silent = ~(has_harmonic.any(1) | has_noise)
    low, high = np.where(silent, base, low), np.where(silent, top, high)
    tone_end = attack * np.log1p(ORDER * decay / attack) + END * decay
    end = np.where(has_harmonic.any(1) | silent, tone_end, 0)
    end = np.maximum(end, np.where(has_noise, time_constant * ENDS[clip.envelope], 0))
    pitched = tone_energy.sum(1) >= noise_energy
    # All harmonics present are multiples of the pitch: of the second and the fourth harmonic, it is the second.
    lowest = np.maximum(np.gcd.reduce(np.where(has_harmonic, order, 0), axis=1, initial=0), 1)
    nyquist = sample_rate / 2
    pitch = np.where(pitched, pitches * lowest, 0)
    columns = (onset, onset + end, onset, np.clip(low, 0, nyquist), np.clip(high, 0, nyquist), pitch, energy)
    return Box(*(column.astype(np.float32) for column in columns))


def _resonance_integral(attack: Doubles, decay: Doubles, damping: Doubles, begins: Doubles, ends: Doubles) -> Doubles:
    """Integral of the squared envelope, (1 - exp(-t/a))^4 exp(-2t/d) exp(-2 damping t), a sum of five exponentials."""
    total = np.zeros_like(attack)
    for power, sign in enumerate((1, -4, 6, -4, 1)):
        rate = power / attack + 2 / decay + 2 * damping
        total += sign * (np.exp(-rate * begins) - np.exp(-rate * ends)) / rate
    return np.maximum(total, 0)


def _noise_integral(time_constant: Doubles, begins: Doubles, ends: Doubles, envelope: Envelope) -> Doubles:
    """Integral of the noise's squared envelope."""
    begins = np.minimum(begins / time_constant, ENDS[envelope])
    ends = np.minimum(ends / time_constant, ENDS[envelope])
    past = begins + (ends - begins) * np.linspace(0, 1, POINTS)[:, None]
    shape = past * np.exp(1 - past) if envelope == "gamma" else np.exp(-0.5 * (past - PEAK) ** 2)
    return np.trapezoid(shape**2, past, axis=0) * time_constant


def _share_below(nyquist: float, centre: Doubles, width: Doubles) -> Doubles:
    """Share of a band's power below half the sample rate."""
    reach = np.linspace(-5, 5, POINTS)[:, None]
    frequency = centre * 2.0 ** (reach * width)
    power = np.exp(-(reach**2)) * frequency
    share: Doubles = (power * (frequency < nyquist)).sum(0) / power.sum(0)
    return share
