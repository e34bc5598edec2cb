"""Condense: temporal condensation, a grid of tracks x seconds at an equal budget."""

import streamlit as st

from distrack import jobs
from distrack.jobs.series import series
from distrack.jobs.series.grid import NOTES
from distrack.ui.condense import form as condense
from distrack.ui.condense import result as condensing
from distrack.ui.shared import series_panel as shown
from distrack.ui.shared.page import begin, show_errors
from distrack.ui.shared.run_in_view import runs_path

begin(
    "Condense", "Temporal condensation: more short tracks or fewer long ones, at an equal budget of seconds per class?"
)


def launch(job: jobs.CondenseJob) -> None:
    """Puts the condensation in view as soon as it exists."""
    job.check()
    run = series.create(runs_path(), job)
    series.launch(run)
    st.query_params.from_dict({"condensation": run.id})
    st.rerun()


def form(before: jobs.CondenseJob | None) -> None:
    """The choices, what they amount to, and the button."""
    job = condense.ask(before)
    if job is not None:
        condense.strips(job)
        condense.summary(job)
        st.caption("Note: " + "; ".join(NOTES) + ".")
        if st.button("Condense", type="primary", icon=":material/compress:", key="condense"):
            show_errors(lambda: launch(job))


run = shown.named(series.CONDENSATION)
if run is None:
    form(None)
    st.subheader("Earlier condensations")
    if not shown.earlier(series.CONDENSATION, "pages/condense.py", condensing.said):
        st.caption("None yet. Press **Condense** above: every duration is then distilled, one after the other.")
else:
    st.page_link("pages/condense.py", label="All condensations", icon=":material/arrow_back:")
    shown.watch(run, said=condensing.said, result=condensing.result, after=condensing.ends)
    with st.expander("Another one, starting from this one's choices"):
        form(shown.job_or_none(run))
