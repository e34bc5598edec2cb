"""Features: waveform -> image, differentiable, and the normalisation that the training split gives it."""

import math
from collections.abc import Iterable
from typing import Annotated, ClassVar, Self

import torch
import torchaudio
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn

from distrack.audio import SAMPLE_RATE
from distrack.registry import Registry

# Power below which a mel band counts as silent: about 70 dB below speech at full scale.
LOG_FLOOR = 1e-4
# Chroma power below which a frame counts as silent, as a share of n_fft ** 2: a tone at -89 dB of full scale.
CHROMA_FLOOR = 1e-10
# Power below which a bin fades out of the chroma, likewise: rounding to 16 bits leaves as much in a window of 4096.
CHROMA_BIN_FLOOR = 1e-14
PITCH_CLASSES = 12
# Of a natural logarithm of power.
DECIBELS = 10 / math.log(10)


class FeatureConfig(BaseModel):
    """How a waveform becomes an image.

    Attributes:
        name: the feature, in any spelling.
        n_fft: samples of a window; what the feature needs where it is not given.
        hop_length: samples between two frames.
        n_mels: mel bands; a chromagram has none.
        n_mfcc: cepstral coefficients of an mfcc image, at most as many as mel bands; other features have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "logmelspectrogram"
    n_fft: Annotated[int, Field(ge=64, le=8192)] = Field(
        default_factory=lambda data: FEATURES[data["name"]].default_n_fft
    )
    hop_length: Annotated[int, Field(ge=16, le=4096)] = 512
    n_mels: Annotated[int, Field(ge=8, le=256)] = 64
    n_mfcc: Annotated[int, Field(ge=2, le=256)] = 13

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
        if self.name == "mfcc" and self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc {self.n_mfcc} is more than n_mels {self.n_mels}: "
                f"a spectrum of {self.n_mels} bands has no more than {self.n_mels} cepstral coefficients"
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
        return FEATURES[self.name].bands(self), 1 + samples // self.hop_length

    @property
    def highest_frequency(self) -> float:
        """Hertz beyond which the image hardly changes with the sound."""
        return FEATURES[self.name].highest_frequency(self)


class Feature(nn.Module):
    """A differentiable map from waveforms to images.

    Shape:
        - input: ``[n, samples]`` in [-1, 1] at 16 kHz
        - output: ``[n, 1, bands, frames]``

    Attributes:
        title: its name on the screen.
        default_n_fft: samples of a window where the config names none.
        per_band_normalisation: bands differ so much in scale that each needs a mean and deviation of its own.
        bands_are_pitch: the same sound a little higher is the same image some bands further up.
    """

    title: ClassVar[str]
    default_n_fft: ClassVar[int] = 1024
    per_band_normalisation: ClassVar[bool] = False
    bands_are_pitch: ClassVar[bool] = True

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config

    @classmethod
    def bands(cls, config: FeatureConfig, /) -> int:
        """Rows of an image."""
        return config.n_mels

    @classmethod
    def highest_frequency(cls, config: FeatureConfig, /) -> float:  # noqa: ARG003
        """See `FeatureConfig.highest_frequency`."""
        return SAMPLE_RATE / 2


FEATURES: Registry[type[Feature]] = Registry("feature")


@FEATURES.register("melspectrogram", aliases=("mel",))
class MelSpectrogram(Feature):
    """Power mel-spectrogram with HTK mel bands and a Hann window, frames centred (torchaudio's defaults)."""

    title = "mel-spectrogram"

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__(config)
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, n_fft=config.n_fft, hop_length=config.hop_length, n_mels=config.n_mels
        )

    @classmethod
    def highest_frequency(cls, config: FeatureConfig, /) -> float:
        """The centre of the highest band."""
        highest: float = (
            torchaudio.functional.melscale_fbanks(
                1 + SAMPLE_RATE // 2, 0.0, SAMPLE_RATE / 2, config.n_mels, SAMPLE_RATE
            )[:, -1]
            .argmax()
            .item()
        )
        return highest

    def forward(self, waveforms: Tensor) -> Tensor:
        """Mel power of each band and frame."""
        mel: Tensor = self.mel(waveforms)
        return mel.unsqueeze(1)


@FEATURES.register("logmelspectrogram", aliases=("logmel",))
class LogMelSpectrogram(MelSpectrogram):
    """Natural logarithm of the power mel-spectrogram, above a floor."""

    title = "log-mel-spectrogram"

    def forward(self, waveforms: Tensor) -> Tensor:
        """Log mel power of each band and frame."""
        return (super().forward(waveforms) + LOG_FLOOR).log()


@FEATURES.register("mfcc")
class MelCepstrum(LogMelSpectrogram):
    """Mel-frequency cepstral coefficients: the first rows of the orthonormal DCT-II of the mel power in decibels.

    What `librosa.feature.mfcc` computes with ``htk=True``, ``mel_norm=None`` and ``pad_mode="reflect"``, within 0.01 dB
    where every band is well above the floor. Quiet bands end smoothly at -40 dB (`LOG_FLOOR`, added) and not at
    librosa's ``top_db`` below the loudest frame, which would make a clip's image depend on its loudest moment and take
    the gradient from all below.

    Source:
        Davis and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word Recognition in
        Continuously Spoken Sentences", IEEE TASSP 28(4), 1980.
    """

    title = "MFCC"
    per_band_normalisation = True
    bands_are_pitch = False

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__(config)
        self.register_buffer("basis", cepstral_basis(config))

    @classmethod
    def bands(cls, config: FeatureConfig, /) -> int:
        """Cepstral coefficients, coefficient 0 (the level) first."""
        return config.n_mfcc

    def forward(self, waveforms: Tensor) -> Tensor:
        """Cepstral coefficients of each frame in dB."""
        return self.get_buffer("basis") @ (super().forward(waveforms) * DECIBELS)


