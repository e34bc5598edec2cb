"""What is compared: runs and filters, kept in the URL, so that a reload or a shared link shows the same."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import streamlit as st

from distrack import jobs, runs
from distrack.evaluate import Evaluation
from distrack.export import comparison as table
from distrack.ui.shared.run_in_view import demo, runs_path

# Runs that are chosen where nobody chose any.
_FEW = 4
_ALL = "all"
# What the URL says of a menu that was emptied.
_NONE = [""]
_FILTERS: dict[str, tuple[str, Callable[[table.Entry], str | int]]] = {
    "dataset": ("Dataset", lambda entry: entry.report.dataset),
    "feature": ("Feature", lambda entry: entry.report.feature),
    "domain": ("Domain", lambda entry: entry.report.domain),
    "ipc": ("Tracks", lambda entry: entry.report.tracks_per_class),
}


class Choice(NamedTuple):
    """What is in view.

    Attributes:
        entries: the chosen runs.
        fitting: all runs that the filters leave.
        evaluator, network: whose figures are shown.
    """

    entries: list[table.Entry]
    fitting: list[table.Entry]
    evaluator: str
    network: str


def everything() -> tuple[list[table.Entry], list[table.Unusable]]:
    """All runs, newest first, the shipped one last; those apart that have no figures, and why."""
    shipped = demo()
    # A run whose config is damaged has no kind; it is shown as damaged.
    own = (run for run in runs.all_runs(runs_path()) if jobs.kind_of(run) in ("distillation", ""))
    found = [run for run in own if shipped is None or run.id != shipped.id]
    entries, unusable = table.read(found + ([] if shipped is None else [shipped]))
    reason = "nothing that learns from its tracks was tested: python -m distrack evaluate "
    unusable += [table.Unusable(entry.run, reason + entry.run.id) for entry in entries if not entry.comparisons]
    return [entry for entry in entries if entry.comparisons], unusable


def choose(entries: list[table.Entry], unusable: list[table.Unusable]) -> Choice | None:
    """The filters and the menu of runs; None where there is nothing to show, which is said."""
    *places, last, after = st.columns([1.3, 1.3, 1, 0.8, 1.4, 1.4])
    fitting = entries
    for place, (name, (label, of)) in zip(places, _FILTERS.items(), strict=True):
        options = [str(value) for value in sorted({of(entry) for entry in entries})]
        with place:
            wanted = _menu(label, name, [_ALL, *options], _ALL)
        if wanted != _ALL:
            fitting = [entry for entry in fitting if str(of(entry)) == wanted]
    chosen = _runs(entries, fitting, unusable)
    if not fitting:
        st.info("No measured run fits these filters.")
        st.button("Clear the filters", icon=":material/filter_alt_off:", key="clear", on_click=_clear)
        return None
    pairs = [pair for entry in chosen or fitting for pair in entry.comparisons]
    with last:
        evaluators = list(dict.fromkeys(evaluator for evaluator, _ in pairs))
        usual = "random-cnn" if "random-cnn" in evaluators else evaluators[0]
        evaluator = _menu("Evaluator", "evaluator", evaluators, usual)
    with after:
        networks = list(dict.fromkeys(network for name, network in pairs if name == evaluator))
        network = _menu("Network", "network", networks, networks[0])
    _remember("evaluator", [evaluator])
    _remember("network", [network])
    if not chosen:
        st.info("Choose the runs to compare above.")
        return None
    return Choice(chosen, fitting, evaluator, network)


def newest(entries: Sequence[table.Entry]) -> list[table.Entry]:
    """The newest few that were measured on the same test clips as the newest of all."""
    return [entry for entry in entries if entry.measured_on == entries[0].measured_on][:_FEW]


def pick(label: str, name: str, options: Sequence[str], usual: Sequence[str], *, most: int) -> list[str]:
    """A menu of several, kept in the URL; what the URL names and is no longer there gives way to the usual.

    Args:
        label: what the menu is called.
        name: what the URL calls it.
        options: what there is.
        usual: what is chosen where the URL says nothing.
        most: how many may be chosen.
    """
    asked = st.query_params.get_all(name)
    here = [each for each in asked if each in options] or ([] if asked == _NONE else list(usual))
    return _several(label, name, options, here[:most], most=most)


def switch(label: str, name: str, options: Sequence[str], *, place: str) -> str:
    """A choice of a few that all can be seen, kept in the URL; the first where it says nothing.

    Args:
        label: what is chosen.
        name: what the URL calls it.
        options: what there is.
        place: tells it from others of that name on the page.
    """
    asked = st.query_params.get(name)
    key = _holding(f"{name}-{place}", options[0] if asked is None or asked not in options else asked)
    st.segmented_control(
        label, options, key=key, required=True, on_change=lambda: _remember(name, [st.session_state[key]])
    )
    return str(st.session_state[key])


def say_recipes(evaluations: Sequence[Evaluation]) -> None:
    """Says what of the evaluators' own training is not the same."""
    recipes = [evaluation.recipe for evaluation in evaluations if evaluation.recipe]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    other = [name for name in names if any(recipe.get(name) != recipes[0].get(name) for recipe in recipes)]
    if other:
        st.caption(f":material/info: Measured by recipes that differ in {', '.join(other)}: compare with care.")


def _runs(entries: list[table.Entry], fitting: list[table.Entry], unusable: list[table.Unusable]) -> list[table.Entry]:
    found = {entry.run.id: entry for entry in fitting}
    asked = st.query_params.get_all("run")
    wanted = [] if asked == _NONE else list(dict.fromkeys(asked))
    _say_missing([name for name in wanted if name not in found], entries, unusable)
    chosen = [name for name in wanted if name in found]
    if not chosen and asked != _NONE:
        chosen = [entry.run.id for entry in newest(fitting)]
    if fitting:
        _remember("run", chosen or _NONE)
    return [found[name] for name in _several("Runs", "run", list(found), chosen)]


def _say_missing(names: Sequence[str], entries: list[table.Entry], unusable: list[table.Unusable]) -> None:
    reasons = {each.run.id: each.reason for each in unusable}
    measured = {entry.run.id for entry in entries}
    for name in names:
        if name in measured:
            st.caption(f"Left out, as it does not fit the filters: {name}")
        elif name in reasons:
            st.warning(f"{name} cannot be compared: {reasons[name]}")
        else:
            st.warning(f"no run {name!r} in {runs_path()}: it is left out")


def _menu(label: str, name: str, options: Sequence[str], usual: str) -> str:
    asked = st.query_params.get(name)
    if asked is not None and asked not in options:
        st.warning(f"no {label.lower()} {asked!r} here: showing {usual}")
        del st.query_params[name]
        asked = None
    key = _holding(name, usual if asked is None else asked)
    return st.selectbox(
        label,
        options,
        key=key,
        on_change=lambda: _remember(name, [] if st.session_state[key] == _ALL else [st.session_state[key]]),
    )


def _several(label: str, name: str, options: Sequence[str], chosen: list[str], *, most: int | None = None) -> list[str]:
    key = _holding(name, chosen)
    return st.multiselect(
        label,
        options,
        key=key,
        max_selections=most,
        on_change=lambda: _remember(name, st.session_state[key] or _NONE),
    )


def _holding(name: str, value: str | list[str]) -> str:
    """The key of a widget that shows what the URL says: that is the truth, the widget only changes it."""
    key = f"compare-{name}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


def _remember(name: str, values: list[str]) -> None:
    if st.query_params.get_all(name) != values:
        st.query_params[name] = values


def _clear() -> None:
    for name in _FILTERS:
        st.query_params.pop(name, None)
