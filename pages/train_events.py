"""Train events: a model learns to hear events, from synthetic scenes and from recordings."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import streamlit as st

from distrack.jobs.event_model import EventModelJob
from distrack.ui.event_model import form, result
from distrack.ui.runs import stored
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import begin
from distrack.ui.shared.run_in_view import earlier, job_of, named

begin("Train events", "Train a small model that hears notes: a few events of any clip, found in one pass.")


def ask(before: EventModelJob | None) -> None:
    """The choices and the button."""
    job = form.ask(before)
    if job is not None and st.button("Train", type="primary", icon=":material/hearing:", key="train"):
        job_panel.launch(job)


run = named("event-model")
if run is None:
    ask(None)
    st.caption("With the usual settings about 15 minutes on two cores. A trained model comes with DisTrack.")
    st.subheader("Previous trainings")
    if not earlier("event-model", result.note):
        st.caption("None yet.")
    stored.transfers()
    stored.show("event-model")
else:
    st.page_link("pages/train_events.py", label="All trainings", icon=":material/arrow_back:")
    job_panel.watch(run, "event-model")
    with st.expander("Duplicate and edit"):
        ask(job_of(run, EventModelJob))
