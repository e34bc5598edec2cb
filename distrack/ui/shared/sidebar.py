"""The side bar of every page: the device, and the runs that are running."""

import streamlit as st

from distrack import runs
from distrack.ui.shared.job_panel import link
from distrack.ui.shared.progress import phase_text
from distrack.ui.shared.run_in_view import runs_path


@st.fragment(run_every=3.0)
def show(device: str) -> None:
    """Draws the side bar, again every few seconds."""
    st.caption(f"Device: **{device}**")
    busy = [(run, status) for run in runs.all_runs(runs_path()) if (status := run.status()).state in runs.ALIVE]
    if not busy:
        st.caption("Nothing is running.")
    for run, status in busy:
        st.markdown(f":blue-badge[{phase_text(status)}]")
        link(run)
