"""The job panel: a run of any kind as it happens, with its state, progress, buttons, command and log."""

from collections.abc import Callable

import streamlit as st

from distrack import jobs, runs
from distrack.jobs import Job
from distrack.jobs.contract import title_of
from distrack.ui.shared import stage
from distrack.ui.shared.page import errors_shown, sentence
from distrack.ui.shared.progress import PHASES, badge, bar
from distrack.ui.shared.run_in_view import PANELS, Panel, runs_path

# Seconds between two looks at a running job, by phase. The first loss should not wait for the page; later on the page
# should not take from the job what it needs to compute.
_FIRST, _USUAL = 0.4, 1.0
_EVERY = {"": _FIRST, "prepare": _FIRST, "invert": 2.0, "evaluate": 2.0}


def launch(job: Job) -> None:
    """Launches a job and puts its run in view, with the progress of what has to be done before; an error is shown."""
    place = st.empty()

    def watch(phase: str, done: int, total: int, *_: object) -> None:
        place.progress(done / max(total, 1), text=PHASES.get(phase, phase))

    with errors_shown():
        put_in_view(jobs.launch(job, runs_path(), watch=watch), job.kind)


def put_in_view(run: runs.Run, kind: str) -> None:
    """Opens a run on the page of its kind, which is the page in view."""
    st.query_params.from_dict({PANELS[kind].parameter: run.id})
    st.rerun()


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
    left, right = st.columns([4, 1.4], vertical_alignment="center")
    with left:
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(status)
            st.markdown(f"**{title_of(run)}**", help=run.id)
        if status.state in runs.ALIVE:
            bar(run, status)
    with right:
        if status.state in runs.ALIVE:
            stop_button(run)
        elif status.state == "done":
            panel.links(run)
        elif status.state != "unreadable":
            _resume_button(run)
    if status.error:
        st.error(sentence(status.error))
    panel.live(run, status)
    if pace is not None:
        _details(run)
        # Not before the buttons: a rerun there would lose a click that came with this look.
        if _pace(status) != pace:
            st.rerun()


def stop_button(run: runs.Run, label: str = "Stop") -> None:
    """A button that stops a running run, or takes a queued one out of the queue."""
    if st.button(label, icon=":material/stop:", key=f"{label}-{run.id}", width="stretch"):
        with errors_shown():
            with st.spinner("Stopping"):
                jobs.stop(run)
            st.rerun()


def _resume_button(run: runs.Run) -> None:
    if st.button("Resume", icon=":material/play_arrow:", key=f"resume-{run.id}", width="stretch", type="primary"):
        with errors_shown():
            jobs.resume(run)
            st.rerun()


def _details(run: runs.Run) -> None:
    with stage.aside("details"):
        command = ""
        with errors_shown(st.warning):
            command = _command(run)
        details = st.expander("Details", key=f"details-{run.id}", on_change="rerun")
        # Drawn once it is wanted: a browser loads what colours code for as long as the first steps take.
        if details.open:
            with details:
                if command:
                    st.code(command, language="shell", wrap_lines=True)
                log(run)


def _command(run: runs.Run) -> str:
    """The command that worked on the run; the job's own if another job worked in its folder since."""
    words, job = run.status().command, jobs.job_of(run)
    return jobs.shell_text(words) if words and words[0] in (job.verb, "resume") else job.command()


def log(run: runs.Run) -> None:
    """The end of a run's log."""
    if text := runs.tail(run.path / "log.txt"):
        st.code(text, language=None, height=220)


# A job that works in the folder of the run in view


def follow(run: runs.Run, offer: Callable[[], None]) -> None:
    """Shows the progress of a job in a run's folder; when none is running, its error and the buttons of `offer`."""
    was_running = run.status().state in runs.ALIVE

    def view() -> None:
        status = run.status()
        running = status.state in runs.ALIVE
        if was_running and not running:
            st.rerun()
        if running:
            left, right = st.columns([4, 1], vertical_alignment="center")
            with left:
                bar(run, status)
            with right:
                stop_button(run)
            return
        if status.error and status.state != "unreadable":
            st.error(sentence(status.error))
        offer()

    st.fragment(view, run_every=_USUAL if was_running else None)()


def start(job: Job) -> None:
    """Starts a job that works in the folder of the run in view; an error is shown."""
    with errors_shown():
        jobs.launch(job, runs_path())
        st.rerun()
