"""The folds of a dataset for a menu on a page, which must not read a folder anew each time it is drawn."""

from pathlib import Path
from typing import Unpack

import streamlit as st

from distrack import datasets
from distrack.datasets import FolderReading
from distrack.errors import DistrackError
from distrack.settings import user_path


# For seconds only: files may change meanwhile.
@st.cache_data(max_entries=8, ttl=30, show_spinner=False)
def folds_of(dataset: str, data_path: Path | None = None, **reading: Unpack[FolderReading]) -> tuple[int, ...]:
    """The folds that can be tested on; none of a folder that cannot be read, which the job then says."""
    try:
        place = None if data_path is None else user_path(data_path)
        return datasets.folds(dataset, place, **reading)
    except DistrackError:
        return ()
