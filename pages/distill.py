"""Distill: launch a run and watch it."""

import streamlit as st

from distrack import jobs, runs
from distrack.jobs.series import series
from distrack.ui.distill import form, live
from distrack.ui.distill import sweep_result as sweeping
from distrack.ui.shared import series_panel as shown
from distrack.ui.shared.page import begin, show_errors
from distrack.ui.shared.run_in_view import named, runs_path

begin("Distill", "Turn thousands of real clips into a handful of synthetic tracks per class, and watch them form.")


def launch(job: jobs.DistillJob) -> None:
    """Puts the run in view as soon as it exists."""
    job.check()
    run = jobs.create(runs_path(), job)
    runs.launch(run)
    st.query_params.from_dict({"run": run.id})
    st.rerun()


def launch_folds(job: jobs.SweepJob) -> None:
    """The same with a run for each fold."""
    job.check()
    run = series.create(runs_path(), job)
    series.launch(run)
    st.query_params.from_dict({series.SWEEP.name: run.id})
    st.rerun()


def ask(before: jobs.DistillJob | None, label: str, key: str) -> None:
    """The choices, what they amount to, and the button."""
    job = form.ask(before)
    if job is None:
        return
    form.budget(job)
    folds = form.every_fold(job)
    if st.button(label, type="secondary" if before else "primary", icon=":material/science:", key=key):
        show_errors(lambda: launch(job) if folds is None else launch_folds(folds))


run, sweep = named(), shown.named(series.SWEEP)
if run is not None:
    live.watch(run)
    with st.expander("Another run, starting from this one's choices"):
        ask(form.earlier(run), "Distill again", "distill-again")
elif sweep is not None:
    st.page_link("pages/distill.py", label="Another run", icon=":material/arrow_back:")
    shown.watch(sweep, said=sweeping.said, result=sweeping.result, after=sweeping.compare)
else:
    ask(None, "Distill", "distill")
    if any(series.everything(runs_path(), series.SWEEP)):
        st.subheader("Earlier sweeps")
        shown.earlier(series.SWEEP, "pages/distill.py", sweeping.said)
