"""The Compare page: several runs side by side, and their rank among all runs of their dataset."""

import streamlit as st

from distrack.ui.compare import export, side_by_side
from distrack.ui.compare.selection import all_runs, select, show_unusable
from distrack.ui.shared.page import begin

begin("Compare", "Compare runs: accuracy, settings and cost.")

entries, unusable = all_runs()
show_unusable(unusable)
if entries:
    selection = select(entries, unusable)
    if selection is not None:
        side_by_side.show(selection)
        export.offer(selection)
else:
    st.info("No results yet. Distill a dataset to start.")
    st.page_link("pages/distill.py", label="Distill", icon=":material/science:")
