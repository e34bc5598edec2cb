"""Runs on a page: what is shown of each kind, the run that the URL names, and menus, lists and links of runs."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

import streamlit as st

from distrack import jobs, runs
from distrack.errors import RunError
from distrack.jobs import Job
from distrack.jobs.contract import title_of, titles_of
from distrack.registry import Registry
from distrack.settings import PROJECT, settings
from distrack.ui.shared.page import sentence
from distrack.ui.shared.progress import badge, bar

DEMO = PROJECT / "assets" / "demo"
J = TypeVar("J", bound=Job)


class Panel(NamedTuple):
    """The pieces that the job panel draws for runs of one kind.

    Attributes:
        page: the page that shows them, such as `pages/distill.py`.
        parameter: the parameter of the URL that names the run in view.
        live: drawn at every look, while the run is running and after; takes the run and its status.
        done: drawn once the run is not running; takes the run.
        links: drawn in place of the buttons when the run is done; takes the run.
    """

    page: str
    parameter: str
    live: Callable[[runs.Run, runs.Status], None]
    done: Callable[[runs.Run], None] = lambda run: None  # noqa: ARG005
    links: Callable[[runs.Run], None] = lambda run: None  # noqa: ARG005


PANELS: Registry[Panel] = Registry("panel")


def runs_path() -> Path:
    """Folder of the runs."""
    return settings().runs_path.expanduser().absolute()


def demo() -> runs.Run | None:
    """The finished run that comes with the project, or None."""
    return runs.Run(DEMO) if (DEMO / "report.json").is_file() else None


def distillations() -> list[runs.Run]:
    """All distillations, newest first and the included one last; also damaged ones, whose results are readable."""
    own = [run for run in jobs.all_runs(runs_path()) if jobs.kind_of(run) in ("distillation", "")]
    included = demo()
    return own if included is None else [*(run for run in own if run.id != included.id), included]


def job_of(run: runs.Run, kind: type[J]) -> J | None:
    """The job of a run; None if its config cannot be read, or is of another kind."""
    try:
        job = jobs.job_of(run)
    except RunError:
        return None
    return job if isinstance(job, kind) else None


def named(kind: str) -> runs.Run | None:
    """The run of a kind that the URL names; None if it names none, or one that is not there, which is shown."""
    parameter = PANELS[kind].parameter
    run_id = st.query_params.get(parameter)
    if run_id is None:
        return None
    try:
        run = jobs.find(runs_path(), run_id)
        if jobs.kind_of(run) in (kind, ""):
            return run
        st.warning(f"{title_of(run)} is shown on another page.")
        link(run, "Open it")
    except RunError as error:
        st.warning(sentence(error.problem))
        st.page_link("pages/runs.py", label="All runs", icon=":material/list:")
    del st.query_params[parameter]
    return None


def choose(label: str, suits: Callable[[runs.Run], bool]) -> runs.Run | None:
    """Draws a menu of distillations, newest first, and returns the selected one; None if there is none.

    The selected run is kept in the URL. No other run is shown than the one that the URL names: until that one suits,
    the page waits for it and draws nothing further.
    """
    included = demo()
    of_demo = included is not None and st.query_params.get("run") == included.id
    in_view = included if of_demo else named("distillation")
    own = "" if in_view is None else in_view.id
    offered = {run.id: run for run in distillations() if run.id == own or suits(run)}
    if not offered:
        return None
    names = list(offered)
    index = names.index(own or names[0])
    text = titles_of(offered.values())
    selected = st.selectbox(label, names, index, text.__getitem__, key=f"choose-{label}-{names[index]}")
    st.query_params["run"] = selected
    if not suits(offered[selected]):
        _wait_for(offered[selected], suits)
        st.stop()
    return offered[selected]


@st.fragment(run_every=1.0)
def _wait_for(run: runs.Run, suits: Callable[[runs.Run], bool]) -> None:
    """Says that a run has nothing to show on the page yet, until it has."""
    if suits(run):
        st.rerun()
    st.info(f"{title_of(run)} has nothing to show here yet.")
    status = run.status()
    if status.state in runs.ALIVE:
        bar(run, status)
    link(run, "Watch it")


def list_runs(shown: Iterable[runs.Run], note: Callable[[runs.Run], str]) -> None:
    """Lists runs as links, with their states and a few words about each."""
    shown = list(shown)
    text = titles_of(shown)
    for run in shown:
        with st.container(horizontal=True, vertical_alignment="center"):
            badge(run.status())
            link(run, text[run.id])
            if said := note(run):
                st.caption(said)


def earlier(kind: str, note: Callable[[runs.Run], str] = lambda run: "") -> int:  # noqa: ARG005
    """Lists the runs of a kind, newest first, with a note about each; returns how many there are."""
    found = list(jobs.all_runs(runs_path(), kind))
    list_runs(found, note)
    return len(found)


def link_to_compare(run_ids: Iterable[str], label: str) -> None:
    """Draws a link to the Compare page with these runs selected."""
    here = [("run", run_id) for run_id in run_ids]
    st.page_link("pages/compare.py", label=label, icon=":material/compare_arrows:", query_params=here)


def link(run: runs.Run, label: str = "") -> None:
    """Draws a link to the page that shows a run; its label is the run's title by default."""
    kind = jobs.kind_of(run)
    panel = PANELS[kind if kind in PANELS else "distillation"]
    st.page_link(panel.page, label=label or title_of(run), query_params={panel.parameter: run.id}, help=run.id)


def link_to_results(run: runs.Run) -> None:
    """Draws links to the tracks and to the accuracy of a finished distillation."""
    here = {"run": run.id}
    st.page_link("pages/listen.py", label="Listen", icon=":material/graphic_eq:", query_params=here)
    st.page_link("pages/evaluate.py", label="Evaluate", icon=":material/bar_chart:", query_params=here)
