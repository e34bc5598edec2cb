"""The Listen page: every track of a run to play, to compare with real clips, to guess and to download."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import streamlit as st

from distrack import runs
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.features import FEATURES
from distrack.inversion import INVERSIONS
from distrack.jobs.results import synthetic_file
from distrack.ui.listen import beside_real_clips, blind_test, download
from distrack.ui.shared import stage
from distrack.ui.shared.page import begin, nothing_yet
from distrack.ui.shared.run_in_view import choose
from distrack.ui.sound import KEYS, sheets, soundboard


def play(run: runs.Run, synthetic: SyntheticSet) -> None:
    """The soundboard of all tracks, and beside it the track that was played last with real clips to compare."""
    names = synthetic.track_names()
    with st.container(key="listen-and-compare"):
        board, player = st.columns([1.3, 1])
    with board:
        played = soundboard(sheets(run), seconds=synthetic.config.seconds, key=f"board-{run.id}")
        with stage.aside("keys"):
            st.caption(f"Click a tile to play it. {KEYS}")
    if played in names:
        st.query_params["track"] = played
    track = st.query_params.get("track", "")
    with player:
        beside_real_clips.show(run, synthetic, track if track in names else names[0])
    with stage.aside("summary"):
        st.caption(summary(synthetic))


def summary(synthetic: SyntheticSet) -> str:
    """The dataset, the number and length of the tracks, and the origin of their audio."""
    config, count = synthetic.config, synthetic.tracks_per_class
    tracks = f"{count} {'track' if count == 1 else 'tracks'} of {config.seconds:g} s per class (budget {config.ipc})"
    audio = "Audio as distilled."
    if config.domain.name == "waveform" and config.inverts:
        audio = f"Audio by a fixed inversion: {INVERSIONS[config.feature.name].summary}."
    elif config.inverts:
        audio = f"Audio: {INVERSIONS[config.feature.name].summary}, -20 dB RMS, peak below -1 dB."
    return f"{DATASETS[config.dataset].title} · {FEATURES[config.feature.name].title} · {tracks}. {audio}"


VIEWS = {"Play": play, "Blind test": blind_test.show, "Download": download.show}

begin("Listen", "Hear the synthetic tracks, alone and beside real clips.")

run = choose("Run", lambda run: synthetic_file(run).is_file())
if run is None:
    nothing_yet("No tracks yet.")
    st.stop()

synthetic = SyntheticSet.load(synthetic_file(run))
in_url = st.query_params.get("view", "Play")
# Presentation mode selects a view by this key too; a widget bound to the URL would take its old view from there.
st.session_state.setdefault("view", in_url if in_url in VIEWS else "Play")
view = st.segmented_control("View", list(VIEWS), required=True, label_visibility="collapsed", key="view") or "Play"
st.query_params["view"] = view
VIEWS[view](run, synthetic)
