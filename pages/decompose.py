"""Decompose: turns a sound into a few events, which can be edited like notes."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import streamlit as st

from distrack.ui.decompose import examples, form, live
from distrack.ui.shared import job_panel, stage
from distrack.ui.shared.page import begin
from distrack.ui.shared.run_in_view import earlier, named

begin("Decompose", "Turn a sound into a few editable events, like notes.")

run = named("decomposition")
if run is not None:
    with stage.aside("new"):
        st.page_link("pages/decompose.py", label="New", icon=":material/add:")
    job_panel.watch(run, "decomposition")
elif stage.active():
    examples.draw()
else:
    job = form.ask()
    if job is not None and st.button("Decompose", type="primary", icon=":material/call_split:", key="take-apart"):
        job_panel.launch(job)
    examples.draw()
    st.subheader("Recent")
    if not earlier("decomposition", live.note):
        st.caption("None yet. Select a recording above and press **Decompose**.")
