"""Tracks as sounds: how a synthetic set is exported as audio, and what a network sees of that audio."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO

import numpy as np
import soundfile
import torch
from torch import Tensor

from distrack.audio import SILENCE, Wave, flac_bytes, level
from distrack.device import one_thread_each
from distrack.distill.synthetic import SyntheticSet
from distrack.features import build_feature
from distrack.inversion import INVERSIONS, at_level_of, invert

# Tracks that are made audible, or analysed, together.
_BATCH = 16
# Highest sample of an exported sound: 1 dB below full scale.
_HIGHEST_PEAK = 10 ** (-1 / 20)


def exported(synthetic: SyntheticSet) -> Iterator[bytes]:
    """Every track as a FLAC file, in order: an image inverted, a waveform as it is.

    A sound has the level of its image, so that its image is nearly that one again: at another level a network learns
    less from it. It is softer only where its peak would exceed full scale. A feature without a level, the chromagram,
    gives sounds of -20 dBFS. Each thread computes a few tracks, so that the bytes do not depend on the number of
    threads.
    """
    with one_thread_each(torch.device("cpu")) as workers, ThreadPoolExecutor(workers) as pool:
        for files in pool.map(partial(_exported, synthetic), synthetic.render().split(_BATCH)):
            yield from files


@torch.no_grad()
def _exported(synthetic: SyntheticSet, tracks: Tensor) -> list[bytes]:
    config = synthetic.config
    if config.domain.name == "waveform":
        return [flac_bytes(wave) for wave in tracks.clamp(-1, 1).numpy()]
    images = synthetic.normalisation.undo(tracks)
    sounds = invert(images, config.feature, samples=config.samples)
    if INVERSIONS[config.feature.name].mel_power is None:
        return [flac_bytes(level(wave)) for wave in sounds.numpy()]
    sounds = at_level_of(images, sounds, config.feature)
    softer = (_HIGHEST_PEAK / sounds.abs().amax(1, keepdim=True).clamp_min(SILENCE)).clamp_max(1)
    return [flac_bytes(wave) for wave in (sounds * softer).numpy()]


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
