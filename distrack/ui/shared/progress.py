"""The state and the progress of a run: a badge, a bar, and the time that is left."""

import streamlit as st

from distrack.runs import Run, Status
from distrack.runs.queue import ahead

# Label and colour of a state.
_STATES = {
    "queued": ("Queued", "gray"),
    "running": ("Running", "blue"),
    "stopping": ("Stopping", "orange"),
    "done": ("Done", "green"),
    "stopped": ("Stopped", "orange"),
    "failed": ("Failed", "red"),
    "stale": ("Interrupted", "red"),
    "unreadable": ("Damaged", "red"),
}
# What a run does in each phase.
PHASES = {
    "read": "Reading the recording",
    "download": "Downloading",
    "prepare": "Preparing the dataset",
    "distill": "Distilling",
    "invert": "Converting to audio",
    "push": "Pushing",
    "pull": "Fetching",
    "watch": "Watching",
    "evaluate": "Evaluating",
    "series": "Running in sequence",
    "inspect": "Looking for copies",
    "listen": "Making sounds to compare with",
    "decompose": "Decomposing",
    "store": "Storing the events",
    "measure": "Measuring the quality",
    "timbres": "Learning timbres",
    "scenes": "Learning from synthetic scenes",
    "hear": "Finding events in recordings",
    "recordings": "Learning from recordings",
}


def state_text(status: Status) -> str:
    """The state in one word."""
    return _STATES[status.state][0]


def badge(status: Status) -> None:
    """Draws the state in one word."""
    label, colour = _STATES[status.state]
    st.badge(label, color=colour)  # type: ignore[arg-type]


def phase_text(run: Run, status: Status) -> str:
    """What a run is doing, and the share of it that is done; of a queued run its place in the queue."""
    if status.state == "queued":
        count = ahead(run, status)
        return f"Queued, {count} run{'s' * (count > 1)} ahead" if count else "Starting"
    text = PHASES.get(status.phase, status.phase)
    return f"{text}, {status.share:.0%}" if status.steps else text


def bar(run: Run, status: Status) -> None:
    """Draws phase, share that is done, and an estimate of the time left; of a queued run its place in the queue."""
    if status.state == "queued":
        st.progress(0.0, text=phase_text(run, status))
        return
    text = PHASES.get(status.phase, status.phase)
    if status.phase == "distill":
        text += f": step {status.step} of {status.steps}"
    elif status.detail:
        text += f": {status.detail}"
    left = time_left(status)
    if left is not None:
        text += f" · about {spoken(left)} left"
    st.progress(status.share, text=text)


def time_left(status: Status) -> float | None:
    """Seconds until the counted work is done, at its pace so far; None before there is a pace."""
    began, first = status.counted_from
    # Both times are of the worker's clock, which need not be that of this computer.
    spent, done = status.heartbeat - began, status.share - first
    if status.state != "running" or done < 0.02 or spent < 1:
        return None
    return spent / done * (1 - status.share)


def spoken(seconds: float) -> str:
    """A duration in one unit: seconds, minutes or hours."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
