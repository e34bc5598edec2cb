"""Finished decompositions that come with the project, each one press away."""

import shutil

import streamlit as st

from distrack import runs
from distrack.decompose import DECOMPOSERS
from distrack.decompose.plane import plane
from distrack.errors import RunError
from distrack.figures.images import data_uri, image_png
from distrack.jobs.decomposition import decomposition_report, original
from distrack.settings import PROJECT
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import errors_shown
from distrack.ui.shared.run_in_view import runs_path

_PLACE = PROJECT / "assets" / "examples"
_TITLES = {"melody": "A melody", "speech": "Spoken digits", "drums": "A drum loop", "notes": "A melody, as notes"}


def draw() -> None:
    """Draws a picture and a button for each example. The button opens a copy, whose edits stay with the user's runs."""
    st.subheader("Try an example")
    for column, (name, title) in zip(st.columns(len(_TITLES)), _TITLES.items(), strict=True):
        with column:
            st.image(_picture(name), width="stretch", alt=f"Spectrogram: {title}")
            if st.button(title, icon=":material/play_arrow:", key=f"example-{name}", width="stretch"):
                with errors_shown():
                    job_panel.put_in_view(_copied(name), "decomposition")
            report = decomposition_report(runs.Run(_PLACE / name))
            if report is not None:
                method = DECOMPOSERS.short_title(report.method)
                near = f"spectral convergence {report.spectral_convergence:.2f}"
                st.caption(f"{method}: {report.events} events, {report.floats:,} floats, {near}")


@st.cache_data(show_spinner=False)
def _picture(name: str) -> str:
    sound, rate = original(runs.Run(_PLACE / name))
    wave = sound[:, :]
    return data_uri(image_png(plane(wave, rate).image, low=-70, high=0, height=160, width=480))


def _copied(name: str) -> runs.Run:
    copy = runs_path() / f"example-{name}"
    if not copy.is_dir():
        try:
            shutil.copytree(_PLACE / name, copy)
        except OSError as error:
            raise RunError(f"{copy} cannot be written: {error}") from None
    return runs.Run(copy)
