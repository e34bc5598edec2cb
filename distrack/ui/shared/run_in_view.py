"""The distillation in view: named in the URL, so that a refresh, a second tab or a restarted server shows the same."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from distrack import jobs, runs
from distrack.errors import RunError
from distrack.settings import PROJECT, settings

DEMO = PROJECT / "assets" / "demo"


def runs_path() -> Path:
    """Folder of the runs."""
    return settings().runs_path.expanduser().absolute()


def demo() -> runs.Run | None:
    """The finished run that comes with the project, or None."""
    return runs.Run(DEMO) if (DEMO / "report.json").is_file() else None


def choose(label: str, suits: Callable[[runs.Run], bool]) -> runs.Run | None:
    """Draws a menu of distillations, newest first, and returns the selected one; None if there is none.

    The selected run is kept in the URL. A run that the URL names and that does not suit is named in a message.

    Args:
        label: label of the menu.
        suits: whether the menu offers a run.
    """
    suiting = {run.id: run for run in jobs.all_runs(runs_path()) if _is_distillation(run) and suits(run)}
    shipped = demo()
    if shipped is not None and suits(shipped):
        suiting[shipped.id] = shipped
    if not suiting:
        return None
    names = list(suiting)
    in_url = _id_in_url()
    if in_url is not None and in_url not in names:
        st.info(f"Run {in_url} has nothing to show here yet. Another run is shown.")
    index = names.index(in_url) if in_url in names else 0
    selected = st.selectbox(label, names, index=index, key=f"choose-{label}-{names[index]}")
    if in_url is None or in_url in names or selected != names[index]:
        st.query_params["run"] = selected
    return suiting[selected]


def _id_in_url() -> str | None:
    """The id of a distillation that the URL names; any other id is removed from it after a warning."""
    run_id = st.query_params.get("run")
    if run_id is None or (run_id == DEMO.name and demo() is not None):
        return run_id
    try:
        run = runs.find(runs_path(), run_id)
        if _is_distillation(run):
            return run_id
        st.warning(f"Run {run_id} is a {jobs.kind_of(run)}, not a distillation.")
    except RunError as error:
        st.warning(str(error))
    del st.query_params["run"]
    return None


def _is_distillation(run: runs.Run) -> bool:
    """Also a run whose config is damaged: its results are readable."""
    return jobs.kind_of(run) in ("distillation", "")
