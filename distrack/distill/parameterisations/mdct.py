"""MDCT: of every track, its spectral envelope and the strongest cells of its class; the other cells are noise."""

import math
from functools import lru_cache

import torch
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.distill.lapped_transform import inverse_mdct, mdct
from distrack.distill.parameterisations.contract import PARAMETERISATIONS, Examples, Parameterisation, Stored
from distrack.distill.preconditioner import HIGHEST_PEAK, LEVEL_RANGE
from distrack.randomness import derived_seed

# Cells of a frame, and samples from a frame to the next: 16 ms.
_BINS = 256
# Bands of the envelope, evenly spaced on the mel scale.
_BANDS = 16
# Share of a track's numbers that its envelope takes; benchmarks/mdct.md has others.
_ENVELOPE_SHARE = 0.5
# Real clips of a class that its strongest cells are measured on, at most.
_MEASURED_CLIPS = 200
# Range of the envelope, in natural logarithms of amplitude: from far below the quietest feature to above full scale.
_QUIETEST, _LOUDEST = -14.0, 3.0
# Level of silence, -80 dB: a track far below it stays silent.
_SILENCE = 1e-4


@PARAMETERISATIONS.register("mdct")
class TransformCells(Parameterisation):
    """Stores, of each track, an envelope over time and frequency, and the values of a few cells in units of it.

    A cell of the modified discrete cosine transform is the product of the envelope there, which is interpolated
    between its stored bands and frames, and a number. For the strongest cells of a class this number is stored; for
    all others it is normal noise from a stored seed, the same for all tracks of the class. Without noise a log-mel
    image would see empty bands between the stored cells. Each track keeps the level of its class. The positions of
    the stored cells are chosen for each class and count: one number for each cell and class. If the smallest class
    has fewer clips than there would be tracks, there are as many tracks as clips, each with more cells.

    Source:
        Herre and Schulz, "Extending the MPEG-4 AAC Codec by Perceptual Noise Substitution", AES Convention 104, 1998
        (noise of the right energy in place of cells).
    """

    summary = "strongest MDCT cells, and noise under an envelope"
    domains = ("waveform",)
    factors = (1, 2, 4, 8, 16, 32)
    limited_by_clips = True
    constants = ("positions", "seeds", "levels")

    @classmethod
    def usual_factor(cls, ipc: int) -> int:  # noqa: ARG003
        # Chosen by the measurements in `benchmarks/mdct.md`.
        return 8

    def check(self) -> None:
        if self._samples < 2 * _BINS:
            raise ValueError(
                f"parameterisation mdct: a track of {self._samples} samples is shorter than a frame of {2 * _BINS}; "
                f"choose a longer duration"
            )
        if self._cells(self.plan.ipc * self.plan.factor) < 1:
            raise ValueError(
                f"factor {self.plan.factor}: each of so many tracks would have no cell; choose a smaller factor"
            )

    def floats(self, tracks: int) -> int:
        cells = self._cells(tracks)
        return tracks * (_BANDS * self._knots(tracks) + cells + 1) + cells + 2

    def store(self, tracks: Tensor, examples: Examples) -> Stored:
        """Envelopes and cells of the tracks, the strongest cell first, and the level of each class.

        Shape:
            - parameters: ``[classes * tracks, bands * knots + cells]``, first the logarithms of the envelope
            - positions: ``[classes, cells]`` int32
            - seeds: ``[classes]`` int64
            - levels: ``[classes]``, the root mean square of the class's clips
        """
        classes = self.plan.classes
        each = len(tracks) // classes
        energy = self._energy(examples)
        positions = energy.argsort(dim=1, descending=True, stable=True)[:, : self._cells(each)]
        cells = mdct(tracks, _BINS)
        envelopes = self._fitted(cells, self._knots(each))
        chosen = positions.repeat_interleave(each, 0)
        values = (cells / self._interpolated(envelopes)).flatten(1).gather(1, chosen)
        return {
            "parameters": torch.cat([envelopes, values], 1).contiguous(),
            "positions": positions.int().contiguous(),
            "seeds": torch.tensor([derived_seed(0, "noise floor", label) for label in range(classes)]),
            "levels": (energy.sum(1) / self._samples).sqrt(),
        }

    def sizes(self, stored: Stored, examples: Examples) -> Tensor:  # noqa: ARG002
        """One for the envelope, a step of which changes the amplitude by a ratio; the root mean square of the cells."""
        positions, parameters = stored["positions"], stored["parameters"].unflatten(0, (self.plan.classes, -1))
        values = parameters[:, :, -positions.shape[1] :]
        # The noise between the cells has a root mean square of one.
        size = values.square().mean((1, 2)).sqrt().clamp(min=1)
        envelope = torch.ones(len(positions), parameters.shape[2] - positions.shape[1])
        return torch.cat([envelope, size[:, None].expand(positions.shape)], 1)

    def render(self, parameters: Tensor, stored: Stored) -> Tensor:
        """Sounds of these cells, each within 2 dB of its class's level and below full scale."""
        positions = stored["positions"].to(parameters.device).long()
        each = len(parameters) // len(positions)
        envelopes, values = parameters.tensor_split([parameters.shape[1] - positions.shape[1]], 1)
        gains = self._interpolated(envelopes)
        noise = torch.stack([_noise(seed, gains[0].numel()) for seed in stored["seeds"].tolist()])
        noise = noise.to(parameters.device).repeat_interleave(each, 0)
        numbers = noise.scatter(1, positions.repeat_interleave(each, 0), values)
        waves = inverse_mdct(gains * numbers.view_as(gains), self._samples)
        level = stored["levels"].to(parameters.device).clamp(min=_SILENCE).repeat_interleave(each)[:, None]
        rms = (waves.square().mean(1, keepdim=True) + _SILENCE**2).sqrt()
        waves = waves * ((rms / level).clamp(1 / LEVEL_RANGE, LEVEL_RANGE) * level / rms)
        peaks = waves.abs().amax(1, keepdim=True).clamp(min=HIGHEST_PEAK)
        return waves * (HIGHEST_PEAK / peaks)

    @property
    def _samples(self) -> int:
        return self.plan.size[-1]

    @property
    def _frames(self) -> int:
        return -(-self._samples // _BINS)

    def _knots(self, tracks: int) -> int:
        """Points in time at which an envelope is stored."""
        numbers = _ENVELOPE_SHARE * self.plan.budget / tracks
        return max(1, min(self._frames, round(numbers / _BANDS)))

    def _cells(self, tracks: int) -> int:
        """Cells of each of a class's tracks: as many as the budget holds beside all else that is stored."""
        left = self.plan.budget - tracks * (_BANDS * self._knots(tracks) + 1) - 2
        return min(self._frames * _BINS, left // (tracks + 1))

    def _energy(self, examples: Examples) -> Tensor:
        """Mean square of every cell over clips of each class, ``[classes, frames * bins]``."""
        energy = torch.zeros(self.plan.classes, self._frames * _BINS)
        seen = torch.zeros(self.plan.classes, 1)
        for clips, labels in examples():
            few = seen[labels, 0] < _MEASURED_CLIPS
            energy.index_add_(0, labels[few], mdct(clips[few], _BINS).square().flatten(1))
            seen.index_add_(0, labels[few], torch.ones(int(few.sum()), 1))
        return energy / seen.clamp(min=1)

    def _fitted(self, cells: Tensor, knots: int) -> Tensor:
        """Logarithms of the root mean square of the cells around each knot and band, ``[n, knots * bands]``."""
        frames, bins = self._weights(knots, cells.device)
        energy = (frames.T @ cells.square() @ bins) / torch.outer(frames.sum(0), bins.sum(0))
        return (0.5 * energy.clamp(min=math.exp(2 * _QUIETEST)).log()).flatten(1)

    def _interpolated(self, envelopes: Tensor) -> Tensor:
        """The envelope of every cell as an amplitude, ``[n, frames, bins]``."""
        knots = envelopes.shape[1] // _BANDS
        frames, bins = self._weights(knots, envelopes.device)
        logarithms = frames @ envelopes.unflatten(1, (knots, _BANDS)) @ bins.T
        amplitudes: Tensor = logarithms.clamp(_QUIETEST, _LOUDEST).exp()
        return amplitudes

    def _weights(self, knots: int, device: torch.device) -> tuple[Tensor, Tensor]:
        return _frame_weights(knots, self._frames, device), _bin_weights(device)


def _noise(seed: int, count: int) -> Tensor:
    """Normal noise; it is drawn on the CPU, so that every device gets the same numbers."""
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


@lru_cache(maxsize=16)
def _frame_weights(knots: int, frames: int, device: torch.device) -> Tensor:
    """Weights of the linear interpolation from knots to frames, ``[frames, knots]``."""
    return _hats((torch.arange(frames) + 0.5) / frames, knots).to(device)


@lru_cache(maxsize=4)
def _bin_weights(device: torch.device) -> Tensor:
    """Weights of the linear interpolation on the mel scale from bands to bins, ``[bins, bands]``."""
    frequencies = (torch.arange(_BINS) + 0.5) * SAMPLE_RATE / (2 * _BINS)
    mel = (1 + frequencies / 700).log() / math.log(1 + SAMPLE_RATE / (2 * 700))
    return _hats(mel, _BANDS).to(device)


def _hats(places: Tensor, points: int) -> Tensor:
    """Weights of the linear interpolation from points to places between 0 and 1, ``[places, points]``."""
    between = (places * points - 0.5).clamp(0, points - 1)
    return (1 - (between[:, None] - torch.arange(points)).abs()).clamp(min=0)
