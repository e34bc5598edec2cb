"""Real clips of a dataset on the Distill page, to press before its tracks exist."""

import numpy as np
import streamlit as st
import torch

from distrack.audio import flac_bytes, level
from distrack.distill import DistillConfig
from distrack.figures.images import colour_range, image_png
from distrack.jobs.distillation import DistillJob
from distrack.ui.sound import TILE_HEIGHT, Sheet, soundboard

_EACH = 1


def wall(job: DistillJob) -> None:
    """The first clip of each class, and how many clips become how many tracks; nothing if they are not prepared."""
    shown = _sheets(DistillConfig(dataset=job.dataset, data_path=job.data_path, **job.reading))
    if shown is None:
        return
    sheets, clips, seconds = shown
    tracks = job.ipc * job.factor * len(sheets)
    st.markdown(f"**{clips:,} clips in, {tracks:,} tracks out.** Press a clip to hear it.")
    soundboard(sheets, seconds=seconds, key="wall")


@st.cache_resource(max_entries=4, ttl=60, show_spinner=False)
def _sheets(config: DistillConfig) -> tuple[tuple[Sheet, ...], int, float] | None:
    """A sheet for each class with its first clip, the number of training clips, and their seconds."""
    material = config.cached_material()
    if material is None:
        return None
    train, prepared = material.train, material.prepared
    positions = [train.of_class(label)[:_EACH] for label in range(train.classes)]
    images = [train.batch(these, torch.device("cpu")).squeeze(1).numpy() for these in positions]
    low, high = colour_range(np.concatenate(images))
    made = []
    for title, these, pictures in zip(prepared.index.classes, positions, images, strict=True):
        sound = np.concatenate([level(wave.numpy()) for wave in train.sounds(these)])
        names = tuple(prepared.index.clips[int(row)].path.stem for row in train.rows[these])
        picture = image_png(pictures, low=low, high=high, height=TILE_HEIGHT)
        made.append(Sheet(title, names, picture, flac_bytes(sound), ()))
    return tuple(made), len(train), prepared.seconds
