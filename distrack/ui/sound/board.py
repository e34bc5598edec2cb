"""The soundboard: a tile for every track, a column for each class, to press and to type."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import streamlit as st

from distrack.audio import SAMPLE_RATE, SILENCE, flac_bytes
from distrack.distill import SyntheticSet
from distrack.figures.images import colour_range, images_png
from distrack.jobs.results import synthetic_file, track_file
from distrack.runs import Run
from distrack.ui.sound.media import source, url_of

# Rows of pixels of a tile.
_HEIGHT = 64
# The keys of the soundboard, for the page and for screen readers.
KEYS = "Arrows move, Space plays, 0-9 plays a class, Esc stops."


class Sheet(NamedTuple):
    """All tracks of a class.

    Attributes:
        title: its name.
        names: of the tracks.
        picture: PNG of all their images, below each other.
        sound: FLAC of all of them, one after the other, each as long as a track; nothing where none is audible.
        missing: which of them were not made audible.
        silent: which of them are, and hold nothing but silence.
    """

    title: str
    names: tuple[str, ...]
    picture: bytes
    sound: bytes
    missing: tuple[int, ...]
    silent: tuple[int, ...] = ()


def sheets(run: Run) -> tuple[Sheet, ...]:
    """One sheet for each class of a run; two files a class, however many tracks there are.

    Raises:
        RunError: the synthetic set is damaged.
    """
    # A track that becomes audible later changes its folder.
    audio = run.path / "audio"
    changed = synthetic_file(run).stat().st_mtime, audio.stat().st_mtime if audio.is_dir() else 0.0
    return _sheets(run.path, changed)


@st.cache_data(max_entries=16, show_spinner=False)
def _sheets(path: Path, changed: tuple[float, float]) -> tuple[Sheet, ...]:  # noqa: ARG001
    run = Run(path)
    synthetic = SyntheticSet.load(synthetic_file(run))
    names, count, samples = synthetic.track_names(), synthetic.tracks_per_class, synthetic.config.samples
    images = synthetic.images().squeeze(1).numpy()
    low, high = colour_range(images)
    found = []
    for label, title in enumerate(synthetic.classes):
        mine = range(label * count, (label + 1) * count)
        picture = images_png(images[mine.start : mine.stop], low=low, high=high, height=_HEIGHT)
        waves = [_wave(track_file(run, names[number]), samples) for number in mine]
        missing = tuple(track for track, wave in enumerate(waves) if wave is None)
        silent = tuple(track for track, wave in enumerate(waves) if wave is not None and np.ptp(wave) < SILENCE)
        silence = np.zeros(samples, dtype=np.float32)
        whole = np.concatenate([silence if wave is None else wave for wave in waves])
        sound = b"" if len(missing) == count else flac_bytes(whole)
        found.append(Sheet(title, tuple(names[number] for number in mine), picture, sound, missing, silent))
    return tuple(found)


def _wave(path: Path, samples: int) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
    """A track's samples, exactly so many; None where it is not there or cannot be read."""
    try:
        wave, rate = soundfile.read(path, dtype="float32")
    except (OSError, soundfile.SoundFileError):
        return None
    if rate != SAMPLE_RATE or wave.ndim != 1:
        return None
    return np.pad(wave[:samples], (0, max(samples - len(wave), 0)))


def soundboard(shown: Sequence[Sheet], *, seconds: float, key: str) -> str | None:
    """Tiles that sound at once: pressed, by the digit of their class, by arrows and the space bar; or all in order.

    Args:
        shown: the classes.
        seconds: length of a track.
        key: of the component.

    Returns:
        name of the track that was heard last, None before the first
    """
    classes = [
        {
            "title": sheet.title,
            "names": sheet.names,
            "picture": url_of(sheet.picture, "image/png", f"{key}-{label}-picture"),
            "sound": url_of(sheet.sound, "audio/flac", f"{key}-{label}-sound") if sheet.sound else "",
            "missing": sheet.missing,
            "silent": sheet.silent,
        }
        for label, sheet in enumerate(shown)
    ]
    data: dict[str, Any] = {"classes": classes, "seconds": seconds, "hint": KEYS}
    result = _component(key=key, data=data, default={"track": None}, on_track_change=lambda: None)
    heard: str | None = result.track
    return heard


_component = st.components.v2.component(
    "distrack_soundboard", css=source("sound.css", "board.css"), js=source("sound.js", "board.js")
)
