"""The cells of a series: what each of its runs is doing, and what it measured."""

import streamlit as st

from distrack import jobs, runs
from distrack.errors import RunError
from distrack.evaluate import Report
from distrack.jobs.series import Cell, Series, finished_report, run_of
from distrack.ui.shared.panel import PANELS
from distrack.ui.shared.progress import badge, phase_text, share

# Cells beside each other.
_BESIDE = 5
_COMPARED = {"synthetic": "trained on the tracks", "random-selection": "trained on random clips"}


def series_of(run: runs.Run) -> Series | None:
    """The job of a series; None if its config cannot be read."""
    try:
        job = jobs.job_of(run)
    except RunError:
        return None
    return job if isinstance(job, Series) else None


def show(run: runs.Run, status: runs.Status) -> None:
    """All cells of a series, group by group."""
    job = series_of(run)
    if job is None:
        st.error(f"Run {run.id}: config.json is missing or damaged.")
        return
    st.caption(PANELS[job.kind].describe(job))
    for group in job.groups(run.id):
        if group.title:
            st.caption(group.title)
        for first in range(0, len(group.cells), _BESIDE):
            row = group.cells[first : first + _BESIDE]
            for column, cell in zip(st.columns(min(len(group.cells), _BESIDE)), row, strict=False):
                with column.container(border=True, height="stretch"):
                    _cell(run, cell, running=status.state in runs.ALIVE)


def _cell(series: runs.Run, cell: Cell, *, running: bool) -> None:
    run = run_of(series, cell)
    status = run.status() if run.path.is_dir() else None
    report = finished_report(series, cell)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{cell.title}**")
        if report is not None and status is not None and status.state not in runs.ALIVE:
            badge(runs.Status(state="done"))
        elif status is None or status.state == "unreadable":
            badge(runs.Status(state="queued"))
        else:
            badge(status)
    if report is not None:
        accuracies = {kind: report.accuracy("random-cnn", kind) for kind in _COMPARED}
        lines = [f"{accuracy:.1%} {_COMPARED[kind]}" for kind, accuracy in accuracies.items() if accuracy is not None]
        st.markdown("  \n".join(lines))
    elif status is not None and status.state in runs.ALIVE and status.phase:
        st.progress(share(status), text=phase_text(status))
    else:
        st.caption("Queued." if running else "Not finished.")
    with st.container(horizontal=True):
        _links(run, report)


def _links(run: runs.Run, report: Report | None) -> None:
    query = {"run": run.id}
    if report is not None:
        st.page_link("pages/listen.py", label="Listen", icon=":material/graphic_eq:", query_params=query)
        st.page_link("pages/evaluate.py", label="Evaluate", icon=":material/bar_chart:", query_params=query)
    elif run.path.is_dir():
        st.page_link("pages/distill.py", label="View", icon=":material/visibility:", query_params=query)
