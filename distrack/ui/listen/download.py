"""Take along: a track, a class or all of a run as a zip that serves alone."""

import shlex
from pathlib import Path

import streamlit as st

from distrack import runs
from distrack.distill import SyntheticSet
from distrack.errors import DistrackError
from distrack.export import bundle
from distrack.export.config import ExportConfig
from distrack.files import size_text
from distrack.settings import PROJECT
from distrack.ui.shared.download import download_button
from distrack.ui.shared.run_in_view import DEMO

_EVERYTHING = "All of it"


def show(run: runs.Run, synthetic: SyntheticSet) -> None:
    """What, and as which files; the button that makes and hands them over."""
    st.markdown(
        "Sounds, images and numbers with configuration, report, licence and citation: a folder that "
        "`datasets.load_dataset` opens."
    )
    left, middle, right = st.columns(3)
    of_class = left.selectbox("Class", [_EVERYTHING, *synthetic.classes])
    count, names = synthetic.tracks_per_class, synthetic.track_names()
    label = None if of_class == _EVERYTHING else synthetic.classes.index(of_class)
    mine = [] if label is None else names[label * count : (label + 1) * count]
    track = middle.selectbox("Track", [_EVERYTHING, *mine], disabled=not mine)
    audio = right.segmented_control("Sounds as", ["flac", "wav"], default="flac", required=True, key="sounds-as")
    one_track = None if track == _EVERYTHING else track
    one_class = None if label is None or one_track is not None else of_class
    name = "-".join(filter(None, (run.id, one_class, one_track))) + ".zip"
    config = ExportConfig(to=Path(name), of_class=one_class, track=one_track, format=audio)
    if st.button("Make the zip", icon=":material/folder_zip:", key="zip"):
        try:
            content = bundle.zipped(run, config)
        except DistrackError as error:
            st.error(str(error))
            return
        size = size_text(len(content))
        download_button(f"Download, {size}", content, name, mime="application/zip", primary=True)
    words = ["python", "-m", "distrack", "export", run.id]
    words += [word for option in ("of_class", "track") for word in _option(option, getattr(config, option))]
    words += [] if audio == "flac" else ["--format", audio]
    # What comes with the project does not lie among the runs.
    words += ["--runs-path", str(DEMO.parent.relative_to(PROJECT))] if run.path == DEMO else []
    st.code(shlex.join([*words, "--to", name]), language="shell")


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [f"--{name.removeprefix('of_')}", value]
