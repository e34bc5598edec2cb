"""The job panel: a run of any kind as it happens, with its state, progress, buttons, command and log."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from distrack import jobs, runs
from distrack.errors import DistrackError, RunError
from distrack.jobs import Job
from distrack.ui.shared import stage
from distrack.ui.shared.page import show_errors
from distrack.ui.shared.panel import PANELS, Panel
from distrack.ui.shared.progress import badge, bar
from distrack.ui.shared.run_in_view import runs_path

# Seconds between two looks at a running job, by phase. The first loss should not wait for the page; later on the page
# should not take from the job what it needs to compute.
_FIRST, _USUAL = 0.4, 1.0
_EVERY = {"": _FIRST, "prepare": _FIRST, "invert": 2.0, "evaluate": 2.0}


# Launching and choosing


def launch(job: Job) -> None:
    """Launches a job and puts its run in view; an error is shown."""
    launched: list[runs.Run] = []
    if show_errors(lambda: launched.append(jobs.launch(job, runs_path()))):
        st.query_params.from_dict({PANELS[job.kind].parameter: launched[0].id, **stage.parameters()})
        st.rerun()


def named(kind: str) -> runs.Run | None:
    """The run of a kind that the URL names; None if it names none, or one that is not there, which is shown."""
    parameter = PANELS[kind].parameter
    run_id = st.query_params.get(parameter)
    if run_id is None:
        return None
    try:
        run = jobs.find(runs_path(), run_id)
        if jobs.kind_of(run) in (kind, ""):
            return run
        st.warning(f"Run {run_id} is a {jobs.kind_of(run)}, not a {kind}.")
        link(run, "Open it")
    except RunError as error:
        st.warning(str(error))
    del st.query_params[parameter]
    return None


def earlier(kind: str, note: Callable[[runs.Run], str] = lambda run: "") -> int:  # noqa: ARG005
    """Lists the runs of a kind, newest first, as links.

    Args:
        kind: which.
        note: a few words beside a run; a description of its job if empty.

    Returns:
        how many there are
    """
    found = list(jobs.all_runs(runs_path(), kind))
    for run in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(run.status())
            link(run)
            text = note(run) or _description(run, PANELS[kind])
            if text:
                st.caption(text)
    return len(found)


def link(run: runs.Run, label: str = "") -> None:
    """Draws a link to the page that shows a run; its label is the run's id by default."""
    kind = jobs.kind_of(run)
    panel = PANELS[kind if kind in PANELS else "distillation"]
    st.page_link(panel.page, label=label or run.id, query_params={panel.parameter: run.id})


def _description(run: runs.Run, panel: Panel) -> str:
    try:
        return panel.describe(jobs.job_of(run))
    except DistrackError:
        return ""


# The panel


def watch(run: runs.Run, kind: str) -> None:
    """Shows a run: looks again and again while it is running, and once more when it ends."""
    panel, pace = PANELS[kind], _pace(run.status())
    st.fragment(_view, run_every=pace)(run, panel, pace)
    if pace is None:
        panel.done(run)
        _details(run)


def _pace(status: runs.Status) -> float | None:
    if status.state not in runs.ALIVE:
        return None
    return _FIRST if status.phase == "distill" and not status.step else _EVERY.get(status.phase, _USUAL)


def _view(run: runs.Run, panel: Panel, pace: float | None) -> None:
    status = run.status()
    with _head(run, status):
        if status.state in runs.ALIVE:
            stop_button(run)
        elif status.state == "done":
            panel.links(run)
        elif status.state != "unreadable":
            _resume_button(run)
    if status.error:
        st.error(status.error)
    panel.live(run, status)
    if pace is not None:
        _details(run)
        # Not before the buttons: a rerun there would lose a click that came with this look.
        if _pace(status) != pace:
            st.rerun()


def _head(run: runs.Run, status: runs.Status) -> DeltaGenerator:
    """State, name and progress of a run; returns the place for its buttons."""
    left, right = st.columns([4, 1.4], vertical_alignment="center")
    with left:
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(status)
            st.markdown(f"**{run.id}**")
        if status.state in runs.ALIVE:
            bar(status)
    return right


def stop_button(run: runs.Run) -> None:
    """A button that stops a running run."""
    if st.button("Stop", icon=":material/stop:", key=f"stop-{run.id}", width="stretch"):
        with st.spinner("Stopping"):
            stopped = show_errors(lambda: jobs.stop(run))
        if stopped:
            st.rerun()


def _resume_button(run: runs.Run) -> None:
    pressed = st.button("Resume", icon=":material/play_arrow:", key=f"resume-{run.id}", width="stretch", type="primary")
    if pressed and show_errors(lambda: jobs.resume(run)):
        st.rerun()


def _details(run: runs.Run) -> None:
    with st.expander("Details"):
        try:
            st.code(_command(run), language="shell", wrap_lines=True)
        except DistrackError as error:
            st.warning(str(error))
        log(run)


def _command(run: runs.Run) -> str:
    """The command that worked on the run; the job's own if another job worked in its folder since."""
    words, job = run.status().command, jobs.job_of(run)
    return jobs.shell_text(words) if words and words[0] in (job.verb, "resume") else job.command()


def log(run: runs.Run) -> None:
    """The end of a run's log."""
    text = runs.tail(run.path / "log.txt")
    if text:
        st.code(text, language=None, height=220)


# A job that works in the folder of the run in view


def follow(run: runs.Run, offer: Callable[[], None]) -> None:
    """Shows the progress of a job in a run's folder; when none is running, its error and what `offer` draws.

    Args:
        run: the run in view.
        offer: draws the buttons that start such a job.
    """
    was_running = run.status().state in runs.ALIVE

    def view() -> None:
        status = run.status()
        running = status.state in runs.ALIVE
        if was_running and not running:
            st.rerun()
        if running:
            left, right = st.columns([4, 1], vertical_alignment="center")
            with left:
                bar(status)
            with right:
                stop_button(run)
            return
        if status.error and status.state != "unreadable":
            st.error(status.error)
        offer()

    st.fragment(view, run_every=_USUAL if was_running else None)()


def start(job: Job) -> None:
    """Starts a job that works in the folder of the run in view; an error is shown."""
    if show_errors(lambda: jobs.launch(job, runs_path())):
        st.rerun()
