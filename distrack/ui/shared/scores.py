"""Tables of scores, and the names of the classes that scores are about."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from distrack.distill import SyntheticSet
from distrack.errors import RunError
from distrack.evaluate import Comparison, Evaluation, name_of
from distrack.figures.style import colour_of
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
    "as sound": st.column_config.NumberColumn(format="%.3f", help="Accuracy of the tracks as exported sounds."),
    "vs random": st.column_config.NumberColumn(
        format="%+.3f", help="Accuracy minus that of random clips (IOR of DD-Ranking)."
    ),
    "distillation adds": st.column_config.NumberColumn(format="%+.3f", help=GLOSSARY["Same-storage control"]),
    "gap to full": st.column_config.NumberColumn(
        format="%.3f", help="Full-data accuracy minus this one (HLR of DD-Ranking)."
    ),
    "% of full": st.column_config.NumberColumn(format="percent", help="Accuracy as a share of full-data accuracy."),
    "ARS": st.column_config.NumberColumn(format="%.3f", help=GLOSSARY["Augmentation-robust score"]),
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
    """The cells that compare the tracks with random clips, with the control and with the full dataset."""
    return {
        "as sound": comparison.sound.mean if comparison and comparison.sound else None,
        "vs random": comparison and comparison.gain,
        "distillation adds": comparison and comparison.added,
        "gap to full": comparison and comparison.lost,
        "% of full": comparison and comparison.recovered,
        "ARS": comparison and comparison.augmentation_robust_score,
    }


def accuracy_bars(lines: Sequence[Evaluation]) -> None:
    """A bar, a name and a number for each training set; an unfinished one has the number of its networks so far."""
    rows = []
    for line in lines:
        accuracy = line.accuracy
        spread = f"± {accuracy.std:.1%}" if line.finished else f"{len(accuracy.runs)} of {line.seeds} networks"
        name, share = escape(name_of(line.training_set)), f"{accuracy.mean:.1%}"
        bar = f'<div class="share"><div style="width:{share};background:{colour_of(line.training_set)}"></div></div>'
        kind = ' class="tracks"' if line.training_set == "synthetic" else ""
        rows.append(f"<li{kind}><span>{name}</span><b>{share}</b><small>{spread}</small>{bar}</li>")
    st.html(f'<ul class="accuracies">{"".join(rows)}</ul>')


def added_text(comparison: Comparison, *, interval: bool = False) -> str:
    """What distillation adds to real clips in the same storage, as a sentence; empty if the control was not measured.

    Args:
        interval: whether its confidence interval over the seeds is given, too.

    >>> from distrack.evaluate import Accuracy
    >>> added_text(Comparison("random-cnn", "n", Accuracy.of([0.98]), control=Accuracy.of([0.95])))
    'Distillation adds **+3.0 points**.'
    """
    if comparison.added is None:
        return ""
    text = f"Distillation adds **{100 * comparison.added:+.1f} points**"
    paired = comparison.added_by_seed
    if interval and paired is not None and paired.interval is not None:
        text += f" (95 % CI over seeds: {100 * paired.interval[0]:+.1f} to {100 * paired.interval[1]:+.1f})"
    heard = comparison.added_as_sound
    return f"{text}." if heard is None else f"{text}, **{100 * heard:+.1f}** as sound."


def class_names(run: Run, count: int) -> list[str]:
    """Names of a run's classes; their numbers if the synthetic set, which has the names, is gone or damaged."""
    try:
        return _class_names(synthetic_file(run))
    except RunError:
        return [str(label) for label in range(count)]


@cached_by_file
def _class_names(path: Path) -> list[str]:
    return list(SyntheticSet.load(path).classes)
