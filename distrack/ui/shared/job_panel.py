"""How a run's state is shown: a badge, a bar with the time that is left, and the sidebar's list of what is at work."""

import time
from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from distrack import runs
from distrack.ui.shared.page import show_errors
from distrack.ui.shared.run_in_view import runs_path

_COLOURS = {
    "queued": "gray",
    "running": "blue",
    "stopping": "orange",
    "done": "green",
    "stopped": "orange",
    "failed": "red",
    "stale": "red",
    "unreadable": "red",
}
PHASES = {
    "download": "Fetching the dataset",
    "prepare": "Preparing the dataset",
    "distill": "Distilling",
    "invert": "Making the tracks audible",
    "evaluate": "Evaluating on real test clips",
    "series": "One run after the other",
    "inspect": "Looking for copies",
    "listen": "Making sounds to compare with",
    "decompose": "Taking it apart",
    "measure": "Measuring how near it comes",
}


def page_of(run: runs.Run) -> str:
    """Where a run is seen at work."""
    return "pages/decompose.py" if run.takes_apart else "pages/distill.py"


def badge(status: runs.Status) -> None:
    """The state in one word."""
    st.badge(status.state, color=_COLOURS[status.state])  # type: ignore[arg-type]


def time_left(status: runs.Status) -> float | None:
    """Seconds until what is counted is done, from its own pace so far; None before there is one."""
    began, first = status.counted_from
    spent, done = time.time() - began, status.step - first
    if status.state != "running" or done < 1 or spent < 1:
        return None
    return spent / done * (status.steps - status.step)


def spoken(seconds: float) -> str:
    """A time as a person says it."""
    return f"{max(seconds, 1):.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def bar(status: runs.Status) -> None:
    """Phase, how much of it is done, and the estimate of the time left."""
    if status.state == "queued":
        st.progress(0.0, text="Starting, or waiting for what was asked for before")
        return
    share = status.step / status.steps if status.steps else 0.0
    text = PHASES.get(status.phase, status.phase)
    if status.phase == "distill":
        text += f": step {status.step} of {status.steps}"
    elif status.detail:
        text += f": {status.detail}"
    left = time_left(status)
    if left is not None:
        text += f" · about {spoken(left)} left"
    st.progress(min(max(share, 0.0), 1.0), text=text)


def head(run: runs.Run, status: runs.Status) -> DeltaGenerator:
    """State and name of a job in view, and its bar while it is at work.

    Returns:
        the place beside it, for its buttons
    """
    left, right = st.columns([4, 1.4], vertical_alignment="center")
    with left:
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(status)
            st.markdown(f"**{run.id}**")
        if status.state in runs.ALIVE:
            bar(status)
    return right


def stop_button(run: runs.Run, stop: Callable[[runs.Run], object]) -> None:
    """Stops a job that is at work."""
    if st.button("Stop", icon=":material/stop:", key=f"stop-{run.id}", width="stretch"):
        with st.spinner("Stopping"):
            stopped = show_errors(lambda: stop(run))
        if stopped:
            st.rerun()


def resume_button(run: runs.Run, launch: Callable[[runs.Run], object]) -> None:
    """Goes on with a job that is not at work."""
    asked = st.button("Resume", icon=":material/play_arrow:", key=f"resume-{run.id}", width="stretch", type="primary")
    if asked and show_errors(lambda: launch(run)):
        st.rerun()


@st.fragment(run_every=3.0)
def sidebar(device: str) -> None:
    """Device, and what is at work on it."""
    st.caption(f"Device: **{device}**")
    busy = [(run, status) for run in runs.all_runs(runs_path()) if (status := run.status()).state in runs.ALIVE]
    if not busy:
        st.caption("No run at work.")
    for run, status in busy:
        share = f"{status.step / status.steps:.0%}" if status.steps else ""
        st.markdown(f":blue-badge[{status.state}] {status.phase} {share}")
        st.page_link(page_of(run), label=run.id, query_params={"run": run.id})
