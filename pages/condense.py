"""Condense: temporal condensation, a grid of tracks x seconds at an equal budget."""

import streamlit as st

from distrack.jobs.series import CondenseJob
from distrack.jobs.series.condensation import NOTES
from distrack.ui.condense import form
from distrack.ui.shared import cells, job_panel
from distrack.ui.shared.page import begin

begin(
    "Condense", "Temporal condensation: more short tracks or fewer long ones, at an equal budget of seconds per class?"
)


def ask(before: CondenseJob | None) -> None:
    """The choices, their cells, and the button."""
    job = form.ask(before)
    if job is not None:
        form.strips(job)
        form.summary(job)
        st.caption("Note: " + "; ".join(NOTES) + ".")
        if st.button("Condense", type="primary", icon=":material/compress:", key="condense"):
            job_panel.launch(job)


run = job_panel.named("condensation")
if run is None:
    ask(None)
    st.subheader("Earlier condensations")
    if not job_panel.earlier("condensation"):
        st.caption("None yet. Press **Condense** above: every duration is then distilled, one after the other.")
else:
    st.page_link("pages/condense.py", label="All condensations", icon=":material/arrow_back:")
    job_panel.watch(run, "condensation")
    with st.expander("Another one, starting from this one's choices"):
        before = cells.series_of(run)
        ask(before if isinstance(before, CondenseJob) else None)
