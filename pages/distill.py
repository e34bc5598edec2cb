"""Distill: launch a run and watch it."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import streamlit as st

from distrack.jobs.distillation import DistillJob
from distrack.jobs.series import SweepJob
from distrack.ui.distill import clips, estimate, form, saved
from distrack.ui.shared import job_panel, stage
from distrack.ui.shared.glossary import GLOSSARY
from distrack.ui.shared.page import begin, say
from distrack.ui.shared.run_in_view import PANELS, earlier, job_of, named


def ask(before: DistillJob | None, label: str, key: str, *, again: bool = False) -> None:
    """The choices, their storage and time, and the button; below it real clips, unless a run is in view."""
    job = form.ask(before)
    if job is None:
        return
    wanted = form.several(job)
    if wanted is None:
        return
    over, times = [job], 1
    if isinstance(wanted, SweepJob):
        over, times = list(wanted.distillations), wanted.seeds * max(1, len(wanted.folds))
    about = f"{GLOSSARY['IPC']} {GLOSSARY['DCT']}"
    st.caption(f"{estimate.storage_text(job)} {estimate.time_text(over, times=times)}", help=about)
    with st.container(horizontal=True):
        pressed = st.button(label, type="secondary" if again else "primary", icon=":material/science:", key=key)
        with stage.aside(f"settings-{key}"):
            saved.menu(job)
    if pressed:
        job_panel.launch(wanted)
    if not again:
        clips.wall(job)


begin("Distill")
SERIES = [kind for kind in PANELS if PANELS[kind].page == "pages/distill.py" and kind != DistillJob.kind]
if not any(PANELS[kind].parameter in st.query_params for kind in (DistillJob.kind, *SERIES)):
    say("Distill a dataset into a few synthetic tracks per class.")
run, series = named("distillation"), {kind: of_kind for kind in SERIES if (of_kind := named(kind)) is not None}
if run is not None:
    job_panel.watch(run, "distillation")
    with stage.aside("duplicate"):
        form_again = st.expander("Duplicate and edit", key="duplicate", on_change="rerun")
        # Drawn once it is wanted: a form takes as long as the first steps of the run.
        if form_again.open:
            with form_again:
                ask(job_of(run, DistillJob), "Start", "distill-again", again=True)
elif series:
    st.page_link("pages/distill.py", label="New run", icon=":material/arrow_back:")
    for kind, shown in series.items():
        job_panel.watch(shown, kind)
else:
    ask(saved.in_url(), "Distill", "distill")
    heading = st.empty()
    if sum(map(earlier, SERIES)):
        heading.subheader("Previous sweeps and tables")
