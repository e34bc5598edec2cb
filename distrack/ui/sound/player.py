"""The player: several sounds on one transport, so that a switch between them keeps the position."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

from distrack.ui.sound.media import source, url_of

MOST_SOURCES = 6


class Sound(NamedTuple):
    """A FLAC file, its integrated loudness in LUFS (None for silence), a PNG file or nothing, and a label."""

    flac: bytes
    loudness: float | None
    picture: bytes = b""
    label: str = ""


class PlayerSource(NamedTuple):
    """A tab of the player: a title, a note on its origin, and one sound or several that a slider steps through."""

    title: str
    note: str
    sounds: tuple[Sound, ...]


def player(
    sources: Sequence[PlayerSource], *, title: str, seconds: float, key: str, front: str = "", begin: float = 0.0
) -> None:
    """Draws a player. Keys 1 to 6 switch the source, the space bar plays, L loops, arrow keys seek.

    The loudness of all sources is matched to the softest one, as loud as that can be without clipping. A button
    switches this off. `seconds` is the length of the longest sound. The source with the title `front` is selected when
    it appears, and whenever its sound changes. `begin` is the time at which the sounds begin in a longer clip: where it
    is another one, the selected source stays selected.

    Raises:
        ValueError: there is no source, or more than six.
    """
    if not 0 < len(sources) <= MOST_SOURCES:
        raise ValueError(f"{len(sources)} sources: a player has one to {MOST_SOURCES}")
    data: dict[str, Any] = {
        "title": title,
        "seconds": seconds,
        "front": front,
        "begin": begin,
        "sources": [
            {
                **each._asdict(),
                "sounds": [_served(sound, f"{key}-{number}-{step}") for step, sound in enumerate(each.sounds)],
            }
            for number, each in enumerate(sources)
        ],
    }
    _component(key=key, data=data)


def _served(sound: Sound, place: str) -> dict[str, Any]:
    return {
        "url": url_of(sound.flac, "audio/flac", f"{place}-sound"),
        "picture": url_of(sound.picture, "image/png", f"{place}-picture"),
        "loudness": sound.loudness,
        "label": sound.label,
    }


_component = st.components.v2.component(
    "distrack_player", css=source("sound.css", "player.css"), js=source("sound.js", "player.js")
)