def cepstral_basis(config: FeatureConfig) -> Tensor:
    """The first rows of the orthonormal DCT-II: its transpose is its pseudo-inverse.

    Shape:
        - returns: ``[n_mfcc, n_mels]``
    """
    basis: Tensor = torchaudio.functional.create_dct(config.n_mfcc, config.n_mels, "ortho")
    return basis.T


@FEATURES.register("chromagram", aliases=("chroma",))
class Chromagram(Feature):
    """Strength of the twelve pitch classes, C first, at A4 = 440 Hz, each frame divided by its largest.

    The filters are `librosa.filters.chroma`'s, and taken is what `librosa.feature.chroma_stft` computes with
    ``tuning=0.0`` from the square root of the magnitudes: of noise at -40 dB of full scale it is the same within 1e-4.
    From their square, its own choice, one strong overtone outshines a note: three of twelve TinySOL notes came out as
    another pitch class, and of these one is left, as loud as its fifth. The root also raises what leaks: a steady tone
    from C3 up puts up to a half into the class next to its own, a tenth three away, and its start and end light up all.
    Frames near silence (`CHROMA_FLOOR`) and bins near rounding noise (`CHROMA_BIN_FLOOR`) fade to zero, where librosa
    would blow them up. Values are in [0, 1]. The default window is four times as long as that of the other features, so
    that semitones come apart down to C3.

    Source:
        Ellis, "Chroma Feature Analysis and Synthesis", 2007, https://www.ee.columbia.edu/~dpwe/resources/matlab/chroma-ansyn/
    """

    title = "chromagram"
    default_n_fft = 4096
    # They are, but a class of pitch that is moved is another one.
    bands_are_pitch = False

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__(config)
        # Seconds of import that the other features need not wait for.
        from librosa import filters

        self.power = torchaudio.transforms.Spectrogram(config.n_fft, hop_length=config.hop_length, power=2.0)
        bank = filters.chroma(sr=SAMPLE_RATE, n_fft=config.n_fft, n_chroma=PITCH_CLASSES, tuning=0.0)
        self.register_buffer("bank", torch.from_numpy(bank))

    @classmethod
    def bands(cls, _: FeatureConfig, /) -> int:
        """The pitch classes, whatever the config."""
        return PITCH_CLASSES

    def forward(self, waveforms: Tensor) -> Tensor:
        """Share of each pitch class in each frame, in units of the largest."""
        full_scale = self.config.n_fft**2
        power, bank = self.power(waveforms), self.get_buffer("bank")
        # Above the floor it is power ** 0.25, whose slope at silence would be infinite.
        strength = power * (power + CHROMA_BIN_FLOOR * full_scale) ** -0.75
        chroma = bank @ strength
        # The root brings noise near: how loud a frame is, its power says.
        loudness = (bank @ power).amax(1, keepdim=True)
        fade = loudness / (loudness + CHROMA_FLOOR * full_scale)
        image: Tensor = fade * chroma / chroma.amax(1, keepdim=True).clamp(min=1e-10)
        return image.unsqueeze(1)


def build_feature(config: FeatureConfig) -> Feature:
    """The feature that a config describes."""
    return FEATURES[config.name](config)


class Normalisation(BaseModel):
    """Mean and deviation over all frames of the training clips: images become (image - mean) / std.

    Attributes:
        mean: of all bands together, or of each band.
        std: likewise.
    """

    model_config = ConfigDict(frozen=True)

    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if torch.tensor(self.mean).shape != torch.tensor(self.std).shape:
            raise ValueError("mean and std must be two numbers, or as many numbers as there are bands each")
        return self

    @classmethod
    def of(cls, batches: Iterable[Tensor], *, per_band: bool = False) -> Self:
        """Measured in one pass over batches of images of any size.

        Args:
            batches: images in the feature's own unit.
            per_band: one mean and deviation for each band, not for all together.

        Shape:
            - batches: each ``[n, 1, bands, frames]``, or of any shape where not `per_band`

        >>> Normalisation.of([torch.tensor([1.0, 3.0])])
        Normalisation(mean=2.0, std=1.0)
        >>> Normalisation.of([torch.tensor([[1.0, 3.0], [0.0, 10.0]])[None, None]], per_band=True)
        Normalisation(mean=(2.0, 5.0), std=(1.0, 5.0))
        """
        count, total, squares = 0, torch.zeros(1), torch.zeros(1)
        for batch in batches:
            values = (batch.transpose(0, 2).flatten(1) if per_band else batch.reshape(1, -1)).double()
            count += values.shape[1]
            total = total + values.sum(1)
            squares = squares + values.square().sum(1)
        mean = total / count
        std = (squares / count - mean**2).clamp(min=1e-12).sqrt()
        if per_band:
            return cls(mean=tuple(mean.tolist()), std=tuple(std.tolist()))
        return cls(mean=mean.item(), std=std.item())

    def apply(self, images: Tensor) -> Tensor:
        """Images as a network sees them."""
        return (images - _column(self.mean, images)) / _column(self.std, images)

    def undo(self, images: Tensor) -> Tensor:
        """Images in the feature's own unit."""
        return images * _column(self.std, images) + _column(self.mean, images)


def _column(values: float | tuple[float, ...], images: Tensor) -> float | Tensor:
    """A number, or one number for each row of images ``[n, 1, bands, frames]``."""
    return images.new_tensor(values)[:, None] if isinstance(values, tuple) else values
