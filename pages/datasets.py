"""The Datasets page: a card for each dataset to choose from, and one of them in detail."""

import streamlit as st

from distrack.datasets import DATASETS, Dataset, home
from distrack.files import size_text
from distrack.jobs.preparation import place, preparation_report
from distrack.ui.datasets import details
from distrack.ui.shared.page import begin, errors_shown, tiles


def cards() -> None:
    """Task, size, licence and state on this computer of every dataset."""
    for dataset in tiles([DATASETS[name] for name in DATASETS], 3):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"### {dataset.title}")
            badge(dataset)
        st.markdown(details.task_text(dataset))
        facts = [f"{dataset.clips:,} clips"] * bool(dataset.clips) + [size_text(dataset.size)] * bool(dataset.size)
        st.caption(" · ".join([*facts, f"{dataset.seconds:.2g} s clips", dataset.licence]))
        here = {"dataset": dataset.name}
        st.page_link("pages/datasets.py", label="View", icon=":material/folder_open:", query_params=here)


def badge(dataset: Dataset) -> None:
    """The state of a dataset on this computer in one word."""
    if home(dataset, None).is_dir():
        ready = preparation_report(place(dataset.name)) is not None
        st.badge("Ready" if ready else "Downloaded", color="green" if ready else "blue")
    elif dataset.make is not None:
        st.badge("Included", color="blue")
    elif dataset.clips:
        st.badge("Not downloaded", color="gray")


begin("Datasets", "Get, inspect and listen to the recordings you can distill.")

name = st.query_params.get("dataset")
if name is None:
    cards()
else:
    st.page_link("pages/datasets.py", label="All datasets", icon=":material/arrow_back:")
    with errors_shown(st.warning):
        details.show(DATASETS[name])
