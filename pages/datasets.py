"""The Datasets page: a card for each dataset to choose from, and one of them in detail."""

import distrack.ui.loaded  # noqa: F401

# isort: split
import streamlit as st

from distrack.datasets import DATASETS, Dataset, home
from distrack.files import size_text
from distrack.jobs.preparation import Preparation, place, preparation_report, used_folders
from distrack.ui.datasets import details
from distrack.ui.runs import stored
from distrack.ui.shared.page import begin, errors_shown, tiles


def cards() -> None:
    """A card for every dataset, first those that are on this computer."""
    every = [DATASETS[name] for name in DATASETS]
    here = [dataset for dataset in every if state(dataset)]
    for title, group in (("On this computer", here), ("Available", [each for each in every if each not in here])):
        st.subheader(title)
        for dataset in tiles(group, 3):
            card(dataset)
    stored.transfers()
    stored.show(Preparation.kind)


def card(dataset: Dataset) -> None:
    """Task, size, licence and state of a dataset, with links to it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"#### {dataset.title}")
        if text := state(dataset):
            st.badge(text, color="green" if text == "Ready" else "blue")
    st.markdown(details.task_text(dataset))
    facts = [f"{dataset.clips:,} clips"] * bool(dataset.clips) + [size_text(dataset.size)] * bool(dataset.size)
    st.caption(" · ".join([*facts, f"{dataset.seconds:.2g} s clips", dataset.licence]))
    here = {"dataset": dataset.name}
    st.page_link("pages/datasets.py", label="View", icon=":material/database:", query_params=here)
    details.folder_links(dataset)


def state(dataset: Dataset) -> str:
    """The state of a dataset on this computer in one word; empty if it is not there."""
    if preparation_report(place(dataset.name)) is not None or used_folders(dataset.name):
        return "Ready"
    if home(dataset, None).is_dir():
        return "Downloaded"
    return "Included" if dataset.make is not None else ""


begin("Datasets", "Get, inspect and listen to the recordings you can distill.")

name = st.query_params.get("dataset")
if name is None:
    cards()
else:
    st.page_link("pages/datasets.py", label="All datasets", icon=":material/arrow_back:")
    with errors_shown(st.warning):
        details.show(DATASETS[name])
