"""The run in view: named in the URL, so that a refresh, a second tab or a restarted server shows the same one."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from distrack import runs
from distrack.errors import RunError
from distrack.settings import PROJECT, settings

DEMO = PROJECT / "assets" / "demo"


def runs_path() -> Path:
    """Folder of the runs."""
    return settings().runs_path.expanduser().absolute()


def demo() -> runs.Run | None:
    """The finished run that comes with the project."""
    return runs.Run(DEMO) if (DEMO / "report.json").is_file() else None


def named() -> runs.Run | None:
    """The distillation that the URL names, or None; a name that is not there is said and forgotten."""
    run_id = st.query_params.get("run")
    if run_id is None:
        return None
    if run_id == DEMO.name and demo() is not None:
        return demo()
    try:
        run = runs.find(runs_path(), run_id)
    except RunError as error:
        st.warning(str(error))
    else:
        if not run.takes_apart:
            return run
        st.warning(f"run {run_id} takes a clip apart: it is on the page Decompose")
    del st.query_params["run"]
    return None


def choose(label: str, suits: Callable[[runs.Run], bool]) -> runs.Run | None:
    """A menu of the distillations that suit, newest first, kept in the URL; None where there is none."""
    found = {run.id: run for run in runs.all_runs(runs_path()) if not run.takes_apart and suits(run)}
    shipped = demo()
    if shipped is not None and suits(shipped):
        found[shipped.id] = shipped
    if not found:
        return None
    here = named()
    names = list(found)
    index = names.index(here.id) if here is not None and here.id in found else 0
    chosen = st.selectbox(label, names, index=index, key=f"choose-{label}-{names[index]}")
    if st.query_params.get("run") != chosen:
        st.query_params["run"] = chosen
    return found[chosen]
