"""The form of a decomposition: a recording, a part of it, a method and its settings."""

from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from distrack import datasets
from distrack.datasets import DATASETS
from distrack.datasets.upload import length_and_rate, store_recording
from distrack.decompose import DECOMPOSERS
from distrack.decompose.events import LONGEST
from distrack.jobs.decomposition import DecomposeJob
from distrack.settings import settings, user_path
from distrack.sound_file import EXTENSIONS
from distrack.ui.shared.fields import field_input
from distrack.ui.shared.page import errors_shown
from distrack.ui.shared.run_in_view import runs_path
from distrack.ui.sound import recording
from distrack.validation import from_preset

_SOURCES = ("Upload", "Record", "From dataset", "File path")
_COUNTS = (
    *(1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 204, 256, 384, 512, 1_000, 2_000),
    *(5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000),
)
_RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100)
# Length of the part that is selected at first, in seconds.
_PART = 3.0


def ask() -> DecomposeJob | None:
    """The job that the widgets describe; None while no recording is selected, or after an error on the page."""
    with errors_shown():
        file = _recording()
        return None if file is None else _job(file)
    return None


def _job(file: Path) -> DecomposeJob:
    length, rate = length_and_rate(file.name, file)
    player = st.container()
    st.caption(f"{file.name}: {length:.1f} s at {rate:,} Hz")
    first, second, third, fourth = st.columns([1.0, 1.0, 1.8, 1.2])
    values: dict[str, Any] = {"file": file}
    values["start"] = first.number_input("Start (s)", 0.0, length, 0.0, 0.5, "%.2f", key=f"start-{file}")
    # Two silent minutes of a long recording do not say that its other parts cannot be decomposed.
    with player, errors_shown(st.warning):
        recording(file, start=values["start"])
    part = max(min(_PART, length), 0.01)
    values["seconds"] = second.number_input("Seconds", 0.01, LONGEST, part, 0.5, "%.2f", key=f"seconds-{file}")
    method = third.selectbox("Method", sorted(DECOMPOSERS), format_func=DECOMPOSERS.title, key="method")
    events = DecomposeJob.model_fields["events"]
    values["events"] = fourth.select_slider(
        str(events.title), _COUNTS, events.default, "{:,}".format, help=events.description
    )
    with st.expander("Advanced"):
        values |= _advanced(method, rate)
    return from_preset(DecomposeJob, values)


def _advanced(method: str, rate: int) -> dict[str, Any]:
    """Sample rate, channels and seed, and the settings of the method, which its config describes."""
    config: Any = DECOMPOSERS.config(method)
    columns, own = st.columns(3), DecomposeJob.model_fields
    values: dict[str, Any] = {
        "sample_rate": field_input(
            own["sample_rate"],
            key=f"rate-{method}",
            place=columns[0],
            value=config.suggested_rate,
            choices=[None, *(each for each in _RATES if each < rate)],
            text=lambda each: "Original" if each is None else f"{each:,} Hz",
        ),
        "mono": field_input(own["mono"], key="mono", place=columns[1]),
        "seed": field_input(own["seed"], key="seed", place=columns[2]),
    }
    columns = st.columns(3)
    fields = [(name, field) for name, field in config.model_fields.items() if name != "name"]
    settings_of_method = {}
    for number, (name, field) in enumerate(fields):
        offered = config.offered(name, runs_path())
        changes: Any = {"choices": offered} if offered else {}
        place = columns[number % 3]
        settings_of_method[name] = field_input(field, key=f"{method}-{name}", place=place, **changes)
    return values | {"method": {"name": method, **settings_of_method}}


def _recording() -> Path | None:
    """The recording that is uploaded, recorded or named; None while there is none."""
    source = st.segmented_control("Recording", _SOURCES, default=_SOURCES[0], required=True, key="source")
    if source == "From dataset":
        return _clip_of_dataset()
    if source == "File path":
        text = st.text_input("Path of a recording on this computer", placeholder="wav, flac, ogg, mp3, aiff ...")
        return user_path(text) if text else None
    if source == "Upload":
        upload = st.file_uploader("Audio file", sorted(EXTENSIONS), key="upload")
        name = "" if upload is None else upload.name
    else:
        upload = st.audio_input("Record", sample_rate=48_000, key="microphone")
        name = "recording.wav"
    return None if upload is None else _stored(name, upload, settings().data_path)


# Without the cache, each look at the page would write the recording again.
@st.cache_data(max_entries=16, show_spinner="Storing the recording", hash_funcs={UploadedFile: lambda one: one.file_id})
def _stored(name: str, upload: UploadedFile, data_path: Path) -> Path:
    return store_recording(name, upload.getvalue(), data_path=data_path)


def _clip_of_dataset() -> Path | None:
    available = [name for name in DATASETS if name != "FOLDER" and datasets.home(DATASETS[name], None).is_dir()]
    if not available:
        st.info("No dataset on this computer yet: the page Datasets downloads one.")
        return None
    left, middle, right = st.columns(3)
    name = left.selectbox("Dataset", available, format_func=lambda name: DATASETS[name].title, key="clip-dataset")
    index = _index(name, datasets.home(DATASETS[name], None).stat().st_mtime)
    if index.packed:
        st.info("Only decoded clips of this dataset are on this computer. A recording is needed.")
        return None
    classes = index.classes
    label = middle.selectbox("Class", range(len(classes)), format_func=classes.__getitem__, key="clip-class")
    clips = [clip.path for clip in index.clips if clip.label == label]
    return right.selectbox("Clip", clips, format_func=lambda path: path.name, key=f"clip-{name}-{label}")


@st.cache_resource(max_entries=4, ttl=60, show_spinner="Loading")
def _index(name: str, changed: float) -> datasets.Index:  # noqa: ARG001
    return datasets.look(name)
