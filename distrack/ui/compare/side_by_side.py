"""The selected runs side by side: accuracies, scores, differences between configs, confusion matrices and losses."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from distrack.evaluate import EVALUATORS, Evaluation, name_of
from distrack.export.comparison import Entry, differing, evaluations, groups, value_text
from distrack.figures.accuracy import run_bars
from distrack.figures.confusion import confusion_matrix
from distrack.figures.loss import loss_curves
from distrack.ui.compare import leaderboard
from distrack.ui.compare.selection import Selection, warn_about_recipes
from distrack.ui.compare.url_widgets import linked, requested
from distrack.ui.shared.page import chart, ink, sentence
from distrack.ui.shared.scores import class_names, relative_scores, score_table

_MOST_MATRICES = 2
# The theme's colour, thin enough for a light and a dark background.
_HIGHLIGHT = "background-color: rgba(194, 64, 127, 0.22)"
_COLUMNS = {
    "run": st.column_config.TextColumn(pinned=True),
    "seeds": st.column_config.NumberColumn(help="Evaluation runs that the accuracy is the mean of."),
    "seconds per class": st.column_config.NumberColumn(format="%.2f", help="Stored audio per class."),
    "compression": st.column_config.NumberColumn(format="%.0f x", help="Training-set size divided by stored size."),
    "decoded tracks": st.column_config.NumberColumn(help="Tracks per class after decoding."),
}


def show(selection: Selection, export: Callable[[Selection], None]) -> None:
    """Everything about the selected runs in tabs, of which `export` draws the last.

    Inside each of the others, runs are grouped by their test clips.
    """
    by_clips = groups(selection.entries)
    if len(by_clips) > 1:
        st.warning(
            "These runs were tested on different clips, so their accuracies cannot be compared. "
            f"They are shown in {len(by_clips)} groups."
        )
    parts = {
        "Accuracy": _accuracy,
        "Differences": _differences,
        "Curves": _losses,
        "Confusion": _confusion,
        "Budget": _budget,
    }
    *tabs, last = st.tabs([*parts, "Export"], key="tab", bind="query-params")
    for tab, draw in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                for number, group in enumerate(by_clips):
                    _head(group)
                    draw(group, selection, f"group-{number}")
    if last.open:
        with last:
            export(selection)


def _head(group: Sequence[Entry]) -> None:
    report, split = group[0].report, group[0].report.split
    fold = "" if split.test_fold is None else f", fold {split.test_fold}"
    st.subheader(f"{group[0].job.source}: {split.test:,} test clips of {report.seconds_per_track:g} s{fold}")
    _notes(group)


def _notes(group: Sequence[Entry]) -> None:
    by_note: dict[str, list[str]] = {}
    for entry in group:
        for note in entry.notes:
            by_note.setdefault(note, []).append(entry.title)
    for note, noted in by_note.items():
        whose = "" if len(noted) == len(group) else f" ({', '.join(noted)})"
        st.caption(f":material/info: {sentence(note + whose)}")


def _measured(group: Sequence[Entry], selection: Selection) -> Mapping[str, Sequence[Evaluation]]:
    """The evaluations of each run by its title; runs without any are named."""
    key = selection.evaluator, selection.network
    measured = {entry.title: evaluations(entry, *key) for entry in group if key in entry.comparisons}
    missing = [entry.title for entry in group if entry.title not in measured]
    if missing:
        st.caption(f"Not evaluated by {EVALUATORS.title(key[0])} with {key[1]}: {', '.join(missing)}")
    return measured


def _accuracy(group: Sequence[Entry], selection: Selection, place: str) -> None:
    measured = _measured(group, selection)
    if measured:
        _bars(measured, place)
        _scores([entry for entry in group if entry.title in measured], selection, place)


def _budget(group: Sequence[Entry], selection: Selection, place: str) -> None:
    leaderboard.show(group, selection, place)
    leaderboard.show_published(group[0].report.dataset, place)


def _bars(measured: Mapping[str, Sequence[Evaluation]], place: str) -> None:
    chance = 1 / len(next(iter(measured.values()))[0].confusion)
    chart(run_bars(measured, chance=chance, ink=ink()), key=f"bars-{place}")
    of_all = [evaluation for of_run in measured.values() for evaluation in of_run]
    single = any(evaluation.accuracy.interval is None for evaluation in of_all)
    error_bars = f"Error bars: 95 % CI over seeds{' (none for a single seed)' if single else ''}."
    st.caption(f"{error_bars} Line: full dataset. Dotted: chance ({chance:.0%}).")
    warn_about_recipes(of_all)


def _scores(group: Sequence[Entry], selection: Selection, place: str) -> None:
    rows = [_row(entry, selection) for entry in group]
    rows.sort(key=lambda row: -row["accuracy"])
    score_table(rows, _COLUMNS, key=f"scores-{place}")


def _row(entry: Entry, selection: Selection) -> dict[str, Any]:
    key = selection.evaluator, selection.network
    comparison = entry.comparisons[key]
    tracks = next(each for each in evaluations(entry, *key) if each.training_set == "synthetic")
    worst = tracks.worst_class
    return {
        "run": entry.title,
        "accuracy": comparison.tracks.mean,
        "SD": comparison.tracks.std,
        "seeds": len(comparison.tracks.runs),
        "95% CI": comparison.tracks.interval_text,
        **relative_scores(comparison),
        "macro F1": tracks.macro_f1,
        "worst class recall": tracks.lowest_recall,
        "worst class": None if worst is None else class_names(entry.run, len(tracks.recall))[worst],
        "floats per class": entry.report.floats_per_class,
        "seconds per class": entry.seconds_per_class,
        "compression": entry.compression,
        "decoded tracks": entry.report.rendered_per_class,
        "id": entry.run.id,
    }


def _differences(group: Sequence[Entry], _selection: Selection, place: str) -> None:
    if len(group) < 2:
        st.caption("Select a second run to see where their settings differ.")
        return
    settings = differing(group)
    if not settings:
        st.caption("Identical settings.")
        return
    frame = pd.DataFrame(
        [[value_text(value) for value in values] for values in settings.values()],
        index=pd.Index(settings, name="setting"),
        columns=[entry.title for entry in group],
    )
    highlighted = frame.style.apply(lambda row: [_HIGHLIGHT if value != row.iloc[0] else "" for value in row], axis=1)
    st.dataframe(highlighted, key=f"differences-{place}")
    st.caption("Highlighted: differs from the first run.")


def _confusion(group: Sequence[Entry], selection: Selection, place: str) -> None:
    measured = _measured(group, selection)
    if not measured:
        return
    options = {
        f"{entry.run.id}: {evaluation.training_set}": (entry, evaluation)
        for entry in group
        for evaluation in measured.get(entry.title, ())
    }
    text = {option: f"{entry.title}: {name_of(each.training_set)}" for option, (entry, each) in options.items()}
    name = f"matrix-{place}"
    in_url = requested(name)
    of_tracks = [option for option, (_, evaluation) in options.items() if evaluation.training_set == "synthetic"]
    valid = [option for option in in_url or () if option in options]
    first = valid or ([] if in_url == [] else of_tracks)
    selected = linked(
        st.multiselect,
        "Select up to two",
        list(options),
        name=name,
        value=first[:_MOST_MATRICES],
        max_selections=_MOST_MATRICES,
        format_func=text.get,
    )
    for column, option in zip(st.columns(max(len(selected), 1)), selected, strict=False):
        entry, evaluation = options[option]
        classes = class_names(entry.run, len(evaluation.confusion))
        with column:
            trained_on = name_of(evaluation.training_set).lower()
            st.markdown(f"**{entry.title}**  \nTrained on {trained_on}: {evaluation.accuracy.mean:.1%}")
            chart(confusion_matrix(evaluation.confusion, classes, ink=ink()), key=f"matrix-{place}-{option}")


def _losses(group: Sequence[Entry], _selection: Selection, place: str) -> None:
    metrics = {entry.title: entry.run.metrics() for entry in group}
    recorded = {run: lines for run, lines in metrics.items() if any("loss" in line for line in lines)}
    if recorded:
        chart(loss_curves(recorded), key=f"losses-{place}")
    missing = [run for run in metrics if run not in recorded]
    if missing:
        st.caption(f"No loss recorded for {', '.join(missing)}.")
    if len({(entry.job.objective, entry.job.network, entry.job.feature) for entry in group}) > 1:
        st.caption("Scales differ: the objective, network or representation is not the same.")
