"""Distill: launch a run and watch it."""

import streamlit as st

from distrack import runs
from distrack.errors import RunError
from distrack.ui import form, live
from distrack.ui.current import named, runs_path

st.title("Distill")
st.markdown("Turn thousands of real clips into a handful of synthetic tracks per class, and watch them form.")

run = named()
before = None
if run is not None:
    try:
        before = run.job()
    except RunError as error:
        st.warning(str(error))

job = form.ask(before)
if job is not None:
    form.budget(job)
    if st.button("Distill", type="primary", icon=":material/science:", key="distill"):
        job.check()
        run = runs.create(runs_path(), job)
        runs.launch(run)
        st.query_params["run"] = run.id
        st.rerun()

if run is not None:
    st.divider()
    live.watch(run)
else:
    st.caption("Press **Distill**: with these defaults the first tracks can be heard in about a minute.")
