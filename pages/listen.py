"""Listen: every track of a run to press, to compare, to guess and to take along."""

import streamlit as st

from distrack import runs
from distrack.distill import SyntheticSet
from distrack.jobs.results import synthetic_file
from distrack.ui.listen import beside_real_clips as listening
from distrack.ui.listen import blind_test as blind
from distrack.ui.listen import download as bundles
from distrack.ui.shared.page import begin
from distrack.ui.shared.run_in_view import choose
from distrack.ui.sound import sheets, soundboard

begin("Listen", "Each tile is one synthetic track: what is left of all the clips of its class, made audible.")

run = choose("Run", lambda run: synthetic_file(run).is_file())
if run is None:
    st.info("No run has tracks yet. Go to **Distill** and press the button.")
    st.page_link("pages/distill.py", label="Distill", icon=":material/science:")
    st.stop()


def hear(run: runs.Run, synthetic: SyntheticSet) -> None:
    """All tracks to press, and below them the one that was pressed last beside real clips."""
    names = synthetic.track_names()
    heard = soundboard(sheets(run), seconds=synthetic.config.seconds, key=f"board-{run.id}")
    if heard in names:
        st.query_params["track"] = heard
    track = st.query_params.get("track", "")
    listening.show(run, synthetic, track if track in names else names[0])
    config, count = synthetic.config, synthetic.tracks_per_class
    held = f" in the storage of {config.ipc}" if count > config.ipc else ""
    inverted = (
        "Made audible with non-negative least squares and Griffin-Lim, levelled to -20 dB RMS, never above -1 dB peak."
    )
    made = "The samples themselves, as they were distilled." if config.domain.name == "waveform" else inverted
    st.caption(f"{config.dataset}, {config.feature.name}, {count} tracks per class{held}, {config.seconds:g} s. {made}")


synthetic = SyntheticSet.load(synthetic_file(run))
views = {"Hear": hear, "Guess": blind.show, "Take along": bundles.show}
named = st.query_params.get("view", "Hear")
view = st.segmented_control(
    "View",
    list(views),
    default=named if named in views else "Hear",
    required=True,
    label_visibility="collapsed",
    key="view",
)
st.query_params["view"] = view
views[view](run, synthetic)
