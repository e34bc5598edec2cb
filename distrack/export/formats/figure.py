"""A comparison as a figure: the accuracies of one evaluator as bars, in a PNG or an SVG."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from distrack.errors import ConfigError
from distrack.export.charts import figure_bytes
from distrack.export.comparison import Entry, groups
from distrack.export.formats.contract import EXPORTERS, Exporter
from distrack.export.scores import scores, select
from distrack.figures.accuracy import run_bars

_INK = "#150e1e"


def _figure(
    entries: Sequence[Entry], evaluator: str | None, network: str | None, *, kind: Literal["png", "svg"]
) -> bytes:
    pair = select(entries, evaluator, network)
    if len(groups(entries)) > 1:
        raise ConfigError("these runs were tested on different clips: choose runs that one figure can compare")
    measured = scores(entries, *pair)
    return figure_bytes(run_bars(measured.by_run, chance=measured.chance, ink=_INK), kind)


def _exporter(kind: Literal["png", "svg"], media_type: str) -> Exporter:
    content = partial(_figure, kind=kind)
    return Exporter(kind.upper(), "Accuracies as a figure.", media_type, content, one_evaluator=True, one_group=True)


EXPORTERS.add(".png", _exporter("png", "image/png"))
EXPORTERS.add(".svg", _exporter("svg", "image/svg+xml"))
