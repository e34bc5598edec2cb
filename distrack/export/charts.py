"""Altair charts as files and as parts of a page, drawn without a browser or a network."""

import re
from typing import Any, Literal

import altair as alt
from markupsafe import Markup

_WIDTH = 720
# Pixels of a PNG for each of the chart's own.
_SCALE = 2.0
# The renderer counts on from chart to chart, so the same chart would be given other names.
_NAMED = re.compile(r"(?<=\bid=\")(?:clip|gradient_)\d+(?=\")")
# The text colour of a page, light or dark.
PAGE_INK = "currentColor"


def figure_bytes(chart: alt.Chart | alt.LayerChart, kind: Literal["png", "svg"]) -> bytes:
    """A chart as a file with a white background; one made for it has dark ink. The same chart gives the same bytes."""
    import vl_convert  # takes a while to load, and no page needs it before a button is pressed

    spec = _spec(chart, background="white")
    if kind == "png":
        return vl_convert.vegalite_to_png(spec, scale=_SCALE)
    return _renamed(vl_convert.vegalite_to_svg(spec), "chart").encode()


def inline_svg(chart: alt.Chart | alt.LayerChart, *, name: str) -> Markup:
    """A chart as an element of an HTML page, in the page's own text colour.

    Args:
        chart: made with the ink `currentColor`.
        name: begins its ids; no two charts of a page have the same.
    """
    import vl_convert

    spec = _spec(chart, background="transparent")
    quiet = {"gridColor": PAGE_INK, "gridOpacity": 0.16, "domainColor": PAGE_INK, "domainOpacity": 0.4}
    inked = {"labelColor": PAGE_INK, "titleColor": PAGE_INK}
    config = spec.setdefault("config", {})
    config["axis"] = {**config.get("axis", {}), **quiet, **inked, "tickColor": PAGE_INK, "tickOpacity": 0.4}
    config["legend"] = {**config.get("legend", {}), **inked}
    config["view"] = {**config.get("view", {}), "stroke": None}
    return Markup(_renamed(vl_convert.vegalite_to_svg(spec), name))  # the renderer escapes what it writes


def _spec(chart: alt.Chart | alt.LayerChart, *, background: str) -> dict[str, Any]:
    spec: dict[str, Any] = chart.to_dict()
    spec.setdefault("width", _WIDTH)
    return {**spec, "background": background}


def _renamed(svg: str, name: str) -> str:
    for number, old in enumerate(dict.fromkeys(_NAMED.findall(svg))):
        svg = re.sub(rf"(?<=[\"#]){old}(?=[\")])", f"{name}-part-{number}", svg)
    return svg
