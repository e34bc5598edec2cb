"""The runs in the store that the environment names: which are there, a button that fetches them, and its progress."""

import time
from collections.abc import Sequence

import streamlit as st

from distrack import jobs, runs
from distrack.errors import ConfigError
from distrack.files import size_text
from distrack.jobs.packing import is_dataset
from distrack.jobs.transfer import FOLDER, PullJob, PushJob, Transfer, place_here, place_of
from distrack.store import Manifest, addresses, is_set, listed, open_store
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import errors_shown
from distrack.ui.shared.run_in_view import runs_path

# Seconds within which a run that is worked on elsewhere usually appears, and between two looks for it.
_APPEARS, _POLL = 10.0, 0.2


def show(*kinds: str) -> None:
    """What is in the store of some kinds, runs of every kind if none is named; nothing where no store is named."""
    for number, address in enumerate(addresses()):
        suffix = f"-{number}" * (number > 0)
        with errors_shown():
            where = open_store(address).where
            shelf = st.expander(f"In {where}", icon=":material/cloud:", key=f"stored{suffix}", on_change="rerun")
            # Looked up once it is wanted: a bucket may be far away.
            if shelf.open:
                with shelf:
                    _list(address, kinds, suffix)


def push_button(words: Sequence[str]) -> None:
    """A button that copies runs, by their ids, or datasets to the store; nothing where no store is named."""
    if is_set() and words and st.button("Push", icon=":material/cloud_upload:", key="push"):
        _launch([PushJob(run=word) for word in words])


def transfers() -> None:
    """The progress of transfers that are running, and the errors of those that failed since."""
    folder = runs_path() / FOLDER
    for run in runs.all_runs(folder) if folder.is_dir() else ():
        status = run.status()
        if status.state in runs.ALIVE or (status.state == "failed" and run.id in st.session_state.get("moved", ())):
            st.caption(run.id.replace("-", " ", 1))
            job_panel.follow(run, lambda: None)


def _list(address: str, kinds: Sequence[str], suffix: str) -> None:
    manifests = _manifests(address)
    parts = {part for each in manifests for part in each.parts}
    of_kind = [each for each in manifests if (each.kind in kinds if kinds else not is_dataset(each.id))]
    wanted = [each for each in of_kind if each.id not in parts]
    if not wanted:
        st.caption("Nothing is there yet. Push copies what is on this computer.")
        return
    absent = {each.id: each for each in wanted if not _is_here(each)}
    chosen = st.multiselect(
        "What to fetch",
        list(absent),
        format_func=lambda run_id: _label(absent[run_id]),
        key=f"to-fetch{suffix}",
        disabled=not absent,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Fetch", icon=":material/cloud_download:", key=f"fetch{suffix}", disabled=not chosen):
            watched = [run_id for run_id in chosen if absent[run_id].in_progress]
            _launch([PullJob(run=run_id, store=address) for run_id in chosen], watched)
        if st.button("Look again", icon=":material/refresh:", key=f"look-again{suffix}"):
            _manifests.clear()
            st.rerun()
        st.caption(f"{len(wanted) - len(absent)} of {len(wanted)} are on this computer, too.")


def _is_here(manifest: Manifest) -> bool:
    """Whether a run or a dataset is on this computer; a dataset that this version does not know is not offered."""
    try:
        return place_here(manifest.id, runs_path()).is_dir()
    except ConfigError:
        return True


def _label(manifest: Manifest) -> str:
    state = "in progress" if manifest.in_progress else size_text(manifest.size)
    return f"{manifest.title} · {state} · {manifest.id}"


def _launch(wanted: Sequence[Transfer], watched: Sequence[str] = ()) -> None:
    """Starts transfers, and waits a moment for the runs that will be watched: they are then in the table at once."""
    with errors_shown():
        for job in wanted:
            jobs.launch(job, runs_path())
            st.session_state.setdefault("moved", set()).add(place_of(job, runs_path()).id)
        deadline = time.monotonic() + _APPEARS
        with st.spinner("Fetching"):
            while time.monotonic() < deadline and not all(
                (place_here(run_id, runs_path()) / "status.json").is_file() for run_id in watched
            ):
                time.sleep(_POLL)
        st.rerun()


@st.cache_data(ttl=60, show_spinner="Looking into the store")
def _manifests(address: str) -> list[Manifest]:
    return listed(open_store(address))
