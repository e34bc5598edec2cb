"""What a run's track is heard beside: the player, its evolution as a strip, and the buttons that make these sounds."""

from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile
import streamlit as st
import torch

from distrack import runs
from distrack.audio import SAMPLE_RATE, flac_bytes
from distrack.distill import SyntheticSet
from distrack.features import FeatureConfig, build_feature
from distrack.figures.images import colour_range, data_uri, image_png
from distrack.jobs.listening import Listening, ListeningJob, Source, listening_of
from distrack.jobs.listening.sounds import Kind
from distrack.jobs.results import track_file
from distrack.ui.shared import job_panel
from distrack.ui.shared.download import download_button
from distrack.ui.shared.run_in_view import DEMO
from distrack.ui.sound import Heard, Sound, player

_TITLES: dict[Kind, str] = {
    "track": "Synthetic",
    "nearest": "Nearest real clip",
    "random": "Random real clip",
    "class-mean": "Class mean",
    "snapshot": "Evolution",
}
_HEIGHT = 160


def show(run: runs.Run, synthetic: SyntheticSet, track: str) -> None:
    """The player of a track, with all that was made to be heard beside it."""
    listening = listening_of(run)
    if listening is None:
        sources: tuple[Source, ...] = (_alone(run, synthetic, track),)
        _offer(
            run,
            "Hear it beside real clips",
            ListeningJob(run=run.id),
            "Also its class' mean, and how the first tracks came about.",
        )
    else:
        sources = listening.sources(track)
        if not listening.has_snapshots(track):
            _offer(
                run,
                "Hear how it came about",
                ListeningJob(run=run.id, tracks=(track,)),
                "Its snapshots from first to last.",
            )
    sources = tuple(source for source in sources if (run.path / source.file).is_file())
    if not sources:
        st.info("This track is not audible: its file is gone.")
        return
    config = synthetic.config
    heard = [
        Heard(
            _TITLES[kind], _note(kind, some, listening), tuple(_sound(run, source, config.feature) for source in some)
        )
        for kind, some in ((kind, list(group)) for kind, group in groupby(sources, lambda source: source.kind))
    ]
    title = f"Track {track} of class {synthetic.classes[sources[0].label]}"
    player(heard, title=title, seconds=config.seconds, key=f"player-{run.id}")
    steps = [source for source in sources if source.kind == "snapshot"]
    if len(steps) > 1:
        _evolution(run, track, steps, config.feature)


def _alone(run: runs.Run, synthetic: SyntheticSet, track: str) -> Source:
    label = int(synthetic.labels[synthetic.track_names().index(track)])
    file = track_file(run, track).relative_to(run.path).as_posix()
    return Source(kind="track", title=_TITLES["track"], file=file, label=label, track=track)


def _offer(run: runs.Run, label: str, job: ListeningJob, caption: str) -> None:
    """A button that makes sounds to compare with, or the progress of that."""
    if run.path == DEMO:
        return

    def button() -> None:
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(label, icon=":material/headphones:", key="listen"):
                job_panel.start(job)
            st.caption(caption)

    job_panel.follow(run, button)


def _note(kind: Kind, sources: list[Source], listening: Listening | None) -> str:
    first = sources[0]
    if kind == "nearest":
        return f"{first.clip}, at a distance of {first.distance or 0:.3f} as images"
    if kind == "random":
        return first.clip
    if kind == "snapshot":
        return "From the first step to the last."
    if first.error is None or listening is None:
        return ""
    return f"Made audible within {first.error:.2g} {listening.unit}".strip()


def _sound(run: runs.Run, source: Source, feature: FeatureConfig) -> Sound:
    path = run.path / source.file
    label = "" if source.step is None else f"step {source.step}"
    return Sound(path.read_bytes(), source.loudness, _picture(path, path.stat().st_mtime, feature), label)


@st.cache_data(max_entries=512, show_spinner=False)
def _picture(path: Path, changed: float, feature: FeatureConfig) -> bytes:  # noqa: ARG001
    """What is heard as an image, in the run's own feature."""
    wave, _ = soundfile.read(path, dtype="float32")
    image = build_feature(feature)(torch.from_numpy(wave)[None])[0, 0].numpy()
    low, high = colour_range(image)
    return image_png(image, low=low, high=high, height=_HEIGHT)


def _evolution(run: runs.Run, track: str, steps: list[Source], feature: FeatureConfig) -> None:
    with st.expander("Its evolution, from first to last"):
        for column, source in zip(st.columns(len(steps)), steps, strict=True):
            path = run.path / source.file
            uri = data_uri(_picture(path, path.stat().st_mtime, feature))
            column.image(uri, caption=f"step {source.step}", width="stretch")
        whole = _joined([run.path / source.file for source in steps])
        st.audio(whole, format="audio/flac")
        download_button("Download as FLAC", whole, f"{track}-evolution.flac", mime="audio/flac", key="evolution")


def _joined(paths: list[Path]) -> bytes:
    pause = np.zeros(SAMPLE_RATE // 5, dtype=np.float32)
    waves = [soundfile.read(path, dtype="float32")[0] for path in paths]
    return flac_bytes(np.concatenate([part for wave in waves for part in (wave, pause)]))
