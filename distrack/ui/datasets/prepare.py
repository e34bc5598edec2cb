"""A dataset's way onto this disk: download, preparation, upload, and how far they are."""

from pathlib import Path

import streamlit as st

from distrack import runs
from distrack.audio import EXTENSIONS
from distrack.datasets import Dataset, home
from distrack.datasets.upload import store_upload
from distrack.files import size_text
from distrack.jobs.preparation import Preparation, place, preparation_report
from distrack.settings import settings
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import show_errors


def panel(dataset: Dataset, data_path: Path | None) -> None:
    """What can be done to have the dataset ready, and what is being done."""
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
    with st.container(horizontal=True, vertical_alignment="center"):
        if here or dataset.make is not None:
            label = "Prepare again" if ready else "Prepare"
            if st.button(label, icon=":material/play_arrow:", type="secondary" if ready else "primary", key="prepare"):
                _start(dataset, data_path, download=False)
        elif dataset.downloads and data_path is None:
            if st.button("Download and prepare", icon=":material/download:", type="primary", key="download"):
                _start(dataset, None, download=True)
            total = sum(remote.size or 0 for remote in dataset.downloads)
            st.caption((f"Download size: {size_text(total)}. " if total else "") + f"Licence: {dataset.licence}.")
    if not here and dataset.make is None:
        ways = " or let it be downloaded" if dataset.downloads and data_path is None else ""
        st.info(f"Not on this disk. Name its folder above{ways}. Expected there: {dataset.layout}. {dataset.form}")


def _start(dataset: Dataset, data_path: Path | None, *, download: bool) -> None:
    job_panel.start(Preparation(dataset=dataset.name, data_path=data_path, download=download))


def upload() -> None:
    """Recordings of a person's own become a dataset; those that became one before."""
    before = sorted(path for path in (settings().data_path / "uploads").glob("[!.]*") if path.is_dir())
    with st.container(horizontal=True):
        for path in before:
            here = {"dataset": "FOLDER", "path": str(path)}
            st.page_link("pages/datasets.py", label=path.name, icon=":material/folder_open:", query_params=here)
    with st.expander("Upload recordings", icon=":material/upload:"):
        st.markdown(
            f"One **zip**, or a whole **folder**, with a subfolder for each class: `dogs/1.wav`, `rain/1.flac` …; "
            f"{', '.join(sorted(EXTENSIONS))} are kept."
        )
        name = st.text_input("Name", placeholder="my-sounds", help="Letters, digits, dashes and underscores.")
        first, second = st.columns(2)
        archive = first.file_uploader("A zip", type=["zip"])
        folder = second.file_uploader("A folder", accept_multiple_files="directory", type=sorted(EXTENSIONS))
        files = [archive] if archive is not None else list(folder or [])
        if st.button("Make a dataset of it", type="primary", disabled=not (name and files), key="upload"):
            given = ((file.name, file) for file in files)
            stored: list[Path] = []
            with st.spinner("Storing"):
                show_errors(lambda: stored.append(store_upload(name, given, data_path=settings().data_path)))
            if stored:
                st.query_params.from_dict({"dataset": "FOLDER", "path": str(stored[0])})
                st.rerun()
