"""The pads of a blind test: sounds that are played by hand, and answers that wait until all of them were heard."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from distrack.ui.sound.media import source, url_of


def pads(
    question: str, sounds: Sequence[bytes], choices: Sequence[str], *, number: int, right: int, key: str
) -> int | None:
    """Draws a pad for each sound (FLAC) and a button for each choice; returns the position of the given answer, if any.

    Keys A and B play, the space bar plays and stops, digits answer. If the listener wants it, each answer is followed
    by whether it was right.

    Args:
        number: tells the questions of a test apart: an answer to an earlier one does not count.
        right: position of the right answer.
    """
    urls = [url_of(sound, "audio/flac", f"{key}-{place}") for place, sound in enumerate(sounds)]
    data: dict[str, Any] = {"question": question, "sounds": urls, "choices": choices, "number": number, "right": right}
    answer = _component(key=key, data=data, default={"answer": None}, on_answer_change=lambda: None).answer
    return answer["choice"] if answer and answer["number"] == number else None


_component = st.components.v2.component(
    "distrack_pads", css=source("sound.css", "pads.css"), js=source("sound.js", "pads.js")
)
