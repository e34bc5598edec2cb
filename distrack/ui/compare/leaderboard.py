"""The leaderboard: every run of a dataset by what it stores and what is learnt from it, and what others reported."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from distrack.evaluate import Comparison
from distrack.export import comparison as table
from distrack.export.published import published
from distrack.figures.accuracy import Placed, accuracy_against_budget
from distrack.ui.compare.choice import Choice, say_recipes, switch
from distrack.ui.shared.page import ink

_COLOURED_BY = ("parameterisation", "domain", "feature")
_THREE = st.column_config.NumberColumn(format="%.3f")


def show(group: Sequence[table.Entry], choice: Choice, place: str) -> None:
    """All runs that were tested on the same clips as these, by the same evaluator: a point each, and ranked.

    Args:
        group: the chosen ones, which stand out.
        choice: the evaluator, and the runs that the filters leave.
        place: tells the widgets of this group from those of others.
    """
    dataset, key = group[0].report.dataset, (choice.evaluator, choice.network)
    of_dataset = [entry for entry in choice.fitting if entry.report.dataset == dataset]
    same = [entry for entry in of_dataset if entry.measured_on == group[0].measured_on and key in entry.comparisons]
    if not same:
        return
    st.subheader(f"All runs of {dataset}")
    series = switch("Colour", "colour", _COLOURED_BY, place=place)
    found = {entry.run.id: entry.comparisons[key] for entry in same}
    full = max((each.full.mean for each in found.values() if each.full is not None), default=None)
    chance = 1 / len(table.evaluations(same[0], *key)[0].confusion)
    chosen = {entry.run.id for entry in group}
    placed = [_random(entry, found[entry.run.id]) for entry in same] + [
        Placed(
            entry.run.id,
            entry.report.floats_per_class,
            found[entry.run.id].tracks,
            getattr(entry.report, series),
            entry.run.id in chosen,
        )
        for entry in same
    ]
    figure = accuracy_against_budget([each for each in placed if each is not None], full=full, chance=chance, ink=ink())
    st.altair_chart(figure, key=f"budget-{place}")
    said = (
        f"{len(same)} of {len(of_dataset)} runs: tested on the same clips, by {choice.evaluator} with {choice.network}."
    )
    st.caption(f"{said} Ringed: the chosen ones. Bars: 95 % interval over seeds. All clips: the best of these runs.")
    say_recipes([table.evaluations(entry, *key)[0] for entry in same])
    _ranked(same, found, place)


def _random(entry: table.Entry, found: Comparison) -> Placed | None:
    """The random clips that a run was measured beside, at what they take themselves."""
    if found.random is None:
        return None
    return Placed(entry.run.id, entry.floats_of_random_clips, found.random, None)


def _ranked(same: Sequence[table.Entry], found: Mapping[str, Comparison], place: str) -> None:
    ranked = sorted(same, key=lambda entry: -found[entry.run.id].tracks.mean)
    st.dataframe(
        [_line(rank, entry, found[entry.run.id]) for rank, entry in enumerate(ranked, start=1)],
        hide_index=True,
        placeholder="–",
        key=f"ranked-{place}",
        column_config={
            "": st.column_config.NumberColumn(width=40, pinned=True),
            "accuracy": _THREE,
            "±": st.column_config.NumberColumn(format="%.3f", help="One deviation over the seeds."),
            "gain": st.column_config.NumberColumn(format="%+.3f", help="Beyond random clips of the same storage."),
            "floats per class": st.column_config.NumberColumn(format="localized"),
        },
    )


def _line(rank: int, entry: table.Entry, found: Comparison) -> dict[str, Any]:
    report = entry.report
    return {
        "": rank,
        "run": entry.run.id,
        "accuracy": found.tracks.mean,
        "±": found.tracks.std,
        "gain": found.gain,
        "floats per class": report.floats_per_class,
        "tracks per class": report.tracks_per_class,
        "parameterisation": report.parameterisation,
        "feature": report.feature,
        "domain": report.domain,
    }


def reported(dataset: str, place: str) -> None:
    """What others have published of a dataset, where there is any: never beside what was measured here."""
    found = published(dataset)
    if not found:
        return
    st.subheader("Reported by others")
    st.caption("Reported by others, other splits and recipes: not comparable with the figures above.")
    st.dataframe(
        [
            {
                "evaluator": each.evaluator,
                "trained on": each.trained_on,
                "tracks per class": each.tracks_per_class,
                "accuracy": each.accuracy,
            }
            for each in found
        ],
        hide_index=True,
        placeholder="–",
        key=f"reported-{place}",
        column_config={"accuracy": st.column_config.NumberColumn(format="%.2f")},
    )
