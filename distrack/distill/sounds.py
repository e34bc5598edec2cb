"""Tracks as sounds: how a synthetic set is exported as audio, and what a network sees of that audio."""

from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO

import numpy as np
import soundfile
import torch
from torch import Tensor

from distrack.audio import Wave, flac_bytes
from distrack.device import side_by_side
from distrack.distill.audible import audible
from distrack.distill.synthetic import SyntheticSet
from distrack.features import build_feature

# Tracks that are made audible, or analysed, together.
_BATCH = 16


def exported(synthetic: SyntheticSet) -> Iterator[bytes]:
    """Every track as a FLAC file, in order: an image made audible, a waveform as it is.

    Each thread computes a few tracks, so that the bytes do not depend on the number of threads.
    """
    with side_by_side(torch.device("cpu")) as pool:
        for files in pool.map(partial(_exported, synthetic), synthetic.render().split(_BATCH)):
            yield from files


@torch.no_grad()
def _exported(synthetic: SyntheticSet, tracks: Tensor) -> list[bytes]:
    config = synthetic.config
    if config.domain.name == "waveform":
        return [flac_bytes(wave) for wave in tracks.clamp(-1, 1).numpy()]
    sounds = audible(synthetic.normalisation.undo(tracks), config.feature, samples=config.samples)
    return [flac_bytes(wave) for wave in sounds.numpy()]


def decoded(files: Sequence[bytes]) -> list[Wave]:
    """The samples of FLAC files, ``[samples]`` each."""
    return [soundfile.read(BytesIO(file), dtype="float32")[0] for file in files]


@torch.no_grad()
def heard(files: Sequence[bytes], synthetic: SyntheticSet) -> Tensor:
    """Exported tracks as a network sees them that is trained on the audio: decoded, analysed, normalised.

    Shape:
        - returns: ``[n, 1, bands, frames]``
    """
    feature, waves = build_feature(synthetic.config.feature), decoded(files)
    batches = (np.stack(waves[start : start + _BATCH]) for start in range(0, len(waves), _BATCH))
    images = torch.cat([feature(torch.from_numpy(batch)) for batch in batches])
    return synthetic.normalisation.apply(images)
