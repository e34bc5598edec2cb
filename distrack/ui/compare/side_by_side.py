"""Runs side by side: accuracies, scores, what differs between their configs, confusion and loss."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from distrack.evaluate import Evaluation
from distrack.export import comparison as table
from distrack.figures.accuracy import run_bars
from distrack.figures.confusion import confusion_matrix
from distrack.figures.loss import loss_curves
from distrack.ui.compare import leaderboard
from distrack.ui.compare.choice import Choice, pick, say_recipes
from distrack.ui.shared.page import ink
from distrack.ui.shared.scores import class_names

_MATRICES = 2
# A wash of the theme's colour that is seen on light and on dark.
_MARK = "background-color: rgba(194, 64, 127, 0.22)"
_THREE = st.column_config.NumberColumn(format="%.3f")


def unusable(found: Sequence[table.Unusable]) -> None:
    """The runs that have no figures, and why; out of the way of those that have."""
    if found:
        name = "1 run cannot be compared" if len(found) == 1 else f"{len(found)} runs cannot be compared"
        with st.expander(name, icon=":material/info:"):
            for each in found:
                st.markdown(f"**{each.run.id}**: {each.reason}")


def show(choice: Choice) -> None:
    """Everything about the chosen runs; those that were tested on other clips stand apart."""
    groups = table.groups(choice.entries)
    if len(groups) > 1:
        st.warning(
            "These runs were not tested on the same clips, so their accuracies cannot be compared. "
            f"They are shown in {len(groups)} groups, one after the other."
        )
    for number, group in enumerate(groups):
        st.header(_tested_on(group[0]), divider="gray", anchor=f"group-{number}")
        _notes(group)
        _group(group, choice, f"group-{number}")


def _tested_on(entry: table.Entry) -> str:
    report = entry.report
    fold = "" if report.split.test_fold is None else f", fold {report.split.test_fold}"
    return f"{report.dataset}: {report.split.test:,} test clips of {report.seconds_per_track:g} s{fold}"


def _notes(group: Sequence[table.Entry]) -> None:
    noted: dict[str, list[str]] = {}
    for entry in group:
        for note in entry.notes:
            noted.setdefault(note, []).append(entry.run.id)
    for note, names in noted.items():
        whose = "" if len(names) == len(group) else f" ({', '.join(names)})"
        st.caption(f":material/info: {note[:1].upper()}{note[1:]}{whose}.")


def _group(group: Sequence[table.Entry], choice: Choice, place: str) -> None:
    measured = _measured(group, choice)
    lacking = [entry.run.id for entry in group if entry.run.id not in measured]
    if lacking:
        st.caption(f"Not measured by {choice.evaluator} with {choice.network}: {', '.join(lacking)}")
    if measured:
        _bars(measured, place)
        _scores([entry for entry in group if entry.run.id in measured], choice, place)
    _differences(group, place)
    if measured:
        _confusion(group, measured, place)
    _losses(group, place)
    leaderboard.show(group, choice, place)
    leaderboard.reported(group[0].report.dataset, place)


def _measured(group: Sequence[table.Entry], choice: Choice) -> dict[str, list[Evaluation]]:
    """By run, its evaluations by the chosen evaluator and network, where it has them."""
    key = choice.evaluator, choice.network
    return {entry.run.id: table.evaluations(entry, *key) for entry in group if key in entry.comparisons}


def _bars(measured: dict[str, list[Evaluation]], place: str) -> None:
    st.subheader("Accuracy")
    chance = 1 / len(next(iter(measured.values()))[0].confusion)
    st.altair_chart(run_bars(measured, chance=chance, ink=ink()), key=f"bars-{place}")
    said = "Error bars: 95 % interval of the mean over seeds (Student's t)"
    if any(len(e.accuracy.runs) < 2 for evaluations in measured.values() for e in evaluations):
        said += "; what was measured with one seed has none"
    st.caption(f"{said}. Line: all clips. Dotted: chance, {chance:.1%}.")
    say_recipes([e for evaluations in measured.values() for e in evaluations])


def _scores(group: Sequence[table.Entry], choice: Choice, place: str) -> None:
    rows = [_score(entry, choice) for entry in group]
    rows.sort(key=lambda row: -row["accuracy"])
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        key=f"scores-{place}",
        column_config={
            "run": st.column_config.TextColumn(pinned=True),
            "accuracy": _THREE,
            "±": st.column_config.NumberColumn(format="%.3f", help="One deviation over the seeds."),
            "seeds": st.column_config.NumberColumn(help="Networks that the accuracy is the mean of."),
            "from": st.column_config.NumberColumn(format="%.3f", help="95 % interval of the mean over seeds."),
            "to": st.column_config.NumberColumn(format="%.3f", help="95 % interval of the mean over seeds."),
            "gain": st.column_config.NumberColumn(format="%+.3f", help="Beyond random clips of the same storage."),
            "lost": st.column_config.NumberColumn(format="%.3f", help="Against all clips (hard label recovery)."),
            "recovered": st.column_config.NumberColumn(format="percent", help="Share of the accuracy of all clips."),
            "macro F1": _THREE,
            "lowest recall": st.column_config.NumberColumn(format="%.3f", help="Of the class recognised worst."),
            "of class": st.column_config.TextColumn(help="The class recognised worst."),
            "floats per class": st.column_config.NumberColumn(format="localized"),
            "seconds per class": st.column_config.NumberColumn(format="%.2f", help="Audio stored for a class."),
            "compression": st.column_config.NumberColumn(
                format="%.0f x", help="Numbers of all training clips for each that is stored."
            ),
            "rendered": st.column_config.NumberColumn(help="Tracks per class that are rendered from what is stored."),
        },
    )


def _score(entry: table.Entry, choice: Choice) -> dict[str, Any]:
    found = entry.comparisons[choice.evaluator, choice.network]
    tracks = next(e for e in table.evaluations(entry, choice.evaluator, choice.network) if e.trained_on == "synthetic")
    low, high = found.tracks.interval or (None, None)
    recall = min(tracks.recall)
    return {
        "run": entry.run.id,
        "accuracy": found.tracks.mean,
        "±": found.tracks.std,
        "seeds": len(found.tracks.runs),
        "from": low,
        "to": high,
        "gain": found.gain,
        "lost": found.lost,
        "recovered": found.recovered,
        "macro F1": tracks.macro_f1,
        "lowest recall": recall,
        "of class": class_names(entry.run, len(tracks.recall))[tracks.recall.index(recall)],
        "floats per class": entry.report.floats_per_class,
        "seconds per class": entry.seconds_per_class,
        "compression": entry.compression,
        "rendered": entry.report.rendered_per_class,
    }


def _differences(group: Sequence[table.Entry], place: str) -> None:
    if len(group) < 2:
        return
    st.subheader("What differs")
    found = table.differing(group)
    if not found:
        st.caption("Nothing: their configs are the same.")
        return
    frame = pd.DataFrame(
        [[_plain(value) for value in values] for values in found.values()],
        index=pd.Index(found, name="setting"),
        columns=[entry.run.id for entry in group],
    )
    marked = frame.style.apply(lambda row: [_MARK if value != row.iloc[0] else "" for value in row], axis=1)
    st.dataframe(marked, key=f"differences-{place}")
    st.caption("Only what is not the same in all of them. Marked: other than in the first.")


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _confusion(group: Sequence[table.Entry], measured: dict[str, list[Evaluation]], place: str) -> None:
    st.subheader("What is taken for what")
    found = {
        f"{entry.run.id}: {evaluation.trained_on}": (entry, evaluation)
        for entry in group
        for evaluation in measured.get(entry.run.id, ())
    }
    usual = [name for name, (_, evaluation) in found.items() if evaluation.trained_on == "synthetic"]
    chosen = pick("At most two", f"matrix-{place}", list(found), usual, most=_MATRICES)
    for column, name in zip(st.columns(max(len(chosen), 1)), chosen, strict=False):
        entry, evaluation = found[name]
        classes = class_names(entry.run, len(evaluation.confusion))
        with column:
            st.markdown(f"**{entry.run.id}**  \nlearnt from {evaluation.trained_on}, {evaluation.accuracy.mean:.1%}")
            st.plotly_chart(confusion_matrix(evaluation.confusion, classes, ink=ink()), key=f"matrix-{place}-{name}")


def _losses(group: Sequence[table.Entry], place: str) -> None:
    st.subheader("Learning curves")
    metrics = {entry.run.id: entry.run.metrics() for entry in group}
    kept = {name: records for name, records in metrics.items() if any("loss" in record for record in records)}
    if kept:
        st.altair_chart(loss_curves(kept), key=f"losses-{place}")
    lacking = [name for name in metrics if name not in kept]
    if lacking:
        st.caption(f"No loss was kept of {', '.join(lacking)}.")
    if len({(entry.job.objective, entry.job.network, entry.job.feature) for entry in group}) > 1:
        st.caption("Objective, network or feature differ: their losses have scales of their own, compare the shapes.")
