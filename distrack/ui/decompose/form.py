"""The form of a decomposition: a recording, which part of it, a method and a number of events."""

from pathlib import Path
from typing import Any

import soundfile
import streamlit as st

from distrack import datasets
from distrack.datasets import DATASETS
from distrack.datasets.upload import store_recording
from distrack.decompose import DECOMPOSERS
from distrack.errors import DistrackError
from distrack.jobs.decomposition import DecomposeJob
from distrack.settings import settings, user_path
from distrack.validation import from_preset

_SOURCES = ("Upload", "Microphone", "Dataset", "File")
_SAID = {
    "matching-pursuit": "Matching pursuit: exact, in a second or two",
    "splat": "Splatting: bursts of noise through resonances, in a minute or more",
}
_NUMBERS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 204, 256, 384, 512, 1000, 2000)
# As much of a recording as is taken apart unless more is asked for.
_SECONDS = 3.0


def ask() -> DecomposeJob | None:
    """The job that the widgets describe; None as long as they describe none."""
    file = _recording()
    if file is None:
        return None
    length, rate = _known(file)
    if length:
        st.audio(str(file))
        st.caption(f"{file.name}: {length:.1f} s at {rate:,} Hz")
    first, second, third, fourth = st.columns([0.8, 0.8, 1.6, 1.6])
    asked: dict[str, Any] = {"file": file}
    asked["start"] = first.number_input("Start (s)", 0.0, max(length, 0.0), 0.0, 0.5, "%.2f", key=f"start-{file}")
    usual = min(_SECONDS, length) if length else _SECONDS
    asked["seconds"] = second.number_input("Seconds", 0.01, 600.0, max(usual, 0.01), 0.5, "%.2f", key=f"seconds-{file}")
    asked["method"] = third.selectbox("Method", sorted(DECOMPOSERS), format_func=lambda name: _SAID.get(name, name))
    asked["events"] = fourth.select_slider(
        "Events, at most", _NUMBERS, 64, help="The parts that it is taken apart into."
    )
    with st.expander("Advanced"):
        asked |= _advanced(asked["method"], rate)
    try:
        return from_preset(DecomposeJob, asked)
    except DistrackError as error:
        st.error(str(error))
        return None


def _advanced(method: str, rate: int) -> dict[str, Any]:
    left, middle, right = st.columns(3)
    rates = [None, *(each for each in (8_000, 11_025, 16_000, 22_050, 32_000, 44_100) if each < rate)]
    # A fit of many steps at full rate is one to wait for.
    usual = rates.index(22_050) if method == "splat" and 22_050 in rates else 0
    asked: dict[str, Any] = {
        "sample_rate": left.selectbox(
            "Sample rate",
            rates,
            index=usual,
            key=f"rate-{method}",
            format_func=lambda each: "the recording's own" if each is None else f"{each:,} Hz",
            help="A lower one is quicker, and loses what lies above half of it.",
        ),
        "mono": middle.toggle("Mono", help="The mean of both channels; otherwise events have a place between them."),
        "seed": right.number_input("Seed", 0, 2**32 - 1, 0, help="Of all that is random."),
    }
    if method == "splat":
        asked["method"] = {
            "name": method,
            "iterations": left.number_input(
                "Iterations",
                0,
                20_000,
                None,
                help="Steps of the fit: 400 unless given; 3,000 is the published setting.",
            ),
            "envelope": middle.selectbox("Envelope", ("gamma", "gaussian"), help="Of the burst of noise, in time."),
            "sparsity": right.number_input(
                "Sparsity", 0.0, 10.0, None, help="Weight of the amplitudes in the loss: higher leaves fewer events."
            ),
        }
        return asked
    asked["method"] = {
        "name": method,
        "atoms": left.selectbox("Atoms", ("gabor", "damped", "both", "learned"), help="The shapes to choose from."),
        "orthogonal": middle.toggle(
            "Orthogonal", help="After each atom, those that overlap it are fitted anew together: better, and slower."
        ),
        "snr_db": right.number_input(
            "Enough at (dB)", 0.1, 120.0, None, help="Ends sooner, at this signal-to-noise ratio."
        ),
    }
    return asked


def _recording() -> Path | None:
    source = st.segmented_control("Recording", _SOURCES, default="Upload", required=True, key="source")
    if source == "Dataset":
        return _of_a_dataset()
    if source == "File":
        typed = st.text_input("Path of a recording on this machine", placeholder="wav, flac, ogg or mp3")
        try:
            return user_path(Path(typed)) if typed else None
        except DistrackError as error:
            st.error(str(error))
            return None
    if source == "Upload":
        given = st.file_uploader("A recording", ["wav", "flac", "ogg", "mp3"], key="upload")
        name = "" if given is None else given.name
    else:
        given = st.audio_input("Record something", key="microphone")
        name = "recording.wav"
    if given is None:
        return None
    try:
        return store_recording(name, given.getvalue(), data_path=settings().data_path)
    except DistrackError as error:
        st.error(str(error))
        return None


def _of_a_dataset() -> Path | None:
    here = [name for name in DATASETS if name != "FOLDER" and datasets.home(DATASETS[name], None).is_dir()]
    if not here:
        st.info("No dataset is on this machine yet: the page Datasets prepares one.")
        return None
    left, middle, right = st.columns(3)
    name = left.selectbox("Dataset", here, format_func=lambda name: DATASETS[name].title, key="clip-dataset")
    index = _index(name, datasets.home(DATASETS[name], None).stat().st_mtime)
    if isinstance(index, str):
        st.error(index)
        return None
    label = middle.selectbox(
        "Class", range(len(index.classes)), format_func=index.classes.__getitem__, key="clip-class"
    )
    clips = [clip.path for clip in index.clips if clip.label == label]
    clip: Path | None = right.selectbox("Clip", clips, format_func=lambda path: path.name, key=f"clip-{name}-{label}")
    return clip


@st.cache_resource(max_entries=4, ttl=60, show_spinner="Reading the index")
def _index(name: str, changed: float) -> datasets.Index | str:  # noqa: ARG001
    try:
        return datasets.look(name)
    except DistrackError as error:
        return str(error)


def _known(file: Path) -> tuple[float, int]:
    """Seconds and sample rate of a recording; zeros where it cannot be read, which is said."""
    try:
        info = soundfile.info(file)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        st.error(f"{file} cannot be read as audio: {error}")
        return 0.0, 0
    return info.frames / max(info.samplerate, 1), int(info.samplerate)
