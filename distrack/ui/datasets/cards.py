"""A card for each dataset: its task, size, licence and state on this computer."""

import streamlit as st

from distrack.datasets import DATASETS, Dataset, home
from distrack.files import size_text
from distrack.jobs.preparation import place, preparation_report

_BESIDE = 3


def show() -> None:
    """Draws the cards, three in a row."""
    names = list(DATASETS)
    for first in range(0, len(names), _BESIDE):
        for column, name in zip(st.columns(_BESIDE), names[first : first + _BESIDE], strict=False):
            with column.container(border=True, height="stretch"):
                _card(DATASETS[name])


def _card(dataset: Dataset) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### {dataset.title}")
        _badge(dataset)
    st.markdown(task_text(dataset))
    facts = [f"{dataset.clips:,} clips"] * bool(dataset.clips) + [size_text(dataset.size)] * bool(dataset.size)
    st.caption(" · ".join([*facts, f"{dataset.seconds:.2g} s clips", dataset.licence]))
    here = {"dataset": dataset.name}
    st.page_link("pages/datasets.py", label="View", icon=":material/folder_open:", query_params=here)


def task_text(dataset: Dataset) -> str:
    """The task of a dataset as a line on the screen."""
    return f"{dataset.task[:1].upper()}{dataset.task[1:]}"


def _badge(dataset: Dataset) -> None:
    if home(dataset, None).is_dir():
        ready = preparation_report(place(dataset.name)) is not None
        st.badge("Ready" if ready else "Downloaded", color="green" if ready else "blue")
    elif dataset.make is not None:
        st.badge("Included", color="blue")
    elif dataset.clips:
        st.badge("Not downloaded", color="gray")
