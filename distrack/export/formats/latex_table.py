"""A comparison as LaTeX tables with booktabs: a row for each run, a column for each training set."""

import re
from collections.abc import Sequence

from markupsafe import Markup

from distrack.datasets import DATASETS
from distrack.evaluate import Accuracy
from distrack.export.comparison import Entry, groups
from distrack.export.formats.contract import EXPORTERS, Exporter
from distrack.export.rendering import percent, rendered
from distrack.export.scores import Scores, scores, select


def latex_text(entries: Sequence[Entry], evaluator: str | None, network: str | None) -> str:
    """A table for each set of test clips; it needs the package booktabs.

    Accuracies are in percent with the standard deviation over seeds; the best at equal storage is bold. An evaluator
    or network of None is the first that measured a run.

    Raises:
        ConfigError: no run was evaluated in this way.
    """
    pair = select(entries, evaluator, network)
    by_group = [scores(group, *pair) for group in groups(entries)]
    return rendered(
        "table.tex.j2",
        evaluator=pair[0],
        network=pair[1],
        lacking=[entry.run.id for each in by_group for entry in each.lacking],
        tables=[each for each in by_group if each.rows],
        titles={name: DATASETS[name].title for name in DATASETS},
        accuracy=_accuracy,
        label=_label,
    )


def _accuracy(accuracy: Accuracy, best: bool) -> Markup:
    text = percent(accuracy.mean)
    if len(accuracy.runs) > 1:
        text += rf" \pm {percent(accuracy.std)}"
    return Markup(rf"$\mathbf{{{text}}}$" if best else f"${text}$")


def _label(table: Scores) -> str:
    words = f"{table.rows[0].entry.report.dataset} {table.evaluator} {table.network}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


EXPORTERS.add(
    ".tex",
    Exporter(
        "LaTeX",
        "A booktabs table of the selected evaluator.",
        "text/x-tex",
        lambda entries, evaluator, network: latex_text(entries, evaluator, network).encode(),
        one_evaluator=True,
    ),
)
