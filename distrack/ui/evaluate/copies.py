"""Copies and neighbours: how near a run's tracks come to real clips, each beside its nearest, and a map of both."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import streamlit as st
import torch

from distrack import runs
from distrack.audio import flac_bytes, level
from distrack.datasets.clips import Split
from distrack.distill import SyntheticSet
from distrack.errors import DistrackError
from distrack.evaluate import Inspection
from distrack.evaluate.maps import Method
from distrack.evaluate.memorisation import Side, Space
from distrack.figures.embedding import embedding_map
from distrack.figures.images import colour_range, data_uri, image_png
from distrack.figures.nearness import nearness
from distrack.images import RealImages
from distrack.jobs.evaluation import distillation_of
from distrack.jobs.inspection import InspectionJob, inspection_of
from distrack.jobs.results import synthetic_file, track_file
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import ink
from distrack.ui.shared.run_in_view import DEMO

_NEAREST = 8
_SAID = {
    "feature": "as images",
    "embedding": "in a random CNN",
    "train": "training clips",
    "test": "test clips",
    "pca": "principal components",
    "t-sne": "t-SNE",
}


def show(run: runs.Run) -> None:
    """Distances, pairs and the map; a button that looks where nobody has looked yet."""
    st.subheader("Are there copies?")
    inspection = inspection_of(run)
    if inspection is None:
        _offer(run)
        return
    try:
        classes = SyntheticSet.load(synthetic_file(run)).classes
    except DistrackError as error:
        st.warning(str(error))
        return
    real = _real(run.path)
    _copies(run, inspection, classes, real)
    _map(run, inspection, classes, real)


def _offer(run: runs.Run) -> None:
    st.caption("Compares every track with all real clips: seconds for a few thousand of them.")
    idle = run.path != DEMO and run.status().state not in runs.ALIVE
    if idle and st.button("Look for copies", icon=":material/compare:", key="inspect"):
        job_panel.start(InspectionJob(run=run.id))


def _copies(
    run: runs.Run, inspection: Inspection, classes: Sequence[str], real: dict[Split, RealImages] | None
) -> None:
    left, right = st.columns(2)
    space: Space = left.segmented_control(
        "Compared", get_args(Space), default="feature", format_func=_SAID.__getitem__, required=True, key="space"
    )
    side: Side = right.segmented_control(
        "With", get_args(Side), default="train", format_func=_SAID.__getitem__, required=True, key="side"
    )
    near = inspection.memorisation.of(space, side)
    st.altair_chart(
        nearness(near.distances, near.reference, threshold=near.threshold, ink=ink()), key=f"near-{space}-{side}"
    )
    flagged = f"**{len(near.flagged)} of {len(near.distances)}** tracks are nearer to one of the {_SAID[side]}"
    verdict = "more than chance allows: look at them." if near.suspicious else "no more than real clips would be."
    st.markdown(f"{flagged} than 99 % of real clips of the other side are (dotted), {verdict}")
    st.caption(
        "A flagged track gives its clip away, or nearly. One that is not flagged proves nothing about privacy: "
        "distances see copies, not traces, and a promise needs a proof about the method."
    )
    order = np.argsort(near.distances)[:_NEAREST].tolist()
    track = st.selectbox(
        "Nearest first",
        order,
        format_func=lambda number: f"{inspection.names[number]}, at {near.distances[number]:.3f}",
        key=f"nearest-{run.id}-{space}-{side}",
    )
    one, other = st.columns(2)
    with one:
        _track(run, inspection, track)
    with other:
        _clip(run, classes, real, side, near.clips[track])


def _map(run: runs.Run, inspection: Inspection, classes: Sequence[str], real: dict[Split, RealImages] | None) -> None:
    st.subheader("Where tracks lie among clips")
    method: Method = st.segmented_control(
        "Drawn by", get_args(Method), default="pca", format_func=_SAID.__getitem__, required=True, key="method"
    )
    st.caption(
        "In a random CNN's latent space. Small: training clips. Large: tracks. Crosses: class means. "
        "Press one to hear it."
    )
    drawn, pressed = st.columns([3, 1])
    chosen = drawn.plotly_chart(
        embedding_map(inspection.map, classes, method=method),
        on_select="rerun",
        selection_mode="points",
        key=f"map-{run.id}-{method}",
    )
    points = chosen.selection.points
    if not points:
        return
    kind, number = points[0]["customdata"][:2]
    with pressed:
        if kind == "track":
            _track(run, inspection, number, play=True)
        elif kind == "clip":
            _clip(run, classes, real, "train", number, play=True)


def _track(run: runs.Run, inspection: Inspection, number: int, *, play: bool = False) -> None:
    images = _tracks_of(run)
    _picture(images[number], f"Synthetic: {inspection.names[number]}", run)
    sound = track_file(run, inspection.names[number])
    if sound.is_file():
        st.audio(sound.read_bytes(), format="audio/flac", autoplay=play)


def _clip(
    run: runs.Run,
    classes: Sequence[str],
    real: dict[Split, RealImages] | None,
    side: Side,
    position: int,
    *,
    play: bool = False,
) -> None:
    if real is None:
        st.info("The dataset is not prepared on this machine: its clips cannot be shown.")
        return
    clips = real[side]
    where = np.array([position])
    image = clips.batch(where, torch.device("cpu"))[0, 0].numpy()
    _picture(image, f"Real: {classes[clips.labels[position]]}", run)
    st.audio(flac_bytes(level(clips.sounds(where)[0].numpy())), format="audio/flac", autoplay=play)


def _picture(image: np.ndarray[tuple[int, int], np.dtype[np.float32]], said: str, run: runs.Run) -> None:
    low, high = colour_range(_tracks_of(run))
    st.image(data_uri(image_png(image, low=low, high=high, height=192)), caption=said)


def _tracks_of(run: runs.Run) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    return _tracks(synthetic_file(run), synthetic_file(run).stat().st_mtime)


@st.cache_data(max_entries=16, show_spinner=False)
def _tracks(path: Path, changed: float) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:  # noqa: ARG001
    return SyntheticSet.load(path).tracks().squeeze(1).numpy()


# Not for long: files may change while they are looked at.
@st.cache_resource(max_entries=8, ttl=30, show_spinner=False)
def _real(path: Path) -> dict[Split, RealImages] | None:
    try:
        material = distillation_of(runs.Run(path)).cached_material()
        return None if material is None else material.sides
    except DistrackError:
        return None
