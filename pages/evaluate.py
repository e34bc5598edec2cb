"""Evaluate: what is learnt from a run's tracks, beside baselines."""

import streamlit as st

from distrack import runs
from distrack.jobs.results import evaluation_report
from distrack.ui.evaluate import copies as inspecting
from distrack.ui.evaluate import scores as measuring
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import begin
from distrack.ui.shared.run_in_view import DEMO, choose

begin("Evaluate", "A training set is worth what is learnt from it: networks learn from the tracks and meet real clips.")

run = choose("Run", lambda run: evaluation_report(run) is not None)
report = evaluation_report(run) if run is not None else None
if run is None or report is None:
    st.info("Nothing was measured yet. Go to **Distill** and press the button.")
    st.page_link("pages/distill.py", label="Distill", icon=":material/science:")
    st.stop()

more = report.rendered_per_class > report.tracks_per_class
held = f", which hold {report.rendered_per_class} tracks" if more else ""
st.markdown(
    f"**{report.dataset}**, {report.feature}, {report.tracks_per_class} per class "
    f"({report.floats_per_class:,} floats a class{held}), distilled from {report.split.train:,} training clips; "
    f"tested on **{report.split.test:,} test clips** that neither distillation nor training saw. "
    f"The two sides are disjoint by {report.split.disjoint_by}. " + " · ".join(report.split.notes)
)


job_panel.follow(run, lambda: None)
if report.evaluations:
    measuring.show(run, report)
else:
    st.info("It was distilled, not measured.")
if run.path != DEMO and run.status().state not in runs.ALIVE:
    measuring.ask(run)
inspecting.show(run)
