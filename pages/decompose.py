"""Decompose: a clip becomes a few events that are edited like notes."""

from functools import partial

import streamlit as st

from distrack.jobs import decomposition
from distrack.ui.decompose import form as decompose
from distrack.ui.decompose import live as decomposing
from distrack.ui.shared.page import begin, show_errors
from distrack.ui.shared.run_in_view import runs_path

begin("Decompose", "Takes a sound apart into a few events with a time, a pitch and a decay: move them like notes.")


def launch(job: decomposition.DecomposeJob) -> None:
    """Puts the run in view as soon as it exists."""
    run = decomposition.create(runs_path(), job)
    decomposition.launch(run)
    st.query_params.from_dict({"run": run.id})
    st.rerun()


run = decomposing.named()
if run is not None:
    st.page_link("pages/decompose.py", label="Another recording", icon=":material/arrow_back:")
    decomposing.watch(run)
else:
    asked = decompose.ask()
    if asked is not None and st.button("Take apart", type="primary", icon=":material/call_split:", key="take-apart"):
        show_errors(partial(launch, asked))
    decomposing.earlier()
