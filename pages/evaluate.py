"""Evaluate: what is learnt from a run's tracks, beside baselines."""

import streamlit as st

from distrack import runs
from distrack.distill import SyntheticSet
from distrack.figures import accuracy_bars, confusion_matrix
from distrack.ui import status as shown
from distrack.ui.current import DEMO, choose
from distrack.ui.page import begin, ink

begin("Evaluate", "A training set is worth what is learnt from it: networks learn from the tracks and meet real clips.")

run = choose("Run", lambda run: run.report() is not None)
report = run.report() if run is not None else None
if run is None or report is None:
    st.info("Nothing was measured yet. Go to **Distill** and press the button.")
    st.page_link("pages/distill.py", label="Distill", icon=":material/science:")
    st.stop()

more = report.rendered_per_class > report.tracks_per_class
held = f", which hold {report.rendered_per_class} tracks" if more else ""
st.markdown(
    f"**{report.dataset}**, {report.feature}, {report.tracks_per_class} per class "
    f"({report.floats_per_class:,} floats a class{held}), distilled from {report.split.train:,} training clips; "
    f"tested on **{report.split.test:,} test clips** that neither distillation nor training saw. "
    f"The two sides are disjoint by {report.split.disjoint_by}. " + " · ".join(report.split.notes)
)
classes = SyntheticSet.load(run.synthetic).classes


@st.fragment(run_every=1.0 if run.status().state in runs.ALIVE else None)
def progress(run: runs.Run, was_alive: bool) -> None:
    """The evaluation at work, or the button that starts one."""
    status = run.status()
    if was_alive and status.state not in runs.ALIVE:
        st.rerun()
    if status.state in runs.ALIVE:
        shown.bar(status)


progress(run, run.status().state in runs.ALIVE)

st.plotly_chart(accuracy_bars(report.evaluations, chance=1 / len(classes), ink=ink()), key=f"bars-{run.id}")
st.dataframe(
    [
        {
            "evaluator": e.evaluator,
            "trained on": e.trained_on,
            "accuracy": f"{e.accuracy.mean:.3f} ± {e.accuracy.std:.3f}",
            "seeds": len(e.accuracy.runs),
            "macro F1": f"{e.macro_f1:.3f}",
            "network": e.network,
        }
        for e in report.evaluations
    ],
    hide_index=True,
)
lacking = not any(e.trained_on == "full" for e in report.evaluations)
if lacking and run.path != DEMO and run.status().state not in runs.ALIVE:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Train on all clips too", icon=":material/dataset:", key="full"):
            runs.launch(run, "evaluate", "--evaluators", "random-cnn,recognition", "--baselines", "full")
            st.rerun()
        st.caption(
            "How much is lost against all clips, and does who learnt from them recognise the tracks? The longest."
        )

trained = [e for e in report.evaluations if e.evaluator == "random-cnn"]
if trained:
    st.subheader("What is taken for what")
    picked = st.selectbox("Trained on", [e.trained_on for e in trained], key=f"confusion-{run.id}")
    st.plotly_chart(
        confusion_matrix(next(e for e in trained if e.trained_on == picked), classes, ink=ink()),
        key=f"matrix-{run.id}-{picked}",
    )
