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
    """A menu of the distillations that suit, newest first, kept in the URL; None if there is none."""
    suiting = {run.id: run for run in jobs.all_runs(runs_path()) if _is_distillation(run) and suits(run)}
    shipped = demo()
    if shipped is not None and suits(shipped):
        suiting[shipped.id] = shipped
    if not suiting:
        return None
    names = list(suiting)
    named = _named()
    index = names.index(named) if named in names else 0
    chosen = st.selectbox(label, names, index=index, key=f"choose-{label}-{names[index]}")
    if st.query_params.get("run") != chosen:
        st.query_params["run"] = chosen
    return suiting[chosen]


def _named() -> str | None:
    """The id that the URL names; one that is not there, or is no distillation, is shown as a warning and forgotten."""
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
