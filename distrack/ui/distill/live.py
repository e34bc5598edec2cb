"""A run as it happens: state, time left, loss curve, tracks, and the buttons that stop it or let it go on."""

import streamlit as st

from distrack import runs
from distrack.errors import RunError
from distrack.evaluate import Report
from distrack.figures.loss import loss_curve
from distrack.ui.shared import job_panel as shown
from distrack.ui.shared import track_grid as tracks

# Seconds between two looks at a run that is at work. The first loss should not wait for the page; later on the page
# should not take from the run what it needs to compute.
_FIRST, _DISTILLING, _AFTER = 0.4, 1.0, 2.0


def watch(run: runs.Run) -> None:
    """The run in view; looks again and again while it is at work, and once more when it ends."""
    pace = _pace(run.status())
    st.fragment(_view, run_every=pace)(run, pace)


def _pace(status: runs.Status) -> float | None:
    if status.state not in runs.ALIVE:
        return None
    if status.phase == "distill":
        return _DISTILLING if status.step else _FIRST
    return _FIRST if status.phase in ("", "prepare") else _AFTER


def _view(run: runs.Run, pace: float | None) -> None:
    status = run.status()
    with shown.head(run, status):
        _buttons(run, status)
    if status.error:
        st.error(status.error)
    _tracks(run, status)
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        _curve(run, status)
    with right:
        report = run.report()
        if report is not None:
            _accuracy(report)
    _details(run)
    # Only now: before the buttons it would swallow a click that came with this look.
    if pace is not None and _pace(status) != pace:
        st.rerun()


def _buttons(run: runs.Run, status: runs.Status) -> None:
    if status.state in runs.ALIVE:
        shown.stop_button(run, runs.stop)
    elif status.state in ("stopped", "failed", "stale"):
        shown.resume_button(run, runs.launch)
    elif status.state == "done":
        with st.container(horizontal=True, horizontal_alignment="right"):
            here = {"run": run.id}
            st.page_link("pages/listen.py", label="Listen", icon=":material/graphic_eq:", query_params=here)
            st.page_link("pages/evaluate.py", label="Evaluate", icon=":material/bar_chart:", query_params=here)


def _accuracy(report: Report) -> None:
    wanted = [("synthetic", "Synthetic tracks"), ("random-selection", "As many random clips"), ("full", "All clips")]
    found = [
        (label, evaluation.accuracy)
        for name, label in wanted
        for evaluation in report.evaluations
        if (evaluation.evaluator, evaluation.trained_on) == ("random-cnn", name)
    ]
    if found:
        st.subheader("Accuracy")
        st.caption("of a CNN that learnt from them, on real test clips")
        for label, accuracy in found:
            spread = f"± {accuracy.std:.1%} over {len(accuracy.runs)} seeds"
            st.metric(label, f"{accuracy.mean:.1%}", spread, "off", delta_arrow="off")


def _curve(run: runs.Run, status: runs.Status) -> None:
    metrics = run.metrics()
    st.subheader("Loss")
    if any("loss" in record for record in metrics):
        caption = "Distance between real and synthetic class means, in units of the spread of the classes."
    elif status.state in runs.ALIVE:
        caption = "The first point comes with the first step."
    else:
        return
    # An empty frame at first: the browser loads what draws it while the process of the run starts.
    st.altair_chart(loss_curve(metrics, _steps(run)), key=f"loss-{run.id}")
    st.caption(caption)


def _tracks(run: runs.Run, status: runs.Status) -> None:
    snapshots = run.snapshots()
    if not snapshots:
        return
    steps = list(snapshots)
    step = steps[-1]
    if status.state not in runs.ALIVE and len(steps) > 1:
        step = st.select_slider("Tracks after step", steps, value=step, key=f"step-{run.id}")
    else:
        st.caption(f"Tracks after step {step}")
    try:
        tracks.grid(snapshots[step])
    except RunError as error:
        st.warning(str(error))


def _steps(run: runs.Run) -> int:
    try:
        return run.job().steps
    except RunError:
        return 0


def _details(run: runs.Run) -> None:
    with st.expander("Command, config and log"):
        try:
            st.code(run.job().command(), language="shell", wrap_lines=True)
        except RunError as error:
            st.warning(str(error))
        log = runs.tail(run.path / "log.txt")
        if log:
            st.code(log, language=None, height=220)
