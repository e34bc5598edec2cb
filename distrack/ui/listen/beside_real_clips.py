"""A track beside real clips: the player, the track's history as a strip, and the buttons that make these sounds."""

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
from distrack.ui.cached import cached_by_file
from distrack.ui.shared import job_panel, stage
from distrack.ui.shared.page import download_button
from distrack.ui.shared.pictures import picture
from distrack.ui.shared.run_in_view import DEMO
from distrack.ui.sound import PlayerSource, Sound, player

_TITLES: dict[Kind, str] = {
    "track": "Synthetic",
    "nearest": "Nearest clip",
    "random": "Random clip",
    "class-mean": "Class mean",
    "snapshot": "History",
}
_PICTURE_HEIGHT = 160
# Seconds of silence between two snapshots.
_PAUSE = 0.2


def show(run: runs.Run, synthetic: SyntheticSet, track: str) -> None:
    """The player of a track of a finished distillation, with everything that it can be compared with."""
    listening = listening_of(run)
    if listening is None:
        sources: tuple[Source, ...] = (_track_alone(run, synthetic, track),)
        text = "Adds nearest clip, random clip, mean and history."
        _offer(run, "Compare with real clips", ListeningJob(run=run.id), text)
    else:
        sources = listening.sources(track)
        if not listening.has_snapshots(track):
            _offer(run, "Hear how it evolved", ListeningJob(run=run.id, tracks=(track,)), "Adds the track's history.")
    sources = tuple(source for source in sources if (run.path / source.file).is_file())
    if not sources:
        st.info("Audio file missing.")
        return
    config = synthetic.config
    choices = []
    for kind, group in groupby(sources, lambda source: source.kind):
        of_kind = list(group)
        sounds = tuple(_sound(run, source, config.feature) for source in of_kind)
        choices.append(PlayerSource(_TITLES[kind], _note(of_kind[0], listening), sounds))
    title = f"Track {track} of class {synthetic.classes[sources[0].label]}"
    player(choices, title=title, seconds=config.seconds, key=f"player-{run.id}")
    snapshots = [source for source in sources if source.kind == "snapshot"]
    if len(snapshots) > 1:
        _history(run, track, snapshots, config.feature)


def _track_alone(run: runs.Run, synthetic: SyntheticSet, track: str) -> Source:
    label = int(synthetic.labels[synthetic.track_names().index(track)])
    file = track_file(run, track).relative_to(run.path).as_posix()
    return Source(kind="track", title=_TITLES["track"], file=file, label=label, track=track)


def _offer(run: runs.Run, label: str, job: ListeningJob, caption: str) -> None:
    """A button that makes sounds to compare with, or the progress of that."""
    if run.path == DEMO:
        return

    def button() -> None:
        with stage.aside("offer"), st.container(horizontal=True, vertical_alignment="center"):
            if st.button(label, icon=":material/headphones:", key="listen"):
                job_panel.start(job)
            st.caption(caption)

    job_panel.follow(run, button)


def _note(first: Source, listening: Listening | None) -> str:
    """A few words about the sounds of one kind, by the first of them."""
    if first.kind == "nearest":
        return f"{first.clip}, spectrogram distance {first.distance or 0:.3f}"
    if first.kind == "random":
        return first.clip
    if first.kind == "snapshot":
        return "Track by step."
    if first.error is None or listening is None:
        return ""
    return f"Inversion error {first.error:.2g} {listening.unit}".strip()


def _sound(run: runs.Run, source: Source, feature: FeatureConfig) -> Sound:
    path = run.path / source.file
    label = "" if source.step is None else f"step {source.step}"
    return Sound(path.read_bytes(), source.loudness, _picture(path, feature), label)


@cached_by_file
def _picture(path: Path, feature: FeatureConfig) -> bytes:
    """The feature of a sound as a PNG."""
    wave, _ = soundfile.read(path, dtype="float32")
    image = build_feature(feature)(torch.from_numpy(wave)[None])[0, 0].numpy()
    low, high = colour_range(image)
    return image_png(image, low=low, high=high, height=_PICTURE_HEIGHT)


def _history(run: runs.Run, track: str, snapshots: list[Source], feature: FeatureConfig) -> None:
    with stage.aside("history"), st.expander("Track by step"):
        for column, source in zip(st.columns(len(snapshots)), snapshots, strict=True):
            uri = data_uri(_picture(run.path / source.file, feature))
            column.html(picture(uri, f"Track {track} at step {source.step}"))
            column.caption(f"step {source.step}")
        whole = _joined([run.path / source.file for source in snapshots])
        st.audio(whole, format="audio/flac")
        download_button("Download as FLAC", whole, f"{track}-history.flac", mime="audio/flac", key="history")


def _joined(paths: list[Path]) -> bytes:
    """Sounds one after another with pauses, as FLAC."""
    pause = np.zeros(round(_PAUSE * SAMPLE_RATE), dtype=np.float32)
    waves = [soundfile.read(path, dtype="float32")[0] for path in paths]
    return flac_bytes(np.concatenate([part for wave in waves for part in (wave, pause)]))
