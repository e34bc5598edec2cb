"""Distill: launch a run and watch it."""

import streamlit as st

from distrack import runs
from distrack.ui import form, live
from distrack.ui.current import named, runs_path
from distrack.ui.page import begin

begin("Distill", "Turn thousands of real clips into a handful of synthetic tracks per class, and watch them form.")


def launch(job: runs.DistillJob) -> None:
    """Puts the run in view as soon as it exists."""
    job.check()
    run = runs.create(runs_path(), job)
    runs.launch(run)
    st.query_params.from_dict({"run": run.id})
    st.rerun()


run = named()
if run is None:
    job = form.ask(None)
    if job is not None:
        form.budget(job)
        if st.button("Distill", type="primary", icon=":material/science:", key="distill"):
            launch(job)
else:
    live.watch(run)
    with st.expander("Another run, starting from this one's choices"):
        job = form.ask(form.earlier(run))
        if job is not None:
            form.budget(job)
            if st.button("Distill again", icon=":material/science:", key="distill-again"):
                launch(job)
