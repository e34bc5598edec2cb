"""Decompose: a clip becomes a few events that are edited like notes."""

import streamlit as st

from distrack.ui.decompose import form, live
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import begin

begin("Decompose", "Decomposes a sound into a few events with a time, a pitch and a decay: move them like notes.")

run = job_panel.named("decomposition")
if run is not None:
    st.page_link("pages/decompose.py", label="Another recording", icon=":material/arrow_back:")
    job_panel.watch(run, "decomposition")
else:
    job = form.ask()
    if job is not None and st.button("Decompose", type="primary", icon=":material/call_split:", key="take-apart"):
        job_panel.launch(job)
    st.subheader("Earlier decompositions")
    if not job_panel.earlier("decomposition", live.note):
        st.caption("None yet. Choose a recording above, and press **Decompose**.")
