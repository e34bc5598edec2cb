"""Guides: what keeps stored parameters in shape while they are moved, so that a waveform stays a sound."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.features import FeatureConfig
from distrack.images import RealImages
from distrack.randomness import generator

# How a step is spread over the frequencies: in proportion to the class's spectrum, or evenly.
Prior = Literal["spectrum", "none"]
# Real clips of a class that its level and spectrum are taken from, at most.
_HEARD = 200
# Hertz below which nothing is heard and a track has no energy.
_LOWEST = 20.0
# Share of the band that the stored rate could carry: the rest is the resampler's edge.
_HIGHEST = 0.95
# Seconds of the window in which cells are moved.
_WINDOW = 0.032
# Of full scale; what would be louder is made softer as a whole, never cut.
_LOUDEST = 0.95
# How far a track may be from the level of its class, as a ratio: 2 dB.
_LEVEL_RANGE = 10 ** (2 / 20)


class Preconditioner:
    """Nothing is kept: an image may be anything, and is moved number by number."""

    def initial(self, parameters: Tensor, classes: slice) -> Tensor:  # noqa: ARG002
        """The parameters of some classes to start from."""
        return parameters

    def to_coordinates(self, gradient: Tensor, classes: slice) -> Tensor:  # noqa: ARG002
        """A gradient in the coordinates that an optimiser moves; the adjoint of `to_parameters`."""
        return gradient

    def to_parameters(self, step: Tensor, classes: slice) -> Tensor:  # noqa: ARG002
        """What a step in those coordinates does to the parameters of some classes."""
        return step

    def project_(self, parameters: Tensor, classes: slice) -> None:
        """Brings the parameters of some classes back into shape after a step, in place."""


class SpectrumPreconditioner(Preconditioner):
    """Level, band and spectrogram of a class's real clips, for stored samples of its tracks.

    An optimiser that gives every sample an equal step adds white noise, loudest where the real clips are silent. Here
    it moves the cells of a short-time spectrum instead, each in proportion to what the class has there (`prior`
    "spectrum"): a step of one is one root mean square of the class in every cell. With `prior` "none" all cells of the
    band are equal. Either way nothing is added below 20 Hz or beyond what the feature or the stored rate can carry, and
    after every step a track, as it is rendered, is within 2 dB of the class's level and within full scale.

    Shape:
        - parameters: ``[classes * m, factor * (samples / factor)]``
        - coordinates: ``[classes * m * factor, bins, frames]``, complex
    """

    def __init__(
        self, train: RealImages, feature: FeatureConfig, *, factor: int, prior: Prior, seed: int, device: torch.device
    ) -> None:
        self.length, self._factor = train.samples // factor, factor
        rate = SAMPLE_RATE / factor
        self._n_fft = max(16, 2 * round(_WINDOW * rate / 2))
        self._window = torch.hann_window(self._n_fft).sqrt().to(device)
        highest = min(feature.highest_frequency, _HIGHEST * rate / 2)
        bins = torch.fft.rfftfreq(self.length, 1 / rate)
        self._band = ((bins >= _LOWEST) & (bins <= highest)).float().to(device)
        levels, weights = [], []
        for waves in _heard(train, seed):
            levels.append(waves.square().mean(1).add(1e-12).log().mean().mul(0.5).exp())
            stored = torchaudio.functional.resample(waves, factor, 1)[:, : self.length].to(device)
            weights.append(self._cells(stored).abs().square().mean(0).sqrt())
        self.level = torch.stack(levels).view(-1, 1, 1).to(device)
        weight = torch.stack(weights)
        if prior == "none":
            weight = weight.square().mean((1, 2), keepdim=True).sqrt().expand_as(weight)
        self._weight = weight.unsqueeze(1)

    def initial(self, parameters: Tensor, classes: slice) -> Tensor:
        """Without what lies outside the band, and settled."""
        inside = self._inside(parameters.reshape(-1, self.length)).reshape(parameters.shape)
        self.project_(inside, classes)
        return inside

    def to_coordinates(self, gradient: Tensor, classes: slice) -> Tensor:
        """Cells of the gradient, each weighted by what the class has there; the adjoint up to a factor, and edges."""
        cells = self._cells(self._inside(gradient.reshape(-1, self.length)))
        return torch.view_as_real(self._weighted(cells, classes))

    def to_parameters(self, step: Tensor, classes: slice) -> Tensor:
        """Samples of the weighted cells."""
        cells = self._weighted(torch.view_as_complex(step), classes)
        waves: Tensor = torch.istft(cells, self._n_fft, self._n_fft // 4, window=self._window, length=self.length)
        return self._inside(waves)

    def project_(self, parameters: Tensor, classes: slice) -> None:
        """Near the level of the class, within full scale; by gain alone."""
        level = self.level[classes]
        of_class = parameters.view(len(level), -1, self.length)
        rms = of_class.square().mean(2, keepdim=True).sqrt().clamp(min=1e-9)
        of_class *= (rms / level).clamp(1 / _LEVEL_RANGE, _LEVEL_RANGE) * level / rms
        heard = torchaudio.functional.resample(of_class, 1, self._factor)
        of_class *= (_LOUDEST / heard.abs().amax(2, keepdim=True).clamp(min=1e-9)).clamp(max=1)

    def _cells(self, waves: Tensor) -> Tensor:
        cells: Tensor = torch.stft(
            waves, self._n_fft, self._n_fft // 4, window=self._window, pad_mode="constant", return_complex=True
        )
        return cells

    def _weighted(self, cells: Tensor, classes: slice) -> Tensor:
        weight = self._weight[classes]
        weighted: Tensor = (cells.unflatten(0, (len(weight), -1)) * weight).flatten(0, 1)
        return weighted

    def _inside(self, waves: Tensor) -> Tensor:
        inside: Tensor = torch.fft.irfft(torch.fft.rfft(waves) * self._band, n=self.length)
        return inside


def _heard(train: RealImages, seed: int) -> Iterator[Tensor]:
    """Random real clips of each class in turn, ``[n, samples]``."""
    for label in range(train.classes):
        members: NDArray[np.int64] = train.of_class(label)
        order = torch.randperm(len(members), generator=generator(seed, "heard", label)).numpy()
        yield train.sounds(members[np.sort(order[:_HEARD])])
