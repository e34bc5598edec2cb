"""Datasets: what there is, how to have it, and what it looks and sounds like."""

from pathlib import Path

import streamlit as st

from distrack.datasets import DATASETS, Dataset, home, look
from distrack.errors import ConfigError
from distrack.files import size_text
from distrack.jobs.preparation import place, preparation_report
from distrack.settings import user_path
from distrack.ui.datasets import explore, prepare
from distrack.ui.shared.page import begin


def cards() -> None:
    """One card for each dataset."""
    names = list(DATASETS)
    for row in range(0, len(names), 3):
        for column, name in zip(st.columns(3), names[row : row + 3], strict=False):
            with column.container(border=True, height="stretch"):
                _card(DATASETS[name])


def _card(dataset: Dataset) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### {dataset.title}")
        _badge(dataset)
    st.markdown(f"{dataset.task[:1].upper()}{dataset.task[1:]}")
    facts = [f"{dataset.clips:,} clips"] * bool(dataset.clips) + [size_text(dataset.size)] * bool(dataset.size)
    st.caption(" · ".join([*facts, f"{dataset.seconds:.2g} s clips", dataset.licence]))
    st.page_link(
        "pages/datasets.py", label="Open", icon=":material/folder_open:", query_params={"dataset": dataset.name}
    )


def _badge(dataset: Dataset) -> None:
    if home(dataset, None).is_dir():
        ready = preparation_report(place(dataset.name)) is not None
        st.badge("ready" if ready else "present", color="green" if ready else "blue")
    elif dataset.make is not None:
        st.badge("built in", color="blue")
    else:
        st.badge("not here", color="gray")


def one(dataset: Dataset) -> None:
    """One dataset: facts, preparation, exploration."""
    st.page_link("pages/datasets.py", label="All datasets", icon=":material/arrow_back:")
    st.header(dataset.title)
    st.markdown(f"{dataset.task[:1].upper()}{dataset.task[1:]} · {dataset.licence}")
    with st.expander("Home page, licence, citation"):
        st.markdown(f"{dataset.url}\n\nLicence of the recordings: {dataset.licence}")
        if dataset.citation:
            st.code(dataset.citation, language="bibtex", wrap_lines=True)
    path = _folder(dataset)
    prepare.panel(dataset, path)
    if dataset.labelled:
        explore.explore(dataset, path)
    elif home(dataset, path).is_dir():
        explore.pieces(look(dataset.name, path))


def _folder(dataset: Dataset) -> Path | None:
    """Where the dataset lies, if not in its own place: kept in the URL."""
    if dataset.name == "FOLDER":
        prepare.upload()
    before = st.query_params.get("path", "")
    given = st.text_input(
        "Folder",
        value=before,
        placeholder=f"{home(dataset, None)}",
        help=f"Expected there: {dataset.layout}",
        key=f"folder-{dataset.name}-{before}",
    ).strip()
    if given != before:
        st.query_params.from_dict({"dataset": dataset.name} | ({"path": given} if given else {}))
        st.rerun()
    return user_path(given) if given else None


begin("Datasets", "Real recordings to distil from: how to have them, what they look like, and what they sound like.")
name = st.query_params.get("dataset")
if name is None:
    cards()
else:
    try:
        one(DATASETS[name])
    except ConfigError as error:
        st.warning(str(error))
        st.page_link("pages/datasets.py", label="All datasets", icon=":material/arrow_back:")
