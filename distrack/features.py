"""Features: differentiable maps from a waveform to an image, and the normalisation of images."""

import math
from collections.abc import Iterable
from typing import Annotated, ClassVar, Self

import torch
import torchaudio
from pydantic import Field, model_validator
from torch import Tensor, nn

from distrack.audio import SAMPLE_RATE
from distrack.registry import Choice, Registry
from distrack.validation import Record

# Power below which a mel band counts as silent: about 70 dB below speech at full scale.
LOG_FLOOR = 1e-4
# Chroma power below which a frame counts as silent, as a share of n_fft ** 2: a tone at -89 dB of full scale.
CHROMA_FLOOR = 1e-10
# Power of a bin, as the same share, below which it fades out of the chroma: that of rounding to 16 bits at n_fft 4096.
CHROMA_BIN_FLOOR = 1e-14
PITCH_CLASSES = 12
# Decibels per unit of the natural logarithm of power.
DECIBELS = 10 / math.log(10)


WindowLength = Annotated[int, Field(ge=64, le=8192, title="Window length", description="FFT size (samples).")]


class FeatureConfig(Choice):
    """How a waveform becomes an image: the settings that every feature has. Each feature has a subclass of its own."""

    n_fft: WindowLength = 1024
    hop_length: Annotated[int, Field(ge=16, le=4096)] = 512
    """Hop length (samples)."""

    @model_validator(mode="after")
    def _frames_overlap(self) -> Self:
        if 2 * self.hop_length > self.n_fft:
            raise ValueError(
                f"hop_length {self.hop_length} is more than half of n_fft {self.n_fft}: frames must overlap by half "
                f"to be made audible again"
            )
        return self

    @property
    def bands(self) -> int:
        """Rows of an image."""
        raise NotImplementedError

    @property
    def highest_frequency(self) -> float:
        """Frequency in hertz above which the image hardly changes with the sound."""
        return SAMPLE_RATE / 2

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
        return self.bands, 1 + samples // self.hop_length


class MelConfig(FeatureConfig):
    """Settings of a mel-spectrogram and of its logarithm."""

    n_mels: Annotated[int, Field(ge=8, le=256, title="Mel bands")] = 64
    """Number of mel bands."""

    @property
    def bands(self) -> int:
        return self.n_mels

    @property
    def highest_frequency(self) -> float:
        """The centre of the highest band."""
        filters = torchaudio.functional.melscale_fbanks(
            1 + SAMPLE_RATE // 2, 0.0, SAMPLE_RATE / 2, self.n_mels, SAMPLE_RATE
        )
        highest: float = filters[:, -1].argmax().item()
        return highest


class MfccConfig(MelConfig):
    """Settings of an MFCC image."""

    n_mfcc: Annotated[int, Field(ge=2, le=256, title="Cepstral coefficients")] = 13
    """Number of cepstral coefficients, at most as many as mel bands."""

    @model_validator(mode="after")
    def _no_more_coefficients_than_bands(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc {self.n_mfcc} is more than n_mels {self.n_mels}: "
                f"a spectrum of {self.n_mels} bands has no more than {self.n_mels} cepstral coefficients"
            )
        return self

    @property
    def bands(self) -> int:
        """The cepstral coefficients; coefficient 0, the level, is the first."""
        return self.n_mfcc


class ChromaConfig(FeatureConfig):
    """Settings of a chromagram. Its window is four times as long as usual: semitones come apart down to C3."""

    n_fft: WindowLength = 4096

    @property
    def bands(self) -> int:
        return PITCH_CLASSES


class Feature(nn.Module):
    """A differentiable map from waveforms to images.

    Shape:
        - input: ``[n, samples]`` in [-1, 1] at 16 kHz
        - output: ``[n, 1, bands, frames]``

    Attributes:
        title: name on the screen.
        per_band_normalisation: whether bands differ so much in scale that each needs its own mean and deviation.
        bands_are_pitch: whether a sound at a slightly higher pitch gives the same image some bands further up.
        silence_is_lowest: whether no value of an image is below that of silence.
    """

    title: ClassVar[str]
    per_band_normalisation: ClassVar[bool] = False
    bands_are_pitch: ClassVar[bool] = True
    silence_is_lowest: ClassVar[bool] = True

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config


FEATURES: Registry[type[Feature]] = Registry("feature")


@FEATURES.register("melspectrogram", aliases=("mel",), config=MelConfig)
class MelSpectrogram(Feature):
    """Power mel-spectrogram with HTK mel bands and a Hann window, frames centred (torchaudio's defaults)."""

    title = "mel-spectrogram"

    def __init__(self, config: MelConfig) -> None:
        super().__init__(config)
        self.mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE, n_fft=config.n_fft, hop_length=config.hop_length, n_mels=config.n_mels
        )

    def forward(self, waveforms: Tensor) -> Tensor:
        mel: Tensor = self.mel(waveforms)
        return mel.unsqueeze(1)


@FEATURES.register("logmelspectrogram", aliases=("logmel",), config=MelConfig)
class LogMelSpectrogram(MelSpectrogram):
    """Natural logarithm of the power mel-spectrogram, above a floor."""

    title = "log-mel-spectrogram"

    def forward(self, waveforms: Tensor) -> Tensor:
        return (super().forward(waveforms) + LOG_FLOOR).log()


