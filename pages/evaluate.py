"""The Evaluate page: accuracy of networks that are trained on a run's tracks, beside baselines."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import streamlit as st

from distrack import runs
from distrack.datasets import DATASETS
from distrack.evaluate import Report
from distrack.features import FEATURES
from distrack.jobs.results import evaluation_report
from distrack.ui.evaluate import copies, embedding, form, membership, scores, speech
from distrack.ui.shared import job_panel, stage
from distrack.ui.shared.page import begin, nothing_yet, sentence
from distrack.ui.shared.run_in_view import DEMO, choose


def summary(report: Report) -> str:
    """What was distilled and what it was tested on."""
    data = f"**{DATASETS[report.dataset].title}** · {FEATURES[report.feature].title}"
    split, budget = report.split, f"budget {report.tracks_per_class} per class"
    if report.rendered_per_class > report.tracks_per_class:
        budget += f" ({report.rendered_per_class} tracks)"
    notes = "".join(f" {sentence(note)}" for note in split.notes)
    return (
        f"{data} · {budget}, {report.floats_per_class:,} floats. "
        f"Distilled from {split.train:,} clips, tested on **{split.test:,} unseen clips**. "
        f"{split.sentence}{notes}"
    )


def score_tables(run: runs.Run, report: Report) -> None:
    """Every accuracy in figures, and the form for further ones."""
    if report.evaluations:
        scores.tables(report)
    if run.path != DEMO and run.status().state not in runs.ALIVE:
        form.show(run)
    speech.show(run)


begin("Evaluate", "How well do networks trained on the tracks classify real clips?")

run = choose("Run", lambda run: evaluation_report(run) is not None)
report = evaluation_report(run) if run is not None else None
if run is None or report is None:
    nothing_yet("No results yet.")
    st.stop()

job_panel.follow(run, lambda: None)
if report.evaluations:
    scores.overview(run, report)
else:
    st.info("Not evaluated yet.")
# The stop of a talk is one frame.
if not stage.active():
    st.caption(summary(report))
    titles = {
        "Scores": score_tables,
        "Confusion": scores.confusion,
        "Copies": copies.show,
        "Membership": membership.show,
        "Map": embedding.show,
    }
    for tab, show in zip(st.tabs(list(titles), key="tab", bind="query-params"), titles.values(), strict=True):
        if tab.open:
            with tab:
                show(run, report)
