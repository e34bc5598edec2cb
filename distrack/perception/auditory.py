"""The auditory image: what each place of the inner ear repeats, and after how long, frame by frame.

A gammatone bank splits a sound as the inner ear does. Nerves fire at one side of a vibration and cannot follow fast
ones: each channel is half-wave rectified and smoothed. The autocorrelation of a short window of each channel shows its
period. A complex tone shows the period of its fundamental in all channels, even where the fundamental is missing.

Source:
    Patterson et al., "Complex Sounds and Auditory Images", in Auditory Physiology and Perception, 1992; Slaney and
    Lyon, "A perceptual pitch detector", ICASSP 1990, for windowed autocorrelations in place of strobes; Glasberg and
    Moore, "Derivation of auditory filter shapes from notched-noise data", 1990, for the bandwidths.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.arrays import Doubles

# Channels of the bank, and Hz of the lowest and the highest one.
CHANNELS, LOWEST, HIGHEST = 40, 60.0, 10_000.0
# Hz up to which nerves follow a vibration, and samples a second that are kept of each channel.
FOLLOWED, KEPT = 1_200.0, 6_000
# Seconds of a window, from one window to the next, and of the longest period in the image.
WINDOW, HOP, LONGEST = 0.06, 0.03, 0.02
# Order of a gammatone, and its bandwidth in equivalent rectangular ones.
_ORDER, _BANDWIDTH = 4, 1.019
# Loudness grows slower than pressure.
_COMPRESSION = 0.5
# Weight of a channel's level beside one lag of its autocorrelation.
_LEVEL = 2.0


class AuditoryImage:
    """Auditory images of sounds of one length.

    Args:
        samples, sample_rate: of the sounds, in samples and in Hz.
    """

    def __init__(self, samples: int, sample_rate: int) -> None:
        size = samples + round(WINDOW * sample_rate)
        kept = max(1, math.ceil(size * min(KEPT, sample_rate) / sample_rate))
        self._size, self._kept = size, kept
        frequencies: Doubles = np.fft.fftfreq(size, 1 / sample_rate).astype(np.float64)
        top = min(HIGHEST, 0.45 * sample_rate)
        self.centres = _equally_spaced(LOWEST, top, CHANNELS)
        gains = np.stack([_gammatone(frequencies, centre) for centre in self.centres])
        self._gains = torch.from_numpy(gains).to(torch.complex64)
        bins = np.arange(kept // 2 + 1) * sample_rate / size
        self._smoothing = torch.from_numpy(np.exp(-0.5 * (bins / FOLLOWED) ** 2)).float()
        rate = kept * sample_rate / size
        self._window, self._hop = max(2, round(WINDOW * rate)), max(1, round(HOP * rate))
        self._taper = torch.hann_window(self._window)
        self.lags = max(1, round(LONGEST * rate))

    def __call__(self, wave: Tensor) -> Tensor:
        """Images of sounds, whose values grow in proportion to the pressure to the power of a half.

        Shape:
            - wave: ``[..., samples]``
            - returns: ``[..., frames, channels, 1 + lags]``, the level of a channel before its autocorrelation
        """
        padded = torch.nn.functional.pad(wave, (0, self._size - wave.shape[-1]))
        channels = torch.fft.ifft(torch.fft.fft(padded).unsqueeze(-2) * self._gains).real
        fired = channels.clamp(min=0)
        spectrum = torch.fft.rfft(fired)[..., : self._kept // 2 + 1] * self._smoothing
        # Of the same height at fewer samples.
        activity = torch.fft.irfft(spectrum, self._kept).clamp(min=0) * (self._kept / self._size)
        activity = (activity + 1e-12).pow(_COMPRESSION)
        frames = activity.unfold(-1, self._window, self._hop)
        level = frames.mean(-1, keepdim=True)
        power = torch.fft.rfft((frames - level) * self._taper, 2 * self._window).abs().square()
        repeated = torch.fft.irfft(power)[..., 1 : 1 + self.lags] / self._window
        # A root that keeps the sign and is smooth at 0: in the unit of the level.
        repeated = repeated / (repeated.abs() + 1e-9).sqrt()
        return torch.cat([_LEVEL * level, repeated], -1).transpose(-3, -2)


def _bandwidth(frequency: float) -> float:
    """Equivalent rectangular bandwidth of the ear at a frequency, both in Hz (Glasberg and Moore, eq. 3)."""
    return 24.7 * (4.37e-3 * frequency + 1)


def _equally_spaced(low: float, high: float, count: int) -> list[float]:
    """Frequencies in Hz that lie as many bandwidths apart each (Glasberg and Moore, eq. 4)."""
    first, last = (math.log1p(4.37e-3 * edge) for edge in (low, high))
    return [math.expm1(number) / 4.37e-3 for number in np.linspace(first, last, count).tolist()]


def _gammatone(frequencies: Doubles, centre: float) -> NDArray[np.complex128]:
    """Complex gains of a gammatone at frequencies in Hz; negative ones do not pass."""
    width = _BANDWIDTH * _bandwidth(centre)
    response = (1 + 1j * (frequencies - centre) / width) ** -_ORDER
    return np.where(frequencies > 0, 2 * response, 0)
