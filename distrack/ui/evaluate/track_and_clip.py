"""A track and a real clip beside each other, to see and to hear."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import streamlit as st
import torch

from distrack import runs
from distrack.arrays import Floats
from distrack.audio import flac_bytes, level
from distrack.datasets.clips import Split
from distrack.distill import SyntheticSet
from distrack.errors import DistrackError
from distrack.evaluate.memorisation import Side
from distrack.figures.images import image_uris
from distrack.images import RealImages
from distrack.jobs.distillation import distillation_job
from distrack.jobs.results import played_track, synthetic_file
from distrack.ui.cached import cached_by_file
from distrack.ui.shared.pictures import picture

T = TypeVar("T")
Sides = Mapping[Split, RealImages]


def one_of(label: str, texts: Mapping[T, str]) -> T:
    """A row of buttons, one for each text; returns what the selected one stands for, the first at the start."""
    options = list(texts)
    return st.segmented_control(
        label, options, default=options[0], format_func=texts.__getitem__, required=True, key=label.lower()
    )


def show_track(run: runs.Run, name: str, number: int) -> None:
    """The image of a track, and its sound."""
    _picture(run, _images(synthetic_file(run))[number], f"Synthetic: {name}")
    with suppress(OSError):
        st.audio(played_track(run, name), format="audio/flac")


def show_clip(run: runs.Run, classes: Sequence[str], real: Sides | None, side: Side, position: int) -> None:
    """The image of a real clip at a position of a side, and its sound."""
    if real is None:
        st.info("Real clips cannot be shown: the dataset is not prepared on this computer.")
        return
    clips, positions = real[side], np.array([position])
    image = clips.batch(positions, torch.device("cpu"))[0, 0].numpy()
    _picture(run, image, f"Real: {classes[clips.labels[position]]}")
    st.audio(flac_bytes(level(clips.sounds(positions)[0].numpy())), format="audio/flac")


def _picture(run: runs.Run, image: Floats, caption: str) -> None:
    """An image in the colours of the run's tracks, with a caption that screen readers read too."""
    (uri,) = image_uris(image[None], like=_images(synthetic_file(run)), height=192)
    st.html(picture(uri, caption))
    st.caption(caption)


@cached_by_file
def _images(path: Path) -> Floats:
    """The tracks of a synthetic set as images, `[n, bands, frames]`."""
    images: Floats = SyntheticSet.load(path).tracks().squeeze(1).numpy()
    return images


# Cached for a short time only, because the files may change meanwhile.
@st.cache_resource(max_entries=8, ttl=30, show_spinner=False)
def real_clips(path: Path) -> Sides | None:
    """Both sides of the run's dataset; None if it is not prepared on this computer."""
    with suppress(DistrackError):
        material = distillation_job(runs.Run(path)).cached_material()
        return material and material.sides
    return None