@FEATURES.register("mfcc", config=MfccConfig)
class MelCepstrum(LogMelSpectrogram):
    """Mel-frequency cepstral coefficients: the first rows of the orthonormal DCT-II of the mel power in decibels.

    They agree with `librosa.feature.mfcc` with ``htk=True``, ``mel_norm=None`` and ``pad_mode="reflect"`` within 0.01
    dB if every band is well above the floor. Quiet bands approach -40 dB (`LOG_FLOOR`, which is added). librosa clips
    them at ``top_db`` below the loudest frame instead, which would make an image depend on the loudest moment of the
    clip and leave no gradient below that threshold.

    Source:
        Davis and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word Recognition in
        Continuously Spoken Sentences", IEEE TASSP 28(4), 1980.
    """

    title = "MFCC"
    per_band_normalisation = True
    bands_are_pitch = False
    silence_is_lowest = False

    def __init__(self, config: MfccConfig) -> None:
        super().__init__(config)
        self.register_buffer("basis", cepstral_basis(config))

    def forward(self, waveforms: Tensor) -> Tensor:
        """Cepstral coefficients of each frame in dB."""
        return self.get_buffer("basis") @ (super().forward(waveforms) * DECIBELS)


def cepstral_basis(config: MfccConfig) -> Tensor:
    """The first rows of the orthonormal DCT-II: its transpose is its pseudo-inverse.

    Shape:
        - returns: ``[n_mfcc, n_mels]``
    """
    basis: Tensor = torchaudio.functional.create_dct(config.n_mfcc, config.n_mels, "ortho")
    return basis.T


@FEATURES.register("chromagram", aliases=("chroma",), config=ChromaConfig)
class Chromagram(Feature):
    """Strength of the twelve pitch classes, C first, at A4 = 440 Hz, each frame divided by its largest.

    The filters are those of `librosa.filters.chroma`. The result is that of `librosa.feature.chroma_stft` with
    ``tuning=0.0`` from the square root of the magnitudes: for noise at -40 dB of full scale they agree within 1e-4.
    librosa itself takes the square of the magnitudes, with which one strong overtone can outweigh a note: it gave three
    of twelve TinySOL notes a wrong pitch class; with the root one is left, which is as loud as its fifth.

    The root also raises leakage: a steady tone from C3 up gives the neighbouring class up to a half, a class three
    semitones away a tenth, and the start and the end of the tone give values to all classes. Frames near silence
    (`CHROMA_FLOOR`) and bins near rounding noise (`CHROMA_BIN_FLOOR`) fade to zero; librosa would amplify them. Values
    are in [0, 1].

    Source:
        Ellis, "Chroma Feature Analysis and Synthesis", 2007, https://www.ee.columbia.edu/~dpwe/resources/matlab/chroma-ansyn/
    """

    title = "chromagram"
    # Bands are pitch classes: a shifted image is another chord.
    bands_are_pitch = False

    def __init__(self, config: ChromaConfig) -> None:
        super().__init__(config)
        # librosa takes seconds to import; the other features do not need it.
        from librosa import filters

        self.power = torchaudio.transforms.Spectrogram(config.n_fft, hop_length=config.hop_length, power=2.0)
        bank = filters.chroma(sr=SAMPLE_RATE, n_fft=config.n_fft, n_chroma=PITCH_CLASSES, tuning=0.0)
        self.register_buffer("bank", torch.from_numpy(bank))

    def forward(self, waveforms: Tensor) -> Tensor:
        """Strength of each pitch class in each frame, as a share of the frame's strongest."""
        full_scale = self.config.n_fft**2
        power, bank = self.power(waveforms), self.get_buffer("bank")
        # Above the floor this is power ** 0.25, whose slope would be infinite at silence.
        strength = power * (power + CHROMA_BIN_FLOOR * full_scale) ** -0.75
        chroma = bank @ strength
        # The root raises noise, so that the loudness of a frame is taken from its power.
        loudness = (bank @ power).amax(1, keepdim=True)
        fade = loudness / (loudness + CHROMA_FLOOR * full_scale)
        image: Tensor = fade * chroma / chroma.amax(1, keepdim=True).clamp(min=1e-10)
        return image.unsqueeze(1)


def build_feature(config: FeatureConfig) -> Feature:
    """The feature that a config describes."""
    return FEATURES[config.name](config)


class Normalisation(Record):
    """Mean and standard deviation over all frames of the training clips: images become (image - mean) / std.

    Attributes:
        mean, std: one number for all bands, or one for each band.
    """

    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if torch.tensor(self.mean).shape != torch.tensor(self.std).shape:
            raise ValueError("mean and std must be two numbers, or as many numbers as there are bands each")
        return self

    @classmethod
    def of(cls, batches: Iterable[Tensor], *, per_band: bool = False) -> Self:
        """Mean and deviation of images, in one pass over batches of any size.

        Args:
            batches: images in the feature's own unit.
            per_band: whether each band has its own mean and deviation.

        Shape:
            - batches: each ``[n, 1, bands, frames]``; of any shape if not `per_band`

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
    """A number, or a column of one number for each band of images ``[n, 1, bands, frames]``."""
    return images.new_tensor(values)[:, None] if isinstance(values, tuple) else values
