"""The memorisation check: distances of tracks to real clips, and the closest pairs."""

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
from distrack.evaluate import Inspection, Report
from distrack.evaluate.memorisation import CANNOT_JUDGE, NearestClips, Side, Space
from distrack.features import FEATURES
from distrack.figures.images import image_uris
from distrack.figures.nearness import nearness
from distrack.images import RealImages
from distrack.jobs.distillation import distillation_job
from distrack.jobs.inspection import InspectionJob, inspection_of
from distrack.jobs.results import played_track, synthetic_file
from distrack.ui.cached import cached_by_file
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import chart, errors_shown, ink
from distrack.ui.shared.pictures import picture
from distrack.ui.shared.run_in_view import DEMO

_CLOSEST = 8
_SIDES: dict[Side, str] = {"train": "Training clips", "test": "Test clips"}

T = TypeVar("T")
Sides = Mapping[Split, RealImages]


def show(run: runs.Run, _report: Report) -> None:
    """The memorisation check: a verdict, the distances behind it, and the closest pairs."""
    if (inspection := checked(run)) is not None:
        with errors_shown(st.warning):
            _copies(run, inspection, SyntheticSet.load(synthetic_file(run)), real_clips(run.path))


def checked(run: runs.Run) -> Inspection | None:
    """The result of the check, or a button that starts it."""
    inspection = inspection_of(run)
    if inspection is None:
        st.caption("Compares tracks with every real clip. Takes seconds.")
        idle = run.path != DEMO and run.status().state not in runs.ALIVE
        if idle and st.button("Run check", icon=":material/compare:", key="inspect"):
            job_panel.start(InspectionJob(run=run.id))
    return inspection


def _copies(run: runs.Run, inspection: Inspection, synthetic: SyntheticSet, real: Sides | None) -> None:
    first = st.container()
    left, right = st.columns(2)
    spaces: dict[Space, str] = {
        "feature": FEATURES.title(synthetic.config.feature.name),
        "embedding": "CNN embedding",
    }
    with left:
        space = one_of("Space", spaces)
    with right:
        side = one_of("Against", _SIDES)
    near = inspection.memorisation.of(space, side)
    clip = "training clip" if side == "train" else "test clip"
    if near.can_judge:
        first.subheader(_verdict(near, clip))
    else:
        first.warning(CANNOT_JUDGE)
    flagged = f"**{len(near.flagged)} of {len(near.distances)}** tracks are suspiciously close to a {clip}"
    first.markdown(f"{flagged} ({near.expected:.2g} expected by chance).")
    chart(nearness(near.distances, near.reference, threshold=near.threshold, ink=ink()), key=f"near-{space}-{side}")
    st.caption(
        "Flagged (left of the dotted line): closer than 99 % of real clips are to another split's clips. "
        "Flagged tracks nearly copy a clip. No flags is not a privacy guarantee."
    )
    closest = np.argsort(near.distances)[:_CLOSEST].tolist()
    track = st.selectbox(
        "Closest tracks",
        closest,
        format_func=lambda number: f"{inspection.names[number]} (distance {near.distances[number]:.3f})",
        key=f"nearest-{run.id}-{space}-{side}",
    )
    left, right = st.columns(2)
    with left:
        show_track(run, inspection, track)
    with right:
        show_clip(run, synthetic.classes, real, side, near.clips[track])


def _verdict(near: NearestClips, clip: str) -> str:
    """The result of the check in a sentence."""
    if near.suspicious:
        return f"{len(near.flagged)} tracks nearly copy a {clip}"
    return f"No more tracks are near a {clip} than by chance" if near.flagged else f"No track copies a {clip}"


def one_of(label: str, texts: Mapping[T, str]) -> T:
    """A row of buttons, one for each text; returns what the selected one stands for, the first at the start."""
    options = list(texts)
    return st.segmented_control(
        label, options, default=options[0], format_func=texts.__getitem__, required=True, key=label.lower()
    )


def show_track(run: runs.Run, inspection: Inspection, number: int) -> None:
    name = inspection.names[number]
    _picture(run, _images(synthetic_file(run))[number], f"Synthetic: {name}")
    with suppress(OSError):
        st.audio(played_track(run, name), format="audio/flac")


def show_clip(run: runs.Run, classes: Sequence[str], real: Sides | None, side: Side, position: int) -> None:
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
