"""DisTrack's app: navigation, what stands on every page, and the home page."""

import gc

import streamlit as st

from distrack import jobs, runs
from distrack.device import choose_device
from distrack.distill import SyntheticSet
from distrack.errors import DistrackError
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.settings import PROJECT, settings
from distrack.ui import panels  # noqa: F401
from distrack.ui.shared import stage
from distrack.ui.shared.job_panel import badge, page_of, sidebar
from distrack.ui.shared.run_in_view import demo, runs_path
from distrack.ui.sound import sheets, soundboard

st.set_page_config(page_title="DisTrack", page_icon=str(PROJECT / "assets" / "logo.svg"), layout="wide")


@st.cache_resource
def leave_imports_alone() -> None:
    """Streamlit collects garbage after every rerun; walking through all of torch took most of the server's time."""
    gc.collect()
    gc.freeze()


def home() -> None:
    """What this is, in one screen."""
    st.title("DisTrack")
    st.markdown(
        "### Thousands of recordings, distilled to a handful of tracks.\n"
        "Hear what was kept, and see what a network still learns from it."
    )
    hear, distil, measure = st.columns(3)
    with hear.container(border=True, height="stretch"):
        st.page_link("pages/listen.py", label="**Hear** the tracks", icon=":material/graphic_eq:")
        st.caption("One synthetic track for each class, as a picture and as sound.")
    with distil.container(border=True, height="stretch"):
        st.page_link("pages/distill.py", label="**Distil** a dataset", icon=":material/science:")
        st.caption("Spoken digits are built in; a run takes a minute or two on a laptop.")
    with measure.container(border=True, height="stretch"):
        st.page_link("pages/evaluate.py", label="**Measure** what was learnt", icon=":material/bar_chart:")
        st.caption("Real test clips, several seeds, random clips of the same storage beside them.")
    shipped = demo()
    if shipped is not None:
        _play(shipped)
    _recent()


def _play(run: runs.Run) -> None:
    report = evaluation_report(run)
    synthetic = SyntheticSet.load(synthetic_file(run))
    learnt = report.accuracy("random-cnn", "synthetic") if report else None
    chosen = report.accuracy("random-cnn", "random-selection") if report else None
    st.subheader("Ten spoken digits, in the storage of one track each")
    if report and learnt is not None and chosen is not None:
        st.markdown(
            f"Distilled from {report.split.train:,} clips to {report.floats_per_class:,} numbers a digit, which hold "
            f"{report.rendered_per_class} tracks each: press one, or type its digit. A CNN that learnt from these "
            f"alone recognises **{learnt:.0%}** of digits by speakers it never heard; from one random recording a "
            f"digit, **{chosen:.0%}**."
        )
    soundboard(sheets(run), seconds=synthetic.config.seconds, key="board-demo")


def _recent() -> None:
    recent = [run for run, _ in zip(runs.all_runs(runs_path()), range(5), strict=False)]
    st.subheader("Recent runs")
    if not recent:
        st.caption("None yet. Press **Distil** above: the first one takes a minute or two.")
        return
    for run in recent:
        report, status = None if jobs.kind_of(run) == "decomposition" else evaluation_report(run), run.status()
        accuracy = report.accuracy("random-cnn", "synthetic") if report else None
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(status)
            st.page_link(page_of(run), label=run.id, query_params={"run": run.id})
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
        sidebar(str(choose_device(settings().device)))
        stage.enter()
    stage.show(page.url_path)
    page.run()
except DistrackError as error:
    st.error(str(error))
