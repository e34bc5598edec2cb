"""A distillation while it is running: its tracks, its loss, and its accuracy so far; the same once it is done."""

import time

import streamlit as st

from distrack import runs
from distrack.distill import SyntheticSet
from distrack.distill.objectives import OBJECTIVES
from distrack.evaluate import comparisons
from distrack.figures.loss import loss_curve
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import SCORES, report_so_far, synthetic_file
from distrack.ui.shared import pictures, stage
from distrack.ui.shared.glossary import GLOSSARY
from distrack.ui.shared.page import chart, errors_shown
from distrack.ui.shared.run_in_view import PANELS, Panel, job_of, link_to_results
from distrack.ui.shared.scores import accuracy_bars, added_text
from distrack.ui.sound import sheets, soundboard

# Training sets whose accuracy is shown; the other pages show the rest.
_COMPARED = ("random-selection", "same-storage", "synthetic", "synthetic (sound)", "full")
# Seconds in which all snapshots are played.
_PLAYED = 4.0


def _show(run: runs.Run, status: runs.Status) -> None:
    """Tracks, loss and accuracy in one frame."""
    left, right = st.columns([1.3, 1], gap="medium")
    with right:
        _loss(run, status, alone=not _accuracy(run))
    # Last: what follows would look stale while the forming of the tracks is played.
    with left:
        _tracks(run, status)


def _links(run: runs.Run) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        link_to_results(run)


PANELS.add("distillation", Panel("pages/distill.py", "run", _show, links=_links))


def _accuracy(run: runs.Run) -> bool:
    """The accuracy of the tracks beside what they are compared with; before any network, the last snapshot's score.

    Returns:
        whether there are bars.
    """
    report, scores = report_so_far(run), run.metrics(SCORES)
    if report is None and scores:
        about = "Share of test clips whose nearest track, in the latent space of one random CNN, has their class."
        st.metric("Accuracy by the nearest track", f"{scores[-1]['prototype']:.0%}", help=about)
    measured = report.evaluations if report else ()
    lines = {each.training_set: each for each in measured if each.evaluator == "random-cnn"}
    if not lines:
        return False
    added = "".join(map(added_text, comparisons(line for line in lines.values() if line.finished)))
    # One line, so that all bars and the loss are in a frame of a talk.
    st.markdown(f"**CNN accuracy.** {added}", help=GLOSSARY["Same-storage control"] if added else None)
    accuracy_bars([lines[name] for name in _COMPARED if name in lines])
    return True


def _loss(run: runs.Run, status: runs.Status, *, alone: bool) -> None:
    metrics, job = run.metrics(), job_of(run, DistillJob)
    if any("loss" in record for record in metrics):
        objective = "" if job is None else f": {OBJECTIVES.title(job.objective.name)}"
        caption = f"Matching loss{objective}. Lower is better."
    elif status.state in runs.ALIVE:
        caption = "Waiting for the first step."
    else:
        return
    # An empty frame at first: the browser loads what draws it while the process of the run starts.
    chart(loss_curve(metrics, 0 if job is None else job.steps), key=f"loss-{run.id}", height=200)
    # Bars above it leave no room for a caption in the frame of a talk.
    with st.container() if alone else stage.aside("loss"):
        st.caption(caption, help=f"{GLOSSARY['Matching loss']} {GLOSSARY['MMD']}")


def _tracks(run: runs.Run, status: runs.Status) -> None:
    snapshots = run.snapshots()
    if not snapshots:
        return
    steps = list(snapshots)
    step, played = steps[-1], False
    if status.state not in runs.ALIVE and len(steps) > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            tooltip = "Play how the tracks formed."
            played = st.button("Play", icon=":material/play_arrow:", help=tooltip, key=f"play-{run.id}")
            step = st.select_slider("Step", steps, value=step, label_visibility="collapsed", key=f"step-{run.id}")
    with errors_shown(st.warning):
        if played:
            place = st.empty()
            for each, path in snapshots.items():
                with place.container():
                    pictures.grid(path, f"Step {each}")
                time.sleep(_PLAYED / len(snapshots))
            place.empty()
        if step == steps[-1] and (run.path / "audio").is_dir() and synthetic_file(run).is_file():
            synthetic = SyntheticSet.load(synthetic_file(run))
            soundboard(sheets(run), seconds=synthetic.config.seconds, key=f"tiles-{run.id}", rows=3)
        else:
            pictures.grid(snapshots[step], f"Step {step}")
