"""Features: waveform -> image, differentiable, and the normalisation that the training split gives it."""

from collections.abc import Iterable
from typing import Annotated, Self

import torch
import torchaudio
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn

from distrack.audio import SAMPLE_RATE
from distrack.registry import Registry

# Power below which a mel band counts as silent: about 70 dB below speech at full scale.
LOG_FLOOR = 1e-4


class FeatureConfig(BaseModel):
    """How a waveform becomes an image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "logmelspectrogram"
    n_fft: Annotated[int, Field(ge=64, le=8192)] = 1024
    hop_length: Annotated[int, Field(ge=16, le=4096)] = 512
    n_mels: Annotated[int, Field(ge=8, le=256)] = 64

    @field_validator("name")
    @classmethod
    def _registered(cls, name: str) -> str:
        return FEATURES.name(name)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if 2 * self.hop_length > self.n_fft:
            raise ValueError(
                f"hop_length {self.hop_length} is more than half of n_fft {self.n_fft}: frames must overlap by half "
                f"to be made audible again"
            )
        return self

    def shape(self, samples: int) -> tuple[int, int]:
        """Bands and frames of a waveform of that many samples.

        Raises:
            ValueError: the waveform is shorter than half a window, which has to be mirrored at its edges.
        """
        if samples <= self.n_fft // 2:
            raise ValueError(
                f"a clip of {samples} samples is too short for n_fft {self.n_fft}: "
                f"choose a duration of more than {self.n_fft / 2 / SAMPLE_RATE:g} s or a shorter n_fft"
            )
        return self.n_mels, 1 + samples // self.hop_length


class Feature(nn.Module):
    """A differentiable map from waveforms to images.

    Shape:
        - input: ``[n, samples]`` in [-1, 1] at 16 kHz
        - output: ``[n, 1, bands, frames]``
    """

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config


FEATURES: Registry[type[Feature]] = Registry("feature")


@FEATURES.register("melspectrogram", aliases=("mel",))
class MelSpectrogram(Feature):
    """Power mel-spectrogram with HTK mel bands and a Hann window, frames centred (torchaudio's defaults)."""

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__(config)
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, n_fft=config.n_fft, hop_length=config.hop_length, n_mels=config.n_mels
        )

    def forward(self, waveforms: Tensor) -> Tensor:
        """Mel power of each band and frame."""
        mel: Tensor = self.mel(waveforms)
        return mel.unsqueeze(1)


@FEATURES.register("logmelspectrogram", aliases=("logmel",))
class LogMelSpectrogram(MelSpectrogram):
    """Natural logarithm of the power mel-spectrogram, above a floor."""

    def forward(self, waveforms: Tensor) -> Tensor:
        """Log mel power of each band and frame."""
        return (super().forward(waveforms) + LOG_FLOOR).log()


def build_feature(config: FeatureConfig) -> Feature:
    """The feature that a config describes."""
    return FEATURES[config.name](config)


class Normalisation(BaseModel):
    """Mean and deviation over all bands and frames of the training clips: images become (image - mean) / std."""

    model_config = ConfigDict(frozen=True)

    mean: float
    std: float

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> Self:
        """Measured in one pass over batches of images of any size.

        >>> Normalisation.of([torch.tensor([1.0, 3.0])])
        Normalisation(mean=2.0, std=1.0)
        """
        count, total, squares = 0, 0.0, 0.0
        for batch in batches:
            count += batch.numel()
            total += float(batch.sum(dtype=torch.float64))
            squares += float(batch.double().square().sum())
        mean = total / count
        return cls(mean=mean, std=max(squares / count - mean**2, 1e-12) ** 0.5)

    def apply(self, images: Tensor) -> Tensor:
        """Images as a network sees them."""
        return (images - self.mean) / self.std

    def undo(self, images: Tensor) -> Tensor:
        """Images in the feature's own unit."""
        return images * self.std + self.mean
