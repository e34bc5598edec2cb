"""Where events are on the time-frequency plane, from their numbers alone."""

import numpy as np
from numpy.typing import NDArray

from distrack.decompose.decomposer import Box
from distrack.decompose.splat.burst import ENDS, PEAK, Envelope
from distrack.decompose.splat.parameters import HARMONICS, Sounds
from distrack.decompose.splat.resonance import END, ORDER

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# A harmonic, or the noise, belongs to the box with a hundredth of the event's energy; noise covers so many deviations.
COUNTS, DEVIATIONS = 0.01, 1.0
POINTS = 257


def extents(given: Sounds, *, pitches: Floats, sample_rate: int, samples: int, envelope: Envelope) -> Box:
    """Boxes of events; energy is of what lies within the clip, of each harmonic alone and of the noise on average."""
    tones, noise = given
    onset = tones.onset.numpy()
    attack, decay, damping = tones.attack.numpy(), tones.decay.numpy(), tones.damping.numpy()
    spread = (tones.gains.square().sum(1)).numpy()
    powers = tones.harmonics.square().sum(2).numpy() / 2
    clip = samples / sample_rate
    begins, ends = np.clip(-onset, 0, None), np.clip(clip - onset, 0, None)
    rings = np.stack([_ring(attack, decay, k * damping, begins, ends) for k in range(HARMONICS)], 1)
    risen = ORDER * decay / (attack + ORDER * decay)
    log_peak = ORDER * np.log(risen) + attack / decay * np.log1p(-risen)
    tonal = powers * rings * np.exp(-2 * log_peak)[:, None] * (sample_rate * spread)[:, None]
    lasting, centre, width = noise.lasting.numpy(), noise.centre.numpy(), noise.width.numpy()
    noisy = np.square(noise.level.numpy()) * _hiss(lasting, begins, ends, envelope) * sample_rate * spread
    noisy *= _below(sample_rate / 2, centre, width)
    energy = tonal.sum(1) + noisy
    least = COUNTS * np.maximum(energy, 1e-30)
    base = tones.frequency.numpy() * np.minimum(1, 1 + tones.bend.numpy())
    top = tones.frequency.numpy() * np.maximum(1, 1 + tones.bend.numpy())
    blur = 1 / (2 * np.pi * (attack + decay))
    order = np.arange(1, HARMONICS + 1)
    rung = tonal >= least[:, None]
    lows = np.where(rung, base[:, None] * order - blur[:, None], np.inf)
    highs = np.where(rung, top[:, None] * order + blur[:, None], -np.inf)
    hissed = noisy >= least
    band = 2.0 ** (DEVIATIONS * width)
    low = np.minimum(lows.min(1), np.where(hissed, centre / band, np.inf))
    high = np.maximum(highs.max(1), np.where(hissed, centre * band, -np.inf))
    silent = ~(rung.any(1) | hissed)
    low, high = np.where(silent, base, low), np.where(silent, top, high)
    tone_end = attack * np.log1p(ORDER * decay / attack) + END * decay
    end = np.where(rung.any(1) | silent, tone_end, 0)
    end = np.maximum(end, np.where(hissed, lasting * ENDS[envelope], 0))
    pitched = tonal.sum(1) >= noisy
    # The pitch is that of which all harmonics that are there are multiples: of the second and fourth alone, the second.
    lowest = np.maximum(np.gcd.reduce(np.where(rung, order, 0), axis=1, initial=0), 1)
    nyquist = sample_rate / 2
    return Box(
        start=onset.astype(np.float32),
        end=(onset + end).astype(np.float32),
        onset=onset.astype(np.float32),
        low=np.clip(low, 0, nyquist).astype(np.float32),
        high=np.clip(high, 0, nyquist).astype(np.float32),
        pitch=np.where(pitched, pitches * lowest, 0).astype(np.float32),
        energy=energy.astype(np.float32),
    )


def _ring(attack: Doubles, decay: Doubles, damping: Doubles, begins: Doubles, ends: Doubles) -> Doubles:
    """Integral of the squared envelope, (1 - exp(-t/a))^4 exp(-2t/d) exp(-2 damping t): a sum of five exponentials."""
    total = np.zeros_like(attack)
    for power, sign in enumerate((1, -4, 6, -4, 1)):
        rate = power / attack + 2 / decay + 2 * damping
        total += sign * (np.exp(-rate * begins) - np.exp(-rate * ends)) / rate
    return np.maximum(total, 0)


def _hiss(lasting: Doubles, begins: Doubles, ends: Doubles, envelope: Envelope) -> Doubles:
    """Integral of the noise's squared envelope."""
    begins = np.minimum(begins / lasting, ENDS[envelope])
    ends = np.minimum(ends / lasting, ENDS[envelope])
    past = begins + (ends - begins) * np.linspace(0, 1, POINTS)[:, None]
    shape = past * np.exp(1 - past) if envelope == "gamma" else np.exp(-0.5 * (past - PEAK) ** 2)
    found: Doubles = np.trapezoid(shape**2, past, axis=0) * lasting
    return found


def _below(nyquist: float, centre: Doubles, width: Doubles) -> Doubles:
    """The share of a band's power that lies below half the sample rate."""
    reach = np.linspace(-5, 5, POINTS)[:, None]
    frequency = centre * 2.0 ** (reach * width)
    power = np.exp(-(reach**2)) * frequency
    share: Doubles = (power * (frequency < nyquist)).sum(0) / power.sum(0)
    return share
