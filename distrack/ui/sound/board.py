"""The soundboard: a tile for every track, in a column for each class, played by mouse or keyboard."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import streamlit as st

from distrack.audio import SAMPLE_RATE, SILENCE, flac_bytes, level
from distrack.distill import SyntheticSet
from distrack.figures.images import colour_range, image_png
from distrack.jobs.results import synthetic_file, track_file
from distrack.runs import Run
from distrack.ui.cached import cached_by_file
from distrack.ui.sound.media import source, url_of

# Pixels of a tile.
TILE_HEIGHT = 64
# The keys of the soundboard, for the page and for screen readers.
KEYS = "Arrows move, Space plays, 0-9 plays a class, Esc stops."


class Sheet(NamedTuple):
    """The tracks of a class, as one picture and one sound that hold all of them: two files for any number of tracks.

    Attributes:
        title: name of the class.
        names: names of the tracks.
        picture: PNG of their images below each other.
        sound: FLAC of the tracks one after the other, all equally long; nothing if no track has audio.
        missing: positions of the tracks without audio.
        silent: positions of the tracks whose audio is silence.
    """

    title: str
    names: tuple[str, ...]
    picture: bytes
    sound: bytes
    missing: tuple[int, ...]
    silent: tuple[int, ...] = ()


def sheets(run: Run) -> tuple[Sheet, ...]:
    """One sheet for each class of a run.

    Raises:
        RunError: the synthetic set is damaged.
    """
    # A track that gets its audio later changes the time of the folder.
    return _sheets(synthetic_file(run), run.path / "audio")


@cached_by_file
def _sheets(path: Path, audio: Path) -> tuple[Sheet, ...]:  # noqa: ARG001
    run, synthetic = Run(path.parent), SyntheticSet.load(path)
    names, count, samples = synthetic.track_names(), synthetic.tracks_per_class, synthetic.config.samples
    images = synthetic.images().squeeze(1).numpy()
    low, high = colour_range(images)
    made = []
    for label, title in enumerate(synthetic.classes):
        mine = range(label * count, (label + 1) * count)
        picture = image_png(images[mine.start : mine.stop], low=low, high=high, height=TILE_HEIGHT)
        waves = [_wave(track_file(run, names[number]), samples) for number in mine]
        missing = tuple(track for track, wave in enumerate(waves) if wave is None)
        silent = tuple(track for track, wave in enumerate(waves) if wave is not None and np.ptp(wave) < SILENCE)
        silence = np.zeros(samples, dtype=np.float32)
        whole = np.concatenate([silence if wave is None else wave for wave in waves])
        sound = b"" if len(missing) == count else flac_bytes(whole)
        made.append(Sheet(title, tuple(names[number] for number in mine), picture, sound, missing, silent))
    return tuple(made)


def _wave(path: Path, samples: int) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
    """The audio of a track at the level of playback, of this many samples; None if the file is missing or damaged."""
    try:
        wave, rate = soundfile.read(path, dtype="float32")
    except (OSError, soundfile.SoundFileError):
        return None
    if rate != SAMPLE_RATE or wave.ndim != 1:
        return None
    return level(np.pad(wave[:samples], (0, max(samples - len(wave), 0))))


def soundboard(shown: Sequence[Sheet], *, seconds: float, key: str, rows: int | None = None) -> str | None:
    """Draws a tile for every track, each so many seconds long; returns the name of the track that was played last.

    A tile plays when it is pressed, by the digit of its class, or in turn with all. The first `rows` tracks of each
    class are drawn, all of them by default; more than ten rows are scrolled. Many classes are rows, of which so many
    are in view.
    """
    classes = [
        {
            **sheet._asdict(),
            "picture": url_of(sheet.picture, "image/png", f"{key}-{label}-picture"),
            "sound": url_of(sheet.sound, "audio/flac", f"{key}-{label}-sound"),
        }
        for label, sheet in enumerate(shown)
    ]
    data: dict[str, Any] = {"classes": classes, "seconds": seconds, "keys": KEYS, "rows": rows}
    result = _component(key=key, data=data, default={"track": None}, on_track_change=lambda: None)
    last: str | None = result.track
    return last


_component = st.components.v2.component(
    "distrack_soundboard", css=source("sound.css", "board.css"), js=source("sound.js", "board.js")
)
