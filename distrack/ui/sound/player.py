"""The player: what belongs to a track on one transport, to switch between without losing the place."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

from distrack.ui.sound.media import source, url_of

MOST = 6


class Sound(NamedTuple):
    """One sound.

    Attributes:
        flac: its samples.
        loudness: integrated, in LUFS; None where it is silent.
        picture: PNG of its image, or nothing.
        label: what it is among the sounds of its kind: "step 40".
    """

    flac: bytes
    loudness: float | None
    picture: bytes = b""
    label: str = ""


class Heard(NamedTuple):
    """What a key of the player switches to.

    Attributes:
        title: two or three words.
        note: where it comes from, in a line.
        sounds: one, or several of an evolution, which a slider goes through.
    """

    title: str
    note: str
    sounds: tuple[Sound, ...]


def player(sources: Sequence[Heard], *, title: str, seconds: float, key: str) -> None:
    """Plays one of at most six sources; keys 1 to 6 switch, the space bar plays, L loops, arrows seek.

    All are matched in loudness, as loud as the softest can be without clipping, until that is switched off.

    Args:
        sources: in the order of their keys.
        title: what they have in common.
        seconds: length of the longest.
        key: of the component.

    Raises:
        ValueError: there are none, or more than six.
    """
    if not 0 < len(sources) <= MOST:
        raise ValueError(f"{len(sources)} sources: a player has one to {MOST}")
    data: dict[str, Any] = {
        "title": title,
        "seconds": seconds,
        "sources": [
            {
                "title": heard.title,
                "note": heard.note,
                "sounds": [_served(sound, f"{key}-{number}-{step}") for step, sound in enumerate(heard.sounds)],
            }
            for number, heard in enumerate(sources)
        ],
    }
    _component(key=key, data=data)


def _served(sound: Sound, place: str) -> dict[str, Any]:
    return {
        "url": url_of(sound.flac, "audio/flac", f"{place}-sound"),
        "picture": url_of(sound.picture, "image/png", f"{place}-picture") if sound.picture else "",
        "loudness": sound.loudness,
        "label": sound.label,
    }


_component = st.components.v2.component(
    "distrack_player", css=source("sound.css", "player.css"), js=source("sound.js", "player.js")
)
