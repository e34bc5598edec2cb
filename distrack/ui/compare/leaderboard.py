"""The leaderboard: all runs of a dataset by accuracy and storage, and the accuracies that others have published."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from distrack.distill.domains import DOMAINS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.evaluate import EVALUATORS, Comparison
from distrack.export.comparison import Entry, evaluations
from distrack.export.published import published
from distrack.features import FEATURES
from distrack.figures.accuracy import Placed, accuracy_against_budget
from distrack.registry import Registry
from distrack.ui.compare.selection import Selection, warn_about_recipes
from distrack.ui.compare.url_widgets import menu
from distrack.ui.shared.page import chart, ink
from distrack.ui.shared.scores import score_table

_KINDS: dict[str, Registry[Any]] = {"parameterisation": PARAMETERISATIONS, "domain": DOMAINS, "feature": FEATURES}


def show(group: Sequence[Entry], selection: Selection, place: str) -> None:
    """All runs with the same test clips, by the same evaluator: a point each in a figure, and ranked in a table.

    The selected runs are circled. `place` distinguishes the widgets of this group from those of others.
    """
    dataset, key = group[0].report.dataset, (selection.evaluator, selection.network)
    of_dataset = [entry for entry in selection.candidates if entry.report.dataset == dataset]
    entries = [entry for entry in of_dataset if entry.measured_on == group[0].measured_on and key in entry.comparisons]
    if not entries:
        return
    st.markdown(f"**All runs of {group[0].job.source}**")
    colour = menu("Colour", "colour", list(_KINDS), "parameterisation", str.capitalize, place=f"-{place}")
    comparisons = {entry.run.id: entry.comparisons[key] for entry in entries}
    full = max((each.full.mean for each in comparisons.values() if each.full is not None), default=None)
    chance = 1 / len(evaluations(entries[0], *key)[0].confusion)
    selected = {entry.run.id for entry in group}
    points = [
        Placed(entry.title, entry.floats_of_random_clips, random, None)
        for entry in entries
        if (random := comparisons[entry.run.id].random) is not None
    ]
    for entry in entries:
        run, report = entry.run.id, entry.report
        tracks, series = comparisons[run].tracks, _KINDS[colour].short_title(getattr(report, colour))
        points.append(Placed(entry.title, report.floats_per_class, tracks, series, run in selected))
    chart(accuracy_against_budget(points, full=full, chance=chance, ink=ink()), key=f"budget-{place}")
    st.caption(
        f"{len(entries)} of {len(of_dataset)} runs, tested on the same clips by {EVALUATORS.title(key[0])} with "
        f"{key[1]}. Circled: selected runs. Error bars: 95 % CI over seeds. Line: best full-data accuracy."
    )
    warn_about_recipes([evaluations(entry, *key)[0] for entry in entries])
    _ranking(entries, comparisons, place)


def _ranking(entries: Sequence[Entry], comparisons: Mapping[str, Comparison], place: str) -> None:
    ranked = sorted(entries, key=lambda entry: -comparisons[entry.run.id].tracks.mean)
    score_table(
        [_row(rank, entry, comparisons[entry.run.id]) for rank, entry in enumerate(ranked, start=1)],
        {"": st.column_config.NumberColumn(width=40, pinned=True)},
        key=f"ranked-{place}",
    )


def _row(rank: int, entry: Entry, comparison: Comparison) -> dict[str, Any]:
    report = entry.report
    return {
        "": rank,
        "run": entry.title,
        "accuracy": comparison.tracks.mean,
        "SD": comparison.tracks.std,
        "as sound": comparison.sound and comparison.sound.mean,
        "vs random": comparison.gain,
        "distillation adds": comparison.added,
        "floats per class": report.floats_per_class,
        "tracks per class": report.tracks_per_class,
        **{name: registry.short_title(getattr(report, name)) for name, registry in _KINDS.items()},
        "id": entry.run.id,
    }


def show_published(dataset: str, place: str) -> None:
    """The published accuracies on a dataset, if there are any, in a table of their own."""
    accuracies = published(dataset)
    if not accuracies:
        return
    st.markdown("**Published results**")
    st.caption("Other splits and training recipes: not comparable with the accuracies above.")
    rows = [{name.replace("_", " "): value for name, value in each if name != "dataset"} for each in accuracies]
    score_table(rows, {"accuracy": st.column_config.NumberColumn(format="%.2f")}, key=f"reported-{place}")
