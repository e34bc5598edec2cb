"""The export of a comparison: one button for each file format."""

from functools import partial

import streamlit as st

from distrack.export.comparison import groups
from distrack.export.formats import EXPORTERS, content
from distrack.ui.compare.choice import Choice


def offer(choice: Choice) -> None:
    """A download button for each format that fits these runs. A file is made when its button is pressed."""
    st.header("Export", divider="gray")
    evaluated = any((choice.evaluator, choice.network) in entry.comparisons for entry in choice.entries)
    one_group = len(groups(choice.entries)) == 1
    with st.container(horizontal=True):
        for ending in EXPORTERS:
            exporter = EXPORTERS[ending]
            if (exporter.one_evaluator and not evaluated) or (exporter.one_group and not one_group):
                continue
            st.download_button(
                exporter.title,
                partial(content, choice.entries, ending, evaluator=choice.evaluator, network=choice.network),
                file_name=f"distrack-comparison{ending}",
                mime=exporter.media_type,
                icon=":material/download:",
                help=exporter.description,
                on_click="ignore",
                key=f"export{ending}",
            )
