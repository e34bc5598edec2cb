"""A distillation while it is running: its tracks, its loss, and its accuracy so far; the same once it is done."""

import streamlit as st

from distrack import runs
from distrack.distill.objectives import OBJECTIVES
from distrack.evaluate import Report
from distrack.figures.loss import loss_curve
from distrack.figures.style import NAMES
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import evaluation_report
from distrack.ui.shared import pictures
from distrack.ui.shared.page import errors_shown
from distrack.ui.shared.run_in_view import PANELS, Panel, job_of, link_to_results

# Training sets whose accuracy is shown; the other pages show the rest.
_COMPARED = ("synthetic", "random-selection", "full")


def _describe(job: DistillJob) -> str:
    return f"{job.dataset}, {job.ipc} per class, {job.feature.name}, {job.preset}"


def _show(run: runs.Run, status: runs.Status) -> None:
    _tracks(run, status)
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        _loss(run, status)
    with right:
        report = evaluation_report(run)
        if report is not None:
            _accuracy(report)


def _links(run: runs.Run) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        link_to_results(run)


PANELS.add("distillation", Panel("pages/distill.py", "run", _describe, _show, links=_links))


def _accuracy(report: Report) -> None:
    accuracies = [
        (NAMES[name], evaluation.accuracy)
        for name in _COMPARED
        for evaluation in report.evaluations
        if (evaluation.evaluator, evaluation.trained_on) == ("random-cnn", name)
    ]
    if accuracies:
        st.subheader("Accuracy")
        st.caption("CNN trained on them, tested on real clips")
        for label, accuracy in accuracies:
            spread = f"± {accuracy.std:.1%} over {len(accuracy.runs)} seeds"
            st.metric(label, f"{accuracy.mean:.1%}", spread, "off", delta_arrow="off")


def _loss(run: runs.Run, status: runs.Status) -> None:
    metrics, job = run.metrics(), job_of(run, DistillJob)
    if any("loss" in record for record in metrics):
        objective = "" if job is None else f": {OBJECTIVES.title(job.objective.name)}"
        caption = f"Matching loss{objective}. Lower is better."
    elif status.state in runs.ALIVE:
        caption = "Waiting for the first step."
    else:
        return
    st.subheader("Loss")
    # An empty frame at first: the browser loads what draws it while the process of the run starts.
    st.altair_chart(loss_curve(metrics, 0 if job is None else job.steps), key=f"loss-{run.id}")
    st.caption(caption)


def _tracks(run: runs.Run, status: runs.Status) -> None:
    snapshots = run.snapshots()
    if not snapshots:
        return
    steps = list(snapshots)
    step = steps[-1]
    if status.state not in runs.ALIVE and len(steps) > 1:
        step = st.select_slider("Step", steps, value=step, key=f"step-{run.id}")
    else:
        st.caption(f"Step {step}")
    with errors_shown(st.warning):
        pictures.grid(snapshots[step])
