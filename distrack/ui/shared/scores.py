"""Tables of scores, and the names of the classes that scores are about."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from distrack.distill import SyntheticSet
from distrack.errors import RunError
from distrack.evaluate import Comparison
from distrack.jobs.results import synthetic_file
from distrack.runs import Run
from distrack.ui.cached import cached_by_file
from distrack.ui.shared.glossary import GLOSSARY

_THREE_DECIMALS = st.column_config.NumberColumn(format="%.3f")
# By column; a table may have some of them.
_COLUMNS: dict[str, Any] = {
    "accuracy": _THREE_DECIMALS,
    "SD": st.column_config.NumberColumn(format="%.3f", help="Standard deviation over seeds."),
    "95% CI": st.column_config.TextColumn(help=GLOSSARY["95% CI"]),
    "vs random": st.column_config.NumberColumn(format="%+.3f", help="Accuracy minus that of random clips."),
    "gap to full": st.column_config.NumberColumn(format="%.3f", help="Full-data accuracy minus this one."),
    "% of full": st.column_config.NumberColumn(format="percent", help="Accuracy as a share of full-data accuracy."),
    "macro F1": st.column_config.NumberColumn(format="%.3f", help=GLOSSARY["Macro F1"]),
    "worst class recall": _THREE_DECIMALS,
    "learning rate": st.column_config.NumberColumn(help="Tuned on held-out training clips."),
    "floats per class": st.column_config.NumberColumn(format="localized", help=GLOSSARY["Floats"]),
    "evaluator": st.column_config.TextColumn(help=f"{GLOSSARY['Random CNN']} {GLOSSARY['Prototype']}"),
}


def score_table(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any] | None = None, *, key: str | None = None
) -> None:
    """Draws a table of scores; `columns` configures those that are not in every table of scores."""
    st.dataframe(rows, hide_index=True, placeholder="–", key=key, column_config={**_COLUMNS, **(columns or {})})


def relative_scores(comparison: Comparison | None) -> dict[str, float | None]:
    """The cells that compare the tracks with random clips and with the full dataset."""
    if comparison is None:
        return dict.fromkeys(("vs random", "gap to full", "% of full"))
    return {"vs random": comparison.gain, "gap to full": comparison.lost, "% of full": comparison.recovered}


def class_names(run: Run, count: int) -> list[str]:
    """Names of a run's classes; their numbers if the synthetic set, which has the names, is gone or damaged."""
    try:
        return _class_names(synthetic_file(run))
    except RunError:
        return [str(label) for label in range(count)]


@cached_by_file
def _class_names(path: Path) -> list[str]:
    return list(SyntheticSet.load(path).classes)
