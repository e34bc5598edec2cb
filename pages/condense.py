"""Condense: temporal condensation, a grid of tracks x seconds at an equal budget."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import streamlit as st

from distrack.jobs.series import CondenseJob
from distrack.jobs.series.condensation import NOTES
from distrack.ui.condense import form
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import begin, sentence
from distrack.ui.shared.run_in_view import earlier, job_of, named

begin("Track length", "Many short tracks or few long ones, for the same seconds per class?")


def ask(before: CondenseJob | None) -> None:
    """The choices, their cells, and the button."""
    job = form.ask(before)
    if job is not None:
        form.strips(job)
        form.summary(job)
        with st.expander("Details"):
            st.markdown("  \n".join(map(sentence, NOTES)))
        if st.button("Start", type="primary", icon=":material/compress:", key="condense"):
            job_panel.launch(job)


run = named("condensation")
if run is None:
    ask(None)
    st.subheader("Previous studies")
    if not earlier("condensation"):
        st.caption("None yet. Press **Start** above: each length is distilled, one after the other.")
else:
    st.page_link("pages/condense.py", label="All studies", icon=":material/arrow_back:")
    job_panel.watch(run, "condensation")
    with st.expander("Duplicate and edit"):
        ask(job_of(run, CondenseJob))
