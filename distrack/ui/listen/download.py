"""The download of a track, of a class or of all tracks, as a zip with everything that is needed to use them."""

from pathlib import Path

import streamlit as st

from distrack import jobs, runs
from distrack.distill import SyntheticSet
from distrack.export import bundle
from distrack.export.bundle import ExportConfig
from distrack.files import size_text
from distrack.options import fewest, options_of
from distrack.settings import PROJECT
from distrack.ui.shared.page import download_button, errors_shown
from distrack.ui.shared.run_in_view import DEMO

_EVERYTHING = "Everything"


def show(run: runs.Run, synthetic: SyntheticSet) -> None:
    """The selection, the button that makes the zip, and the command that writes the same file."""
    st.markdown("Audio, spectrograms, arrays, config and licence, ready for Hugging Face `load_dataset`.")
    left, middle, right = st.columns(3)
    of_class = left.selectbox("Class", [_EVERYTHING, *synthetic.classes])
    count, names = synthetic.tracks_per_class, synthetic.track_names()
    label = None if of_class == _EVERYTHING else synthetic.classes.index(of_class)
    of_label = [] if label is None else names[label * count : (label + 1) * count]
    track = middle.selectbox("Track", [_EVERYTHING, *of_label], disabled=not of_label)
    audio = right.segmented_control("Audio format", ["flac", "wav"], default="flac", required=True, key="sounds-as")
    one_track = None if track == _EVERYTHING else track
    one_class = None if label is None or one_track is not None else of_class
    name = "-".join(filter(None, (run.id, one_class, one_track))) + ".zip"
    config = ExportConfig(to=Path(name), of_class=one_class, track=one_track, format=audio)
    if st.button("Create zip", icon=":material/folder_zip:", key="zip"):
        with errors_shown():
            content = bundle.zipped(run, config)
            text = f"Download ({size_text(len(content))})"
            download_button(text, content, name, mime="application/zip", type="primary")
    st.code(_command(run, config), language="shell")


def _command(run: runs.Run, config: ExportConfig) -> str:
    """The command that writes the same file."""
    always: dict[tuple[str, ...], Path] = {("to",): config.to}
    given = fewest(options_of(ExportConfig), [config], lambda values: [ExportConfig.validated(values)], always)
    words = ["export", run.id, *(word for option, value in given for word in option.words(value))]
    # The included run is not in the folder of the runs.
    return jobs.shell_text(words + (["--runs-path", str(DEMO.parent.relative_to(PROJECT))] if run.path == DEMO else []))
