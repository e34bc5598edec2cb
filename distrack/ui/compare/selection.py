"""The selection of the Compare page: runs, filters, evaluator and network."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import streamlit as st

from distrack.datasets import DATASETS
from distrack.distill.domains import DOMAINS
from distrack.evaluate import EVALUATORS, Evaluation
from distrack.export.comparison import Entry, Unusable, read
from distrack.features import FEATURES
from distrack.ui.compare.url_widgets import ALL, linked, menu, requested, set_parameter
from distrack.ui.shared.run_in_view import distillations, runs_path

# Number of runs that are selected at first.
_FIRST_SELECTION = 4
# By parameter of the URL: the label, the field of a report, and the text of its value.
_FILTERS: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "dataset": ("Dataset", "dataset", DATASETS.short_title),
    "feature": ("Representation", "feature", FEATURES.title),
    "domain": ("Domain", "domain", DOMAINS.short_title),
    "ipc": ("Tracks per class", "tracks_per_class", str),
}
# The page on which a run that cannot be compared yet is resumed or evaluated.
_REMEDY_PAGES = {"resume": "pages/distill.py", "evaluate": "pages/evaluate.py"}


class Selection(NamedTuple):
    """The selected runs, all runs that the filters leave, and the evaluator and network whose scores are shown."""

    entries: list[Entry]
    candidates: list[Entry]
    evaluator: str
    network: str


def all_runs() -> tuple[list[Entry], list[Unusable]]:
    """The evaluated runs, newest first and the included one last, and the runs that cannot be compared."""
    entries, unusable = read(distillations())
    unusable += [
        Unusable(entry.run, "no evaluator has measured its tracks", entry.title, remedy="evaluate")
        for entry in entries
        if not entry.comparisons
    ]
    return [entry for entry in entries if entry.comparisons], unusable


def show_unusable(unusable: Sequence[Unusable]) -> None:
    """The runs that cannot be compared, each with the reason and a link to the page that helps, in a closed box."""
    if not unusable:
        return
    runs = "run" if len(unusable) == 1 else "runs"
    with st.expander(f"{len(unusable)} {runs} without results", icon=":material/info:"):
        for each in unusable:
            st.markdown(f"**{each.title}**: {each.reason}", help=each.run.id)
            if each.remedy:
                page, here = _REMEDY_PAGES[each.remedy], {"run": each.run.id}
                st.page_link(page, label=each.remedy.capitalize(), query_params=here)


def select(entries: list[Entry], unusable: list[Unusable]) -> Selection | None:
    """The filters and menus; None if nothing is selected, which the page then explains."""
    *filters, evaluator_place, network_place = st.columns([1.3, 1.3, 1, 1, 1.4, 1.4])
    candidates = entries
    for place, (name, (label, field, text)) in zip(filters, _FILTERS.items(), strict=True):
        options = [str(value) for value in sorted({getattr(entry.report, field) for entry in entries})]
        with place:
            value = menu(label, name, [ALL, *options], ALL, text)
        if value != ALL:
            candidates = [entry for entry in candidates if str(getattr(entry.report, field)) == value]
    selected = _select_runs(entries, candidates, unusable)
    if not candidates:
        st.info("No evaluated run fits these filters.")
        st.button("Clear filters", icon=":material/filter_alt_off:", key="clear", on_click=_clear_filters)
        return None
    measured_by = [pair for entry in selected or candidates for pair in entry.comparisons]
    with evaluator_place:
        evaluators = list(dict.fromkeys(evaluator for evaluator, _ in measured_by))
        first = "random-cnn" if "random-cnn" in evaluators else evaluators[0]
        evaluator = menu("Evaluator", "evaluator", evaluators, first, EVALUATORS.title)
    with network_place:
        networks = list(dict.fromkeys(network for name, network in measured_by if name == evaluator))
        network = menu("Network", "network", networks, networks[0])
    set_parameter("evaluator", evaluator)
    set_parameter("network", network)
    if not selected:
        st.info("Select runs to compare above.")
        return None
    return Selection(selected, candidates, evaluator, network)


def warn_about_recipes(evaluations: Sequence[Evaluation]) -> None:
    """A note if the evaluations were made by different training recipes."""
    recipes = [evaluation.recipe for evaluation in evaluations if evaluation.recipe]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    differing = [name for name in names if any(recipe.get(name) != recipes[0].get(name) for recipe in recipes)]
    if differing:
        st.caption(f":material/info: Evaluation settings differ ({', '.join(differing)}).")


def _select_runs(entries: list[Entry], candidates: list[Entry], unusable: list[Unusable]) -> list[Entry]:
    by_id = {entry.run.id: entry for entry in candidates}
    in_url = requested("run")
    _explain_missing([run_id for run_id in in_url or () if run_id not in by_id], entries, unusable)
    selected = [run_id for run_id in in_url or () if run_id in by_id]
    if not selected and in_url != []:
        # The newest runs with the same test clips as the newest of all.
        alike = [entry.run.id for entry in candidates if entry.measured_on == candidates[0].measured_on]
        selected = alike[:_FIRST_SELECTION]
    if candidates:
        set_parameter("run", selected)
    text = {run_id: entry.title for run_id, entry in by_id.items()}
    shown = linked(st.multiselect, "Runs", list(by_id), name="run", value=selected, format_func=text.get)
    return [by_id[run_id] for run_id in shown]


def _explain_missing(run_ids: Sequence[str], entries: list[Entry], unusable: list[Unusable]) -> None:
    """Says why runs that the URL names are not shown."""
    reasons = {each.run.id: f"{each.title} cannot be compared: {each.reason}." for each in unusable}
    evaluated = {entry.run.id: entry.title for entry in entries}
    for run_id in run_ids:
        if run_id in evaluated:
            st.caption(f"Hidden by filters: {evaluated[run_id]}")
        elif run_id in reasons:
            st.warning(reasons[run_id])
        else:
            st.warning(f"Run {run_id!r} not found in {runs_path()}.")


def _clear_filters() -> None:
    for name in _FILTERS:
        st.query_params.pop(name, None)
