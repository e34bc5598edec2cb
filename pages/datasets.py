"""The Datasets page: the datasets to choose from, and one of them in detail."""

import streamlit as st

from distrack.datasets import DATASETS
from distrack.errors import ConfigError
from distrack.ui.datasets import cards, details
from distrack.ui.shared.page import begin

begin("Datasets", "Get, inspect and listen to the recordings you can distill.")

name = st.query_params.get("dataset")
if name is None:
    cards.show()
else:
    st.page_link("pages/datasets.py", label="All datasets", icon=":material/arrow_back:")
    try:
        details.show(DATASETS[name])
    except ConfigError as error:
        st.warning(str(error))
