"""The cells of a series: what each of its runs is doing, and what it measured."""

import streamlit as st

from distrack import runs
from distrack.evaluate import name_of
from distrack.jobs.series import Cell, Series, finished_report, run_of
from distrack.ui.shared.page import tiles
from distrack.ui.shared.progress import badge, phase_text
from distrack.ui.shared.run_in_view import job_of, link, link_to_results


def show(run: runs.Run, status: runs.Status) -> None:
    """All cells of a series, group by group."""
    job = job_of(run, Series)
    if job is None:
        st.error("The file config.json of this run is missing or damaged.")
        return
    for group in job.groups(run.id):
        if group.title:
            st.caption(group.title)
        for cell in tiles(group.cells, 5):
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
        measured = [(name_of(kind), report.accuracy("random-cnn", kind)) for kind in ("synthetic", "random-selection")]
        lines = [f"{accuracy:.1%} trained on {name.lower()}" for name, accuracy in measured if accuracy is not None]
        st.markdown("  \n".join(lines))
    elif status is not None and status.state in runs.ALIVE and status.phase:
        st.progress(status.share, text=phase_text(run, status))
    else:
        st.caption("Queued." if running else "Not finished.")
    with st.container(horizontal=True):
        if report is not None:
            link_to_results(run)
        elif run.path.is_dir():
            link(run, "View")
