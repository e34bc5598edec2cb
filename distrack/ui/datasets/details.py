"""One dataset: its licence and citation, its folder, its preparation, and its clips."""

from pathlib import Path

import streamlit as st

from distrack.datasets import Dataset, home, look
from distrack.settings import user_path
from distrack.ui.datasets import explore, prepare, upload
from distrack.ui.datasets.cards import task_text


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
    path = _folder(dataset)
    prepare.show(dataset, path)
    if dataset.labelled:
        explore.show(dataset, path)
    elif home(dataset, path).is_dir():
        explore.recordings(look(dataset.name, path))


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
