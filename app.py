"""DisTrack's app: the navigation, the side bar, and the home page."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import gc
from itertools import islice

import streamlit as st
from streamlit import runtime

from distrack import runs
from distrack.device import choose_device
from distrack.distill import SyntheticSet
from distrack.engines import local
from distrack.jobs.contract import key_figures, titles_of
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.settings import PROJECT, settings
from distrack.ui import panels  # noqa: F401
from distrack.ui.shared import job_panel, stage
from distrack.ui.shared.page import IN_APP, errors_shown
from distrack.ui.shared.progress import phase_text
from distrack.ui.shared.run_in_view import DEMO, demo, link, list_runs, runs_path
from distrack.ui.sound import KEYS, sheets, soundboard

st.set_page_config(page_title="DisTrack", page_icon=str(PROJECT / "assets" / "logo.svg"), layout="wide")
st.html(PROJECT / "assets" / "style.css")
st.session_state[IN_APP] = True


@st.cache_resource
def leave_imports_alone() -> None:
    """Excludes imported modules from garbage collection, which Streamlit starts after every rerun.

    Walking through all of torch took most of the server's time.
    """
    gc.collect()
    gc.freeze()


@st.fragment(run_every=3.0)
def side_bar(device: str) -> None:
    """The device and the runs that are running, again every few seconds."""
    st.caption(f"Device: **{device}**")
    busy = [(run, status) for run in runs.all_runs(runs_path()) if (status := run.status()).state in runs.ALIVE]
    if not busy:
        st.caption("Nothing is running.")
        if runtime.exists():  # not beside a run, which needs the processor
            local.keep_ready()
    text = titles_of(run for run, _ in busy)
    # The run at work first, then the queue in its order.
    for run, status in sorted(busy, key=lambda each: (each[1].state == "queued", each[1].phase_started)):
        st.markdown(f":blue-badge[{phase_text(run, status)}]")
        link(run, text[run.id])
        if status.state == "queued":
            job_panel.stop_button(run, "Leave the queue")


def home() -> None:
    """What DisTrack is, in one screen; on stage, the numbers and the tracks alone."""
    shipped = demo()
    if stage.active() and shipped is not None:
        _play(shipped)
        return
    st.title("DisTrack")
    st.markdown(
        "Thousands of recordings, distilled to a handful of tracks. Hear them, and see how well a network learns."
    )
    blind = {"run": DEMO.name, "view": "Blind test"}
    with st.container(horizontal=True):
        st.page_link("pages/distill.py", label="**Distill live**", icon=":material/science:")
        st.page_link(
            "pages/listen.py", label="**Can you tell them apart?**", icon=":material/hearing:", query_params=blind
        )
        st.page_link("pages/decompose.py", label="**Decompose a sound**", icon=":material/call_split:")
    if shipped is not None:
        _play(shipped)
    st.subheader("Recent runs")
    recent = list(islice(runs.all_runs(runs_path()), 5))
    list_runs(recent, _accuracy)
    if not recent:
        st.caption("No runs yet. Distill a dataset to start.")


def _play(run: runs.Run) -> None:
    report, synthetic = evaluation_report(run), SyntheticSet.load(synthetic_file(run))
    told = {
        "synthetic": "right on new speakers, by a CNN trained on these tracks alone",
        "same-storage": "trained on real recordings in the same storage, not distilled",
        "random-selection": "trained on one random recording per digit",
    }
    known = {name: report.accuracy("random-cnn", name) for name in told} if report else {}
    measured = {told[name]: accuracy for name, accuracy in known.items() if accuracy is not None}
    if report and measured:
        st.header(f"{report.split.train:,} recordings, distilled to {len(synthetic.labels)} tracks")
        for column, (text, accuracy) in zip(st.columns(len(measured)), measured.items(), strict=True):
            column.html(f'<div style="font-size:4rem;font-weight:700;line-height:1">{accuracy:.0%}</div>{text}')
    soundboard(sheets(run), seconds=synthetic.config.seconds, key="board-demo", rows=2)
    with stage.aside("keys"):
        st.caption(f"Click a tile to play it. {KEYS}")


def _accuracy(run: runs.Run) -> str:
    accuracy = key_figures(run).get("accuracy")
    return "" if accuracy is None else f"accuracy {accuracy:.0%}"


pages = [
    st.Page(home, title="Home", icon=":material/home:", default=True),
    st.Page("pages/datasets.py", title="Datasets", icon=":material/library_music:"),
    st.Page("pages/distill.py", title="Distill", icon=":material/science:"),
    st.Page("pages/listen.py", title="Listen", icon=":material/graphic_eq:"),
    st.Page("pages/evaluate.py", title="Evaluate", icon=":material/bar_chart:"),
    st.Page("pages/runs.py", title="Runs", icon=":material/list:"),
    st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:"),
    st.Page("pages/condense.py", title="Track length", icon=":material/compress:"),
    st.Page("pages/decompose.py", title="Decompose", icon=":material/call_split:"),
    st.Page("pages/train_events.py", title="Train events", icon=":material/school:"),
    st.Page("pages/glossary.py", title="Glossary", icon=":material/menu_book:"),
]
page = st.navigation(pages)
st.logo(str(PROJECT / "assets" / "logo.svg"), size="large")
leave_imports_alone()
with errors_shown():
    with st.sidebar:
        side_bar(str(choose_device(settings().device)))
        stage.enter()
    stage.show(page.url_path, {each.url_path: each for each in pages})
    page.run()
