"""The result of a sweep: accuracy by tracks per class and training set, a table, and a link to compare its runs."""

from typing import Any

import streamlit as st

from distrack import jobs, runs
from distrack.datasets.clips import disjoint_text
from distrack.evaluate import EVALUATORS, name_of
from distrack.figures.accuracy import run_bars
from distrack.jobs.series import SweepJob, SweepReport, SweepRow, finished_report
from distrack.ui.shared import cells
from distrack.ui.shared.page import chart, ink, sentence
from distrack.ui.shared.run_in_view import PANELS, Panel, job_of, link_to_compare


def _result(run: runs.Run) -> None:
    """Bars and table, as far as they are measured."""
    report: SweepReport | None = jobs.report_of(run)
    if report is None or not report.rows:
        return
    st.subheader("Accuracy on real test clips")
    evaluators = list(dict.fromkeys(_evaluator(row) for row in report.rows))
    evaluator = st.selectbox("Evaluator", evaluators, key=f"by-{run.id}") if len(evaluators) > 1 else evaluators[0]
    rows = [row for row in report.rows if _evaluator(row) == evaluator]
    chance = None if report.classes is None else 1 / report.classes
    counts = dict.fromkeys(row.tracks_per_class for row in rows)
    bars = {f"{count} per class": [row for row in rows if row.tracks_per_class == count] for count in counts}
    chart(run_bars(bars, chance=chance, ink=ink()), key=f"bars-{run.id}-{evaluator}")
    over = "the folds, of each fold's mean" if report.folds else "all seeds, of distillation and of evaluation"
    st.caption(f"Error bars: 95% CI over {over}. Dotted: chance.")
    st.dataframe([_row(row) for row in report.rows], hide_index=True, key=f"table-{run.id}")
    split = disjoint_text(str(report.disjoint_by))
    st.caption("  \n".join([split, *map(sentence, report.notes)]))


def _evaluator(row: SweepRow) -> str:
    return f"{EVALUATORS.title(row.evaluator)}, {row.network}"


def _row(row: SweepRow) -> dict[str, Any]:
    return {
        "tracks per class": row.tracks_per_class,
        "floats per class": f"{row.floats_per_class:,}",
        "evaluator": EVALUATORS.title(row.evaluator),
        "trained on": name_of(row.training_set),
        "accuracy": row.accuracy.text,
        "95% CI": row.accuracy.interval_text,
        "vs random": "" if row.gain is None else f"{row.gain:+.3f}",
        "distillation adds": "" if row.added is None else f"{row.added:+.3f}",
        "macro F1": f"{row.macro_f1:.3f}",
        "network": row.network,
    }


def _compare(run: runs.Run) -> None:
    """A link to the Compare page with the runs that are done."""
    job = job_of(run, SweepJob)
    done = [] if job is None else [cell.run_id for cell in job.cells(run.id) if finished_report(run, cell)]
    if len(done) > 1:
        link_to_compare(done, "Compare these runs")


def _show(run: runs.Run, status: runs.Status) -> None:
    cells.show(run, status)
    _result(run)


PANELS.add("sweep", Panel("pages/distill.py", "sweep", _show, _compare))
