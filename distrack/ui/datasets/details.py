"""One dataset: its licence and citation, its folder, its preparation with the download, and its clips."""

from pathlib import Path

import streamlit as st

from distrack import runs
from distrack.datasets import Dataset, DoubtfulLayoutError, FolderReading, IncompleteError, Layout, home, look
from distrack.datasets.class_folders import side_of
from distrack.errors import DatasetError, DistrackError
from distrack.files import size_text
from distrack.jobs.preparation import Preparation, place, preparation_report, reading, used_folders
from distrack.settings import settings, user_path
from distrack.ui.datasets import explore, upload
from distrack.ui.runs import stored
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import sentence

_LAYOUTS: dict[Layout, str] = {"auto": "Recognised", "classes": "Classes", "splits": "Sides of a split"}


def show(dataset: Dataset) -> None:
    """Draws everything about one dataset.

    Raises:
        ConfigError: the folder in the URL cannot be resolved.
        DatasetError: the recordings in the folder cannot be used.
    """
    st.header(dataset.title)
    st.markdown(f"{task_text(dataset)} · {dataset.licence}")
    with st.expander("About this dataset"):
        st.markdown(f"{dataset.url}\n\nLicence of the recordings: {dataset.licence}")
        if dataset.citation:
            st.code(dataset.citation, language="bibtex", wrap_lines=True)
    if dataset.name == "FOLDER":
        upload.show()
    folder_links(dataset)
    path = _folder(dataset)
    run = place(dataset.name, path)
    job_panel.follow(run, lambda: _preparation(dataset, path, run))
    stored.transfers()
    if dataset.labelled:
        explore.show(dataset, path)
    elif home(dataset, path).is_dir():
        explore.recordings(look(dataset.name, path))


def folder_links(dataset: Dataset) -> None:
    """Links to the folders that were used for a dataset before, and to uploads."""
    with st.container(horizontal=True):
        for path in known_folders(dataset):
            here = {"dataset": dataset.name, "path": str(path)}
            st.page_link("pages/datasets.py", label=path.name, icon=":material/folder_open:", query_params=here)


def known_folders(dataset: Dataset) -> list[Path]:
    """The folders that were used for a dataset before, and for the user's own recordings the uploads."""
    uploads = (settings().data_path / "uploads").glob("[!.]*") if dataset.name == "FOLDER" else ()
    return list(dict.fromkeys([*used_folders(dataset.name), *sorted(filter(Path.is_dir, uploads))]))


def _folder(dataset: Dataset) -> Path | None:
    """The dataset's folder if it is not the usual one; it is kept in the URL."""
    before = st.query_params.get("path", "")
    path = st.text_input(
        "Folder",
        value=before,
        placeholder=f"{home(dataset, None)}",
        help=f"Expected contents: {dataset.layout}",
        key=f"folder-{dataset.name}-{before}",
    ).strip()
    if path != before:
        st.query_params.from_dict({"dataset": dataset.name} | ({"path": path} if path else {}))
        st.rerun()
    return user_path(path) if path else None


def _preparation(dataset: Dataset, data_path: Path | None, run: runs.Run) -> None:
    """The buttons that start a preparation, or say what is missing for one."""
    status = run.status()
    if status.state in ("stopped", "stale"):
        st.warning("The preparation was interrupted. Press Prepare to continue.")
    if status.state in ("failed", "stale"):
        with st.expander("Log"):
            job_panel.log(run)
    usable = home(dataset, data_path).is_dir() or dataset.make is not None
    said = reading(dataset.name, data_path)
    if dataset.own_layout and usable:
        said |= _layout(dataset, home(dataset, data_path), said)
    elif (
        status.state == "failed"
        and usable
        and _incomplete(dataset, data_path)
        and st.button("Use this subset", icon=":material/play_arrow:", type="primary", key="subset")
    ):
        job_panel.start(Preparation(dataset=dataset.name, data_path=data_path, subset=True))
    ready = preparation_report(run) is not None
    downloadable = bool(dataset.downloads) and data_path is None
    pressed = False
    with st.container(horizontal=True, vertical_alignment="center"):
        if usable:
            label = "Prepare again" if ready else "Prepare"
            pressed = st.button(
                label, icon=":material/play_arrow:", type="secondary" if ready else "primary", key="prepare"
            )
        elif downloadable:
            pressed = st.button("Download and prepare", icon=":material/download:", type="primary", key="download")
            total = sum(remote.size or 0 for remote in dataset.downloads)
            st.caption((f"Download size: {size_text(total)}. " if total else "") + f"Licence: {dataset.licence}.")
        if ready:
            stored.push_button([str(data_path or dataset.name)])
    if not usable:
        ways = "Download it, or choose its folder above" if downloadable else "Choose its folder above"
        st.info(f"Not on this computer. {ways}. Expected contents: {dataset.layout}. {dataset.form}")
    if pressed:
        job_panel.start(Preparation(dataset=dataset.name, data_path=data_path, download=not usable, **said))


def _layout(dataset: Dataset, root: Path, said: FolderReading) -> FolderReading:
    """What the folders are, which is asked where some are named like the sides of a split."""
    named = [path.name for path in sorted(root.iterdir()) if path.is_dir() and side_of(path.name)]
    if not named:
        return {}
    help_text = f"Folders named like the sides of a split: {', '.join(named[:5])}."
    before = said.get("layout", "auto")
    layout = st.segmented_control(
        "The folders are",
        list(_LAYOUTS),
        default=before,
        required=True,
        format_func=_LAYOUTS.__getitem__,
        help=help_text,
    )
    assert layout is not None
    try:
        look(dataset.name, root, layout=layout)
    except DoubtfulLayoutError as error:
        st.warning(f"{sentence(error.problem)} Choose what they are.")
    except DatasetError as error:
        st.warning(sentence(error.problem))
    return {"layout": layout}


def _incomplete(dataset: Dataset, data_path: Path | None) -> bool:
    try:
        look(dataset.name, data_path)
    except IncompleteError:
        return True
    except DistrackError:
        pass
    return False


def task_text(dataset: Dataset) -> str:
    """The task of a dataset as a line on the screen."""
    return f"{dataset.task[:1].upper()}{dataset.task[1:]}"
