"""The preparation of a dataset: download, decoding, and their progress."""

from pathlib import Path

import streamlit as st

from distrack import runs
from distrack.datasets import Dataset, home
from distrack.files import size_text
from distrack.jobs.preparation import Preparation, place, preparation_report
from distrack.ui.shared import job_panel


def show(dataset: Dataset, data_path: Path | None) -> None:
    """The progress of a preparation, or the buttons that start one."""
    run = place(dataset.name, data_path)
    job_panel.follow(run, lambda: _offer(dataset, data_path, run))


def _offer(dataset: Dataset, data_path: Path | None, run: runs.Run) -> None:
    status = run.status()
    if status.state in ("stopped", "stale"):
        st.warning("The preparation was interrupted. Press Prepare to continue.")
    if status.state in ("failed", "stale"):
        with st.expander("Log"):
            job_panel.log(run)
    here = home(dataset, data_path).is_dir()
    ready = preparation_report(run) is not None
    downloadable = bool(dataset.downloads) and data_path is None
    with st.container(horizontal=True, vertical_alignment="center"):
        if here or dataset.make is not None:
            label = "Prepare again" if ready else "Prepare"
            if st.button(label, icon=":material/play_arrow:", type="secondary" if ready else "primary", key="prepare"):
                _start(dataset, data_path, download=False)
        elif downloadable:
            if st.button("Download and prepare", icon=":material/download:", type="primary", key="download"):
                _start(dataset, None, download=True)
            total = sum(remote.size or 0 for remote in dataset.downloads)
            st.caption((f"Download size: {size_text(total)}. " if total else "") + f"Licence: {dataset.licence}.")
    if not here and dataset.make is None:
        ways = "Download it, or choose its folder above" if downloadable else "Choose its folder above"
        st.info(f"Not on this computer. {ways}. Expected contents: {dataset.layout}. {dataset.form}")


def _start(dataset: Dataset, data_path: Path | None, *, download: bool) -> None:
    job_panel.start(Preparation(dataset=dataset.name, data_path=data_path, download=download))
