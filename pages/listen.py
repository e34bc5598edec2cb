"""Listen: every track of a run, seen and heard."""

import streamlit as st

from distrack.distill import SyntheticSet
from distrack.ui.current import choose
from distrack.ui.page import begin
from distrack.ui.tracks import pictures

begin("Listen", "Each tile is one synthetic track: what is left of all the clips of its class, made audible.")

run = choose("Run", lambda run: run.synthetic.is_file())
if run is None:
    st.info("No run has tracks yet. Go to **Distill** and press the button.")
    st.page_link("pages/distill.py", label="Distill", icon=":material/science:")
    st.stop()

synthetic = SyntheticSet.load(run.synthetic)
ipc = synthetic.tracks_per_class
track = st.slider("Track of each class", 1, ipc, 1) - 1 if ipc > 1 else 0
classes, shown = pictures(run.synthetic, run.synthetic.stat().st_mtime, ipc)
names = synthetic.track_names()

with st.container(horizontal=True):
    for label, name in enumerate(classes):
        with st.container(border=True, width=180):
            st.markdown(f"#### {name}")
            st.image(shown[label][track], width="stretch", alt=f"track {track + 1} of class {name}")
            audio = run.track(names[label * ipc + track])
            if audio.is_file():
                st.audio(audio.read_bytes(), format="audio/flac", alt=f"track {track + 1} of class {name}")
            else:
                st.caption("Not audible yet.")

config = synthetic.config
held = f" in the storage of {config.ipc}" if ipc > config.ipc else ""
made = (
    "The samples themselves, as they were distilled."
    if config.domain == "waveform"
    else "Made audible with non-negative least squares and Griffin-Lim, levelled to -20 dB RMS, never above -1 dB peak."
)
st.caption(f"{config.dataset}, {config.feature.name}, {ipc} tracks per class{held}, {config.seconds:g} s. {made}")
