"""A page with nothing but our sound components; the samples of its sounds tell their position."""

import time
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from distrack.audio import SAMPLE_RATE, flac_bytes
from distrack.figures.images import image_png
from distrack.ui.sound import PlayerSource, Sheet, Sound, player, soundboard

_TIME = np.arange(SAMPLE_RATE, dtype=np.float32) / SAMPLE_RATE
# From 0.1 to 0.8 in a second: the size of a sample tells its position, its sign the source.
_RAMP = 0.1 + 0.7 * _TIME


def _sound(wave: NDArray[np.floating[Any]], loudness: float | None = None, label: str = "") -> Sound:
    return Sound(flac_bytes(wave.astype(np.float32)), loudness, label=label)


@st.cache_data
def _board(classes: int, tracks: int, seconds: float) -> tuple[Sheet, ...]:
    picture = image_png(
        np.random.default_rng(0).random((16 * tracks, 16), np.float32), low=0, high=1, height=64 * tracks
    )
    made = []
    for label in range(classes):
        names = tuple(f"{label}_{track}" for track in range(tracks))
        tones = [np.sin(2 * np.pi * (200 + 10 * label + 40 * track) * _TIME) for track in range(tracks)]
        sound = _sound(0.2 * np.concatenate([tone[: int(seconds * SAMPLE_RATE)] for tone in tones])).flac
        # A page that took this name for HTML would run into an error.
        made.append(Sheet(f"<img src=x onerror=alert(1)> ä/\"{label}'", names, picture, sound, ()))
    return tuple(made)


def _ramps(size: float) -> list[PlayerSource]:
    return [
        PlayerSource("Up", "", (_sound(size * _RAMP),)),
        PlayerSource("Down", "", (_sound(-size * _RAMP),)),
        PlayerSource("Steps", "", tuple(_sound(size * _RAMP / k, label=f"step {k}") for k in (1, 2, 4))),
        PlayerSource("Soft", "", (_sound(0.01 * np.sin(300 * _TIME), -45.0),)),
    ]


def main() -> None:
    """Shows the component that the URL names."""
    parameters = st.query_params
    time.sleep(float(parameters.get("wait", "0")))
    st.title("Sounds")
    if st.toggle("Leave"):
        st.text("Nothing here")
    elif parameters["show"] == "board":
        seconds = float(parameters.get("seconds", "1"))
        shown = _board(int(parameters["classes"]), int(parameters["tracks"]), seconds)
        st.text(f"played: {soundboard(shown, seconds=seconds, key='board')}")
    elif parameters["show"] == "tone":
        tone = _sound(0.5 * np.sin(2 * np.pi * 7000 * _TIME))
        player([PlayerSource("Tone", "", (tone,))], title="A tone", seconds=1.0, key="player")
    else:
        size = 0.5 if st.toggle("Another track") else 1.0
        player(_ramps(size), title="Ramps", seconds=1.0, key="player")


if __name__ == "__main__":
    main()
