"""A series as it happens: its cells, what is measured so far, and the buttons that stop it or let it go on."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from distrack import jobs, runs
from distrack.errors import RunError
from distrack.evaluate import Report
from distrack.jobs.series import series
from distrack.ui.shared import job_panel as shown
from distrack.ui.shared.run_in_view import runs_path

# Seconds between two looks.
_EVERY = 1.0
# Cells beside each other.
_BESIDE = 5
_SHOWN = {"synthetic": "from tracks", "random-selection": "from random clips"}


def named(kind: series.Kind) -> runs.Run | None:
    """The series that the URL names, or None; a name that is not there is said and forgotten."""
    name = st.query_params.get(kind.name)
    if name is None:
        return None
    try:
        return runs.find(runs_path() / kind.folder, name)
    except RunError:
        st.warning(f"no {kind.name} {name!r} in {runs_path()}")
        del st.query_params[kind.name]
        return None


def earlier(kind: series.Kind, page: str, said: Callable[[Any], str]) -> int:
    """Those of a kind that are there, to open again, and how many they are.

    Args:
        kind: which.
        page: where they are shown.
        said: a job in a few words.
    """
    found = list(series.everything(runs_path(), kind))
    for run in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            shown.badge(run.status())
            st.page_link(page, label=run.id, query_params={kind.name: run.id})
            job = job_or_none(run)
            if job is not None:
                st.caption(said(job))
    return len(found)


def job_or_none(run: runs.Run) -> Any:
    """What was asked for; None where its config cannot be read."""
    try:
        return series.job_of(run)
    except RunError:
        return None


def watch(
    run: runs.Run,
    *,
    said: Callable[[Any], str],
    result: Callable[[runs.Run], None],
    after: Callable[[runs.Run, Any], None],
) -> None:
    """The series in view; looks again and again while it is at work, and once more when it ends.

    Args:
        run: its folder.
        said: its job in a few words.
        result: shows what is measured so far.
        after: shows what is there once it is not at work.
    """
    alive = run.status().state in runs.ALIVE

    def view() -> None:
        status = run.status()
        with shown.head(run, status):
            _buttons(run, status)
        if status.error and status.state != "unreadable":
            st.error(status.error)
        try:
            job = series.job_of(run)
        except RunError as error:
            st.error(str(error))
            return
        st.caption(said(job))
        _cells(run, job, status)
        result(run)
        if not alive:
            after(run, job)
        _details(run, job)
        # Only now: before the buttons it would swallow a click that came with this look.
        if alive and status.state not in runs.ALIVE:
            st.rerun()

    st.fragment(view, run_every=_EVERY if alive else None)()


def _buttons(run: runs.Run, status: runs.Status) -> None:
    if status.state in runs.ALIVE:
        shown.stop_button(run, series.stop)
    elif status.state != "done":
        shown.resume_button(run, series.launch)


def _cells(run: runs.Run, job: series.SeriesJob, status: runs.Status) -> None:
    for group in job.groups(run.id):
        if group.title:
            st.caption(group.title)
        for first in range(0, len(group.cells), _BESIDE):
            here = group.cells[first : first + _BESIDE]
            for column, cell in zip(st.columns(min(len(group.cells), _BESIDE)), here, strict=False):
                with column.container(border=True, height="stretch"):
                    _cell(run, cell, at_work=status.state in runs.ALIVE)


def _cell(run: runs.Run, cell: jobs.Cell, *, at_work: bool) -> None:
    here = series.run_of(run, cell)
    status = here.status() if here.path.is_dir() else None
    report = series.finished(run, cell)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{cell.title}**")
        if report is not None and status is not None and status.state not in runs.ALIVE:
            st.badge("done", color="green")
        elif status is None or status.state == "unreadable":
            st.badge("waiting", color="gray")
        else:
            shown.badge(status)
    if report is not None:
        found = {kind: report.accuracy("random-cnn", kind) for kind in _SHOWN}
        lines = [f"{accuracy:.1%} {_SHOWN[kind]}" for kind, accuracy in found.items() if accuracy is not None]
        st.markdown("  \n".join(lines))
    elif status is not None and status.state in runs.ALIVE and status.phase:
        share = status.step / status.steps if status.steps else 0.0
        st.progress(min(max(share, 0.0), 1.0), text=shown.PHASES.get(status.phase, status.phase))
    else:
        st.caption("Waiting for its turn." if at_work else "Not done.")
    with st.container(horizontal=True):
        _links(here, report)


def _links(here: runs.Run, report: Report | None) -> None:
    asked = {"run": here.id}
    if report is not None:
        st.page_link("pages/listen.py", label="Listen", icon=":material/graphic_eq:", query_params=asked)
        st.page_link("pages/evaluate.py", label="Evaluate", icon=":material/bar_chart:", query_params=asked)
    elif here.path.is_dir():
        st.page_link("pages/distill.py", label="Look at it", icon=":material/visibility:", query_params=asked)


def _details(run: runs.Run, job: series.SeriesJob) -> None:
    with st.expander("Command, config and log"):
        st.code(job.command(), language="shell", wrap_lines=True)
        log = runs.tail(run.path / "log.txt")
        if log:
            st.code(log, language=None, height=220)
