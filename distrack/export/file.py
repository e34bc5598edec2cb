"""A comparison as the content of a file, by the file's ending."""

from collections.abc import Sequence

from distrack.errors import ConfigError
from distrack.export.charts import figure_bytes
from distrack.export.comparison import Entry, groups, measured_by
from distrack.export.latex import latex_text
from distrack.export.page import html_report
from distrack.export.scores import scores
from distrack.export.spreadsheet import csv_text
from distrack.figures.accuracy import run_bars

ENDINGS = (".csv", ".tex", ".html", ".png", ".svg")
_INK = "#231b2e"


def content(
    entries: Sequence[Entry], ending: str, *, evaluator: str | None = None, network: str | None = None
) -> bytes:
    """What a file of that ending holds.

    Args:
        entries: the runs.
        ending: `.csv` and `.html` hold everything; `.tex`, `.png` and `.svg` one evaluator with one network.
        evaluator: which; the first that was measured unless it is named.
        network: likewise.

    Raises:
        ConfigError: the ending is another one, nothing was measured so, or a figure is asked for of runs that were
            tested on different clips.
    """
    if ending not in ENDINGS:
        raise ConfigError(f"cannot write {ending or 'a file without an ending'}: choose {', '.join(ENDINGS)}")
    if ending == ".csv":
        return csv_text(entries).encode()
    if ending == ".html":
        return html_report(entries).encode()
    chosen = [pair for pair in measured_by(entries) if evaluator in (None, pair[0]) and network in (None, pair[1])]
    if not chosen:
        known = "; ".join(f"{one} with {other}" for one, other in measured_by(entries))
        raise ConfigError(
            f"nothing was measured by {evaluator or 'any evaluator'} with {network or 'any network'}; {known}"
        )
    if ending == ".tex":
        return latex_text(entries, *chosen[0]).encode()
    if len(groups(entries)) > 1:
        raise ConfigError("these runs were not tested on the same clips: one figure of them would compare them")
    measured = scores(entries, *chosen[0])
    bars = {row.entry.run.id: list(row.found.values()) for row in measured.rows}
    return figure_bytes(run_bars(bars, chance=measured.chance, ink=_INK), "png" if ending == ".png" else "svg")
