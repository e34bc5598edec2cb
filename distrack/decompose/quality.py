"""Quality of reconstructions: signal-to-noise ratio and spectral convergence, of sounds that are read in parts."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from distrack.arrays import Floats
from distrack.progress import Progress, unwatched
from distrack.stored_sound import Sound, blocks

# Window lengths of the spectrograms that are compared.
SIZES = (512, 1024, 2048, 4096)
# Half of the longest window, and its hop, which is a whole number of all others.
_MARGIN, _HOP = SIZES[-1] // 2, SIZES[-1] // 4
# Samples of each channel that are compared at once, a whole number of hops. Memory does not grow with the length.
BLOCK = 1 << 19
# Samples of the frames that are transformed at once: they fit in a processor's cache.
_FRAMES = 1 << 17


class Quality(NamedTuple):
    """How near a reconstruction is to a clip, as the functions `snr_db` and `spectral_convergence` say."""

    snr_db: float
    spectral_convergence: float


def snr_db(wave: Sound, reconstruction: Sound) -> float:
    """Energy of the clip divided by that of the difference, in dB; at most 200, and 0 for a silent clip.

    Shape:
        - both: ``[channels, samples]``

    Raises:
        ValueError: they differ in shape.

    >>> round(snr_db(np.ones((1, 4), np.float32), np.full((1, 4), 0.9, np.float32)))
    20
    """
    _refuse_shapes(wave, reconstruction)
    return snr_db_of_parts(wave, blocks(reconstruction))


def snr_db_of_parts(wave: Sound, parts: Iterable[Floats]) -> float:
    """As `snr_db` of a reconstruction in consecutive parts; it is cut, or padded with zeros, to the clip's length.

    Shape:
        - parts: ``[channels, samples]`` each
    """
    energy = difference = 0.0
    first, samples = 0, wave.shape[1]
    for part in parts:
        real = wave[:, first : first + part.shape[1]]
        energy += _energy(real)
        difference += _energy(real - part[:, : real.shape[1]])
        first += part.shape[1]
    for begin in range(first, samples, BLOCK):
        missing = _energy(wave[:, begin : begin + BLOCK])
        energy, difference = energy + missing, difference + missing
    return _decibels(energy, difference)


def spectral_convergence(wave: Sound, reconstruction: Sound) -> float:
    """Distance of magnitude spectrograms relative to the clip's: 0 for equal ones, 1 for silence.

    The Frobenius norm of the difference of magnitudes, divided by that of the clip's magnitudes, averaged over STFTs
    with Hann windows of 512, 1024, 2048 and 4096 samples and a hop of a quarter window. The reconstruction is scaled to
    its best gain in each. The value is 0 for a silent clip.

    Shape:
        - both: ``[channels, samples]``

    Raises:
        ValueError: they differ in shape.

    Source:
        Arik, Jun and Diamos, "Fast Spectrogram Inversion Using Multi-Head Convolutional Neural Networks", 2019, eq. 2.

    >>> clip = np.sin(np.arange(9000, dtype=np.float32))[None]
    >>> abs(round(spectral_convergence(clip, 0.5 * clip), 6)), spectral_convergence(clip, 0 * clip)
    (0.0, 1.0)
    """
    return qualities(wave, [reconstruction])[0].spectral_convergence


def qualities(wave: Sound, layers: Sequence[Sound], *, progress: Progress = unwatched) -> list[Quality]:
    """The quality of the first layer, of the sum of the first two, and so on up to the sum of all.

    Every sound is read once, a block at a time. A layer that is silent in a block costs nothing there.

    Shape:
        - wave, layers: ``[channels, samples]``

    Raises:
        ValueError: they differ in shape.
    """
    for layer in layers:
        _refuse_shapes(wave, layer)
    # Sums over all blocks: of squares of the clip, of the errors, and for each window length of the squared magnitudes
    # of the clip, of those of the reconstructions, and of products of both.
    energy, errors = 0.0, np.zeros(len(layers))
    powers, others, products = np.zeros(len(SIZES)), *np.zeros((2, len(layers), len(SIZES)))
    # Frames around the last samples reach beyond them.
    stop = -(-(wave.shape[1] + _MARGIN) // _HOP) * _HOP
    firsts = range(0, stop, BLOCK)
    for block, first in enumerate(firsts):
        last = min(first + BLOCK, stop)
        real = _between(wave, first - _MARGIN, last + _MARGIN)
        magnitudes = {size: list(_magnitudes(real, size)) for size in SIZES}
        energy += _energy(real[:, _MARGIN:-_MARGIN])
        powers += [sum(map(_energy, magnitudes[size])) for size in SIZES]
        sum_so_far = np.zeros_like(real)
        for number, layer in enumerate(layers):
            progress(block * len(layers) + number, len(firsts) * len(layers))
            added = _between(layer, first - _MARGIN, last + _MARGIN)
            if number == 0 or added.any():
                sum_so_far += added
                error = _energy((real - sum_so_far)[:, _MARGIN:-_MARGIN])
                pairs = [_power_and_product(magnitudes[size], sum_so_far, size) for size in SIZES]
            errors[number] += error
            others[number] += [power for power, _ in pairs]
            products[number] += [product for _, product in pairs]
    progress(len(firsts) * len(layers), len(firsts) * len(layers))
    found = []
    for error, other, product in zip(errors.tolist(), others, products, strict=True):
        # The best gain is product / power; this is the squared distance at that gain.
        gained = np.divide(product**2, other, out=np.zeros_like(other), where=other > 0)
        apart = np.sqrt(np.divide(np.maximum(powers - gained, 0), powers, out=np.zeros_like(powers), where=powers > 0))
        found.append(Quality(_decibels(energy, error), float(apart.mean())))
    return found


def _power_and_product(magnitudes: Iterable[Floats], reconstruction: Floats, size: int) -> tuple[float, float]:
    """The sum of squared magnitudes of a reconstruction, and that of their products with those of the clip."""
    power = product = 0.0
    for real, other in zip(magnitudes, _magnitudes(reconstruction, size), strict=True):
        power += _energy(other)
        product += float(np.multiply(real, other, dtype=np.float64).sum())
    return power, product


def _decibels(energy: float, difference: float) -> float:
    if energy <= 0:
        return 0.0
    return min(10 * math.log10(energy / difference), 200.0) if difference > 0 else 200.0


def _energy(values: Floats) -> float:
    return float(np.square(values, dtype=np.float64).sum())


def _refuse_shapes(wave: Sound, reconstruction: Sound) -> None:
    if wave.shape != reconstruction.shape:
        raise ValueError(
            f"a clip of shape {wave.shape} cannot be compared with a reconstruction of {reconstruction.shape}"
        )


def _between(sound: Sound, first: int, last: int) -> Floats:
    """The samples from `first` up to `last`; silence before the beginning and after the end."""
    samples = sound.shape[1]
    inside = sound[:, max(first, 0) : max(min(last, samples), 0)]
    return np.pad(inside, ((0, 0), (max(-first, 0), max(last - max(samples, first), 0))))[:, : last - first]


def _magnitudes(block: Floats, size: int) -> Iterator[Floats]:
    """Magnitudes of an STFT of a block without its margins, some frames at a time.

    The first frame is centred on the first sample after the margin.
    """
    window = _hann(size)
    together = max(_FRAMES // size, 1)
    hop, reach = size // 4, _MARGIN - size // 2
    for channel in block:
        frames = sliding_window_view(channel[reach : len(channel) - reach - hop], size)[::hop]
        for first in range(0, len(frames), together):
            yield np.abs(np.fft.rfft(frames[first : first + together] * window))


def _hann(size: int) -> Floats:
    """A periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
