"""The memorisation check: distances of tracks to real clips, and the closest pairs."""

import numpy as np
import streamlit as st

from distrack import runs
from distrack.distill import SyntheticSet
from distrack.evaluate import Inspection, Report
from distrack.evaluate.memorisation import CANNOT_JUDGE, NearestClips, Side, Space
from distrack.features import FEATURES
from distrack.figures.nearness import nearness
from distrack.jobs.inspection import InspectionJob, inspection_of
from distrack.jobs.results import synthetic_file
from distrack.ui.evaluate.track_and_clip import Sides, one_of, real_clips, show_clip, show_track
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import chart, errors_shown, ink
from distrack.ui.shared.run_in_view import DEMO

_CLOSEST = 8
_SIDES: dict[Side, str] = {"train": "Training clips", "test": "Test clips"}


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
        show_track(run, inspection.names[track], track)
    with right:
        show_clip(run, synthetic.classes, real, side, near.clips[track])


def _verdict(near: NearestClips, clip: str) -> str:
    """The result of the check in a sentence."""
    if near.suspicious:
        return f"{len(near.flagged)} tracks nearly copy a {clip}"
    return f"No more tracks are near a {clip} than by chance" if near.flagged else f"No track copies a {clip}"
