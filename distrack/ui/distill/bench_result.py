"""The result of a bench: its runs, and the table of all that is measured so far."""

import streamlit as st

from distrack import jobs, runs
from distrack.jobs.series import BenchJob, BenchReport, finished_report, table_texts
from distrack.ui.shared import cells
from distrack.ui.shared.page import sentence
from distrack.ui.shared.run_in_view import PANELS, Panel, job_of, link_to_compare


def _show(run: runs.Run, status: runs.Status) -> None:
    report: BenchReport | None = jobs.report_of(run)
    if report is not None and report.rows:
        st.subheader("Accuracy on real test clips")
        st.dataframe(table_texts(report), hide_index=True, key=f"table-{run.id}")
        st.caption(
            "Mean ± standard deviation (runs). Differences are paired by the seed of the evaluation, with their 95 % "
            "confidence interval."
        )
        st.caption("  \n".join(map(sentence, report.notes)))
    cells.show(run, status)


def _compare(run: runs.Run) -> None:
    """A link to the Compare page with the runs that are done."""
    job = job_of(run, BenchJob)
    done = [] if job is None else [cell.run_id for cell in job.cells(run.id) if finished_report(run, cell)]
    if len(done) > 1:
        link_to_compare(done, "Compare these runs")


PANELS.add("bench", Panel("pages/distill.py", "bench", _show, _compare))
