"""The map of sounds: points on a plane that play when the pointer is on them, and are selected by a press."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

from distrack.evaluate.inspection import Method, Point
from distrack.figures.style import series_colours
from distrack.ui.sound.media import source, url_of

# The kind of a point and its number.
PointKey = tuple[str, int]


class Place(NamedTuple):
    """Where the sound of a point is: the key of a sheet, and its position among the sounds there; and its name."""

    sheet: str
    position: int
    name: str


class SoundSheet(NamedTuple):
    """Sounds one after the other in one FLAC file, each so many seconds long."""

    flac: bytes
    seconds: float


def sound_map(
    points: Sequence[Point],
    places: Mapping[PointKey, Place],
    sheets: Mapping[str, SoundSheet],
    classes: Sequence[str],
    *,
    method: Method,
    selected: PointKey | None,
    on_press: Callable[[PointKey], None],
    key: str,
) -> None:
    """Draws small dots for real clips, large ones for tracks and crosses for class means, coloured by class.

    Args:
        places: where the sounds are; points without one are silent.
        selected: the point with a ring around it.
        on_press: called with a point that was pressed, before the page is drawn again.
    """

    def pressed() -> None:
        point = st.session_state[key].point
        on_press((point["kind"], point["number"]))

    drawn = []
    for point in points:
        x, y = point.pca if method == "pca" else point.t_sne
        place = places.get((point.kind, point.number), Place("", 0, ""))
        where = {"sheet": place.sheet, "place": place.position, "name": place.name}
        drawn.append({"x": x, "y": y, "kind": point.kind, "number": point.number, "label": point.label, **where})
    colours = series_colours(len(classes))
    data: dict[str, Any] = {
        "points": drawn,
        "classes": [{"name": name, "colour": colour} for name, colour in zip(classes, colours, strict=True)],
        "sheets": {
            name: {"sound": url_of(sheet.flac, "audio/flac", f"{key}-{name}"), "seconds": sheet.seconds}
            for name, sheet in sheets.items()
        },
        "selected": None if selected is None else {"kind": selected[0], "number": selected[1]},
    }
    _component(key=key, data=data, default={"point": None}, on_point_change=pressed)


_component = st.components.v2.component(
    "distrack_map", css=source("sound.css", "map.css"), js=source("sound.js", "map.js")
)
