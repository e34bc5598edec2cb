"""A page of nothing but our sound components, with sounds that say where they are."""

import time
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from distrack.audio import SAMPLE_RATE, flac_bytes
from distrack.figures.images import image_png
from distrack.ui.sound import Heard, Sheet, Sound, player, soundboard

_TIME = np.arange(SAMPLE_RATE, dtype=np.float32) / SAMPLE_RATE
# From 0.1 to 0.8 in a second: the size of a sample tells its place, its sign the source.
_RAMP = 0.1 + 0.7 * _TIME


def _sound(wave: NDArray[np.floating[Any]], loudness: float | None = None, label: str = "") -> Sound:
    return Sound(flac_bytes(wave.astype(np.float32)), loudness, label=label)


@st.cache_data
def _board(classes: int, tracks: int, seconds: float) -> tuple[Sheet, ...]:
    picture = image_png(
        np.random.default_rng(0).random((16 * tracks, 16), np.float32), low=0, high=1, height=64 * tracks
    )
    found = []
    for label in range(classes):
        names = tuple(f"{label}_{track}" for track in range(tracks))
        tones = [np.sin(2 * np.pi * (200 + 10 * label + 40 * track) * _TIME) for track in range(tracks)]
        sound = _sound(0.2 * np.concatenate([tone[: int(seconds * SAMPLE_RATE)] for tone in tones])).flac
        # Names are text, whatever they hold; a page that took them for more would run into an error.
        found.append(Sheet(f"<img src=x onerror=alert(1)> ä/\"{label}'", names, picture, sound, ()))
    return tuple(found)


def _ramps(size: float) -> list[Heard]:
    return [
        Heard("Up", "", (_sound(size * _RAMP),)),
        Heard("Down", "", (_sound(-size * _RAMP),)),
        Heard("Steps", "", tuple(_sound(size * _RAMP / k, label=f"step {k}") for k in (1, 2, 4))),
        Heard("Soft", "", (_sound(0.01 * np.sin(300 * _TIME), -45.0),)),
    ]


def main() -> None:
    """Shows what the URL asks for."""
    asked = st.query_params
    time.sleep(float(asked.get("wait", "0")))
    st.title("Sounds")
    if asked["show"] == "board":
        seconds = float(asked.get("seconds", "1"))
        shown = _board(int(asked["classes"]), int(asked["tracks"]), seconds)
        st.text(f"heard: {soundboard(shown, seconds=seconds, key='board')}")
    elif asked["show"] == "tone":
        tone = _sound(0.5 * np.sin(2 * np.pi * 7000 * _TIME))
        player([Heard("Tone", "", (tone,))], title="A tone", seconds=1.0, key="player")
    else:
        size = 0.5 if st.toggle("Another track") else 1.0
        player(_ramps(size), title="Ramps", seconds=1.0, key="player")


if __name__ == "__main__":
    main()
