"""Preconditioners: how the gradient of stored parameters becomes a step of an optimiser, and what a step must keep."""

from typing import Literal

import numpy as np
import torch
import torchaudio
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.features import FeatureConfig
from distrack.images import RealImages
from distrack.randomness import generator

# How a step is spread over the frequencies: in proportion to the class's spectrum, or evenly.
Prior = Literal["spectrum", "none"]
# Real clips of a class that its level and spectrum are measured on, at most.
_MEASURED_CLIPS = 200
# Hertz below which nothing is audible and a track has no energy.
_LOWEST_FREQUENCY = 20.0
# Share of the stored rate's band that a track may fill: the rest is the transition band of the resampler.
_USABLE_BAND = 0.95
# Seconds of a window of the short-time spectrum.
_WINDOW = 0.032
# Highest sample, as a share of full scale; a louder track is made softer as a whole.
HIGHEST_PEAK = 0.95
# Largest ratio of a track's level to that of its class: 2 dB.
LEVEL_RANGE = 10 ** (2 / 20)


class Preconditioner:
    """The preconditioner of images: an optimiser moves every stored number by itself, and any value is allowed.

    A subclass chooses other coordinates to step in, or constraints that parameters are projected onto.
    """

    def initial(self, parameters: Tensor, classes: slice) -> Tensor:  # noqa: ARG002
        """The parameters of some classes with the constraints fulfilled, before the first step."""
        return parameters

    def to_coordinates(self, gradient: Tensor, classes: slice) -> Tensor:  # noqa: ARG002
        """A gradient in the coordinates that an optimiser steps in; the adjoint of `to_parameters`."""
        return gradient

    def to_parameters(self, step: Tensor, classes: slice) -> Tensor:  # noqa: ARG002
        """A step in those coordinates as a change of the parameters."""
        return step

    def project_(self, parameters: Tensor, classes: slice) -> None:
        """Projects the parameters of some classes onto the constraints after a step, in place."""


class ScaledPreconditioner(Preconditioner):
    """Steps in units of each number's typical size: a number that is small among real clips takes small steps.

    An optimiser that gives every coefficient an equal step adds white noise, most of it where real images have nothing.

    Args:
        sizes: typical size of every number among the real clips of a class. Only their proportions matter.

    Shape:
        - sizes: ``[classes, numbers]``
        - parameters: ``[classes * rows, numbers]``
    """

    def __init__(self, sizes: Tensor) -> None:
        mean = sizes.square().mean(1, keepdim=True).sqrt()
        # Clips that are all silent have no sizes.
        self._weights = torch.where(mean > 0, sizes / mean, 1.0)

    def to_coordinates(self, gradient: Tensor, classes: slice) -> Tensor:
        return self._weighted(gradient, classes)

    def to_parameters(self, step: Tensor, classes: slice) -> Tensor:
        return self._weighted(step, classes)

    def _weighted(self, values: Tensor, classes: slice) -> Tensor:
        weights = self._weights[classes]
        weighted: Tensor = (values.unflatten(0, (len(weights), -1)) * weights.unsqueeze(1)).flatten(0, 1)
        return weighted


class SpectrumPreconditioner(Preconditioner):
    """The preconditioner of waveforms: steps in the cells of a short-time spectrum, within a class's level and band.

    An optimiser that gives every sample an equal step adds white noise, which is loudest where real clips are silent.
    Here it steps in the cells of a short-time Fourier transform, each in proportion to the class's mean magnitude there
    (`prior` "spectrum"): a step of one is the root mean square of the class in every cell. With `prior` "none" all
    cells have the same weight. In both cases a step adds nothing below 20 Hz or above what the feature and the stored
    sample rate can carry. After every step each rendered track is scaled to within 2 dB of its class's level and to
    below full scale.

    Args:
        train: the training clips; up to 200 of each class are measured.
        factor: how many samples of a track one stored number stands for.

    Shape:
        - parameters: ``[classes * m, factor * (samples // factor)]``
        - coordinates: ``[classes * m * factor, bins, frames, 2]``, real and imaginary part
    """

    def __init__(
        self, train: RealImages, feature: FeatureConfig, *, factor: int, prior: Prior, seed: int, device: torch.device
    ) -> None:
        self.length, self._factor = train.samples // factor, factor
        rate = SAMPLE_RATE / factor
        self._n_fft = max(16, 2 * round(_WINDOW * rate / 2))
        self._window = torch.hann_window(self._n_fft).sqrt().to(device)
        highest = min(feature.highest_frequency, _USABLE_BAND * rate / 2)
        frequencies = torch.fft.rfftfreq(self.length, 1 / rate)
        self._band = ((frequencies >= _LOWEST_FREQUENCY) & (frequencies <= highest)).float().to(device)
        levels, weights = [], []
        for label in range(train.classes):
            measured = train.shuffled(label, generator(seed, "heard", label))[:_MEASURED_CLIPS]
            waves = train.sounds(np.sort(measured))
            levels.append(waves.square().mean(1).add(1e-12).log().mean().mul(0.5).exp())
            stored = torchaudio.functional.resample(waves, factor, 1)[:, : self.length].to(device)
            weights.append(self._cells(stored).abs().square().mean(0).sqrt())
        self.level = torch.stack(levels).view(-1, 1, 1).to(device)
        weight = torch.stack(weights)
        if prior == "none":
            weight = weight.square().mean((1, 2), keepdim=True).sqrt().expand_as(weight)
        self._weight = weight.unsqueeze(1)

    def initial(self, parameters: Tensor, classes: slice) -> Tensor:
        filtered = self._band_pass(parameters.reshape(-1, self.length)).reshape(parameters.shape)
        self.project_(filtered, classes)
        return filtered

    def to_coordinates(self, gradient: Tensor, classes: slice) -> Tensor:
        """Weighted cells of the gradient; the adjoint of `to_parameters` up to a factor and the edges of a track."""
        cells = self._cells(self._band_pass(gradient.reshape(-1, self.length)))
        return torch.view_as_real(self._weighted(cells, classes))

    def to_parameters(self, step: Tensor, classes: slice) -> Tensor:
        cells = self._weighted(torch.view_as_complex(step), classes)
        waves: Tensor = torch.istft(cells, self._n_fft, self._n_fft // 4, window=self._window, length=self.length)
        return self._band_pass(waves)

    def project_(self, parameters: Tensor, classes: slice) -> None:
        """Scales each track to near the level of its class and to below full scale, in place."""
        level = self.level[classes]
        of_class = parameters.view(len(level), -1, self.length)
        rms = of_class.square().mean(2, keepdim=True).sqrt().clamp(min=1e-9)
        of_class *= (rms / level).clamp(1 / LEVEL_RANGE, LEVEL_RANGE) * level / rms
        rendered = torchaudio.functional.resample(of_class, 1, self._factor)
        of_class *= (HIGHEST_PEAK / rendered.abs().amax(2, keepdim=True).clamp(min=1e-9)).clamp(max=1)

    def _cells(self, waves: Tensor) -> Tensor:
        cells: Tensor = torch.stft(
            waves, self._n_fft, self._n_fft // 4, window=self._window, pad_mode="constant", return_complex=True
        )
        return cells

    def _weighted(self, cells: Tensor, classes: slice) -> Tensor:
        weight = self._weight[classes]
        weighted: Tensor = (cells.unflatten(0, (len(weight), -1)) * weight).flatten(0, 1)
        return weighted

    def _band_pass(self, waves: Tensor) -> Tensor:
        filtered: Tensor = torch.fft.irfft(torch.fft.rfft(waves) * self._band, n=self.length)
        return filtered
