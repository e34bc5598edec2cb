"""DisTrack's app: the navigation, the side bar, and the home page."""

import gc

import streamlit as st

from distrack import jobs, runs
from distrack.device import choose_device
from distrack.distill import SyntheticSet
from distrack.errors import DistrackError
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.settings import PROJECT, settings
from distrack.ui import panels  # noqa: F401
from distrack.ui.shared import sidebar, stage
from distrack.ui.shared.job_panel import link
from distrack.ui.shared.progress import badge
from distrack.ui.shared.run_in_view import demo, runs_path
from distrack.ui.sound import sheets, soundboard

st.set_page_config(page_title="DisTrack", page_icon=str(PROJECT / "assets" / "logo.svg"), layout="wide")


@st.cache_resource
def leave_imports_alone() -> None:
    """Excludes imported modules from garbage collection, which Streamlit starts after every rerun.

    Walking through all of torch took most of the server's time.
    """
    gc.collect()
    gc.freeze()


def home() -> None:
    """What DisTrack is, in one screen."""
    st.title("DisTrack")
    st.markdown(
        "### Thousands of recordings, distilled to a handful of tracks.\n"
        "Listen to the result, and see how well a network trained on it does."
    )
    listen, distill, evaluate = st.columns(3)
    with listen.container(border=True, height="stretch"):
        st.page_link("pages/listen.py", label="**Listen**", icon=":material/graphic_eq:")
        st.caption("Synthetic tracks for every class, to see and hear.")
    with distill.container(border=True, height="stretch"):
        st.page_link("pages/distill.py", label="**Distill a dataset**", icon=":material/science:")
        st.caption("Spoken digits are included. About 2 minutes on a laptop.")
    with evaluate.container(border=True, height="stretch"):
        st.page_link("pages/evaluate.py", label="**Evaluate**", icon=":material/bar_chart:")
        st.caption("Accuracy on real test clips, compared with random clips of the same size.")
    shipped = demo()
    if shipped is not None:
        _play(shipped)
    _recent()


def _play(run: runs.Run) -> None:
    report = evaluation_report(run)
    synthetic = SyntheticSet.load(synthetic_file(run))
    tracks = report.accuracy("random-cnn", "synthetic") if report else None
    random = report.accuracy("random-cnn", "random-selection") if report else None
    st.subheader("Ten spoken digits, each stored in the space of one track")
    if report and tracks is not None and random is not None:
        st.markdown(
            f"{report.split.train:,} recordings became {len(synthetic.labels)} short tracks. Click one, or press 0-9. "
            f"A CNN trained only on these tracks gets **{tracks:.0%}** right on new speakers. Trained on one random "
            f"recording per digit: **{random:.0%}**."
        )
    soundboard(sheets(run), seconds=synthetic.config.seconds, key="board-demo")


def _recent() -> None:
    recent = [run for run, _ in zip(runs.all_runs(runs_path()), range(5), strict=False)]
    st.subheader("Recent runs")
    if not recent:
        st.caption("No runs yet. Distill a dataset to start.")
        return
    for run in recent:
        report, status = None if jobs.kind_of(run) == "decomposition" else evaluation_report(run), run.status()
        accuracy = report.accuracy("random-cnn", "synthetic") if report else None
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(status)
            link(run)
            if accuracy is not None:
                st.caption(f"accuracy {accuracy:.0%}")


page = st.navigation(
    [
        st.Page(home, title="Home", icon=":material/home:", default=True),
        st.Page("pages/datasets.py", title="Datasets", icon=":material/library_music:"),
        st.Page("pages/distill.py", title="Distill", icon=":material/science:"),
        st.Page("pages/listen.py", title="Listen", icon=":material/graphic_eq:"),
        st.Page("pages/evaluate.py", title="Evaluate", icon=":material/bar_chart:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:"),
        st.Page("pages/condense.py", title="Track length", icon=":material/compress:"),
        st.Page("pages/decompose.py", title="Decompose", icon=":material/call_split:"),
    ]
)
st.logo(str(PROJECT / "assets" / "logo.svg"), size="large")
leave_imports_alone()
try:
    with st.sidebar:
        sidebar.show(str(choose_device(settings().device)))
        stage.enter()
    stage.show(page.url_path)
    page.run()
except DistrackError as error:
    st.error(str(error))
