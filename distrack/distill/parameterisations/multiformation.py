"""Multi-formation: one stored track holds several shorter ones along time."""

import math
from functools import lru_cache

import torch
import torchaudio
from torch import Tensor
from torch.nn.functional import interpolate, pad

from distrack.distill.parameterisations.contract import PARAMETERISATIONS, Examples, Parameterisation, Stored

# A shorter piece has no course in time.
_FEWEST_FRAMES = 2


@PARAMETERISATIONS.register("multiformation")
class MultiFormation(Parameterisation):
    """Cuts a stored track along time into `factor` pieces and stretches each to the length of a whole track.

    Images are interpolated linearly, waveforms are resampled: a piece of a waveform is a whole track at a lower sample
    rate, so that its pitch is unchanged, and frequencies above half that rate are not stored.

    Source:
        Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022, section 3.1, along
        time alone.
    """

    summary = "several tracks at lower time resolution"
    # The usual one comes first: speech at half the sample rate lost no accuracy, at a quarter it lost much.
    factors = (2, 4, 8)

    def check(self) -> None:
        if self._piece < _FEWEST_FRAMES:
            raise ValueError(
                f"factor {self.plan.factor}: a track of {self.plan.size[-1]} frames cannot hold so many shorter "
                f"ones; choose a smaller factor, a longer duration or a shorter hop"
            )

    def floats(self, tracks: int) -> int:  # noqa: ARG002
        # The remainder of a length that the factor does not divide is not stored.
        return self.plan.ipc * (math.prod(self.plan.size[:-1]) * self.plan.factor * self._piece + 1)

    @property
    def tracks_per_row(self) -> int:
        return self.plan.factor

    @property
    def _piece(self) -> int:
        return self.plan.size[-1] // self.plan.factor

    def store(self, tracks: Tensor, examples: Examples) -> Stored:  # noqa: ARG002
        """The tracks at a lower resolution in time, side by side.

        Shape:
            - parameters: ``[classes * ipc, *size[:-1], factor * (size[-1] // factor)]``
        """
        if tracks.dim() == 2:
            # The end of a piece contains a little of the silence that the resampler adds.
            pieces = torchaudio.functional.resample(tracks, self.plan.factor, 1)[:, : self._piece]
        else:
            pieces = interpolate(tracks, size=(tracks.shape[2], self._piece), mode="bilinear", antialias=True)
        side_by_side = pieces.unflatten(0, (-1, self.plan.factor)).movedim(1, -2)
        return {"parameters": side_by_side.flatten(-2).contiguous()}

    def render(self, parameters: Tensor, stored: Stored) -> Tensor:  # noqa: ARG002
        """The pieces, each stretched to a whole track."""
        pieces = parameters.unflatten(-1, (self.plan.factor, self._piece)).movedim(-2, 1).flatten(0, 1)
        if pieces.dim() == 2:
            waves: Tensor = torchaudio.functional.resample(pieces, 1, self.plan.factor)
            return pad(waves, (0, self.plan.size[-1] - waves.shape[1]))
        images: Tensor = pieces @ _stretching(self._piece, self.plan.size[-1], pieces.device)
        return images


@lru_cache(maxsize=16)
def _stretching(piece: int, whole: int, device: torch.device) -> Tensor:
    """Matrix of the linear interpolation from the frames of a piece to those of a track, ``[piece, whole]``.

    The product is faster than `interpolate` with its gradient, and gives the same numbers.
    """
    frames = torch.arange(whole)
    place = ((frames + 0.5) / whole * piece - 0.5).clamp(min=0)
    before = place.long().clamp(max=piece - 1)
    after = (before + 1).clamp(max=piece - 1)
    matrix = torch.zeros(piece, whole)
    matrix[before, frames] += 1 - (place - before)
    matrix[after, frames] += place - before
    return matrix.to(device)
