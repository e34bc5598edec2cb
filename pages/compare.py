"""Compare: several runs side by side, and where they stand among all runs of their dataset."""

import streamlit as st

from distrack.ui.compare import choice as compare
from distrack.ui.compare import export as exporting
from distrack.ui.compare import side_by_side as comparing
from distrack.ui.shared.page import begin

begin("Compare", "Several runs side by side: what they were measured at, what differs between them, and what it costs.")

entries, unusable = compare.everything()
comparing.unusable(unusable)
if entries:
    choice = compare.choose(entries, unusable)
    if choice is not None:
        comparing.show(choice)
        exporting.offer(choice)
else:
    st.info("Nothing was measured yet. Go to **Distill** and press the button.")
    st.page_link("pages/distill.py", label="Distill", icon=":material/science:")
