"""The Compare page: several runs side by side, their rank among all runs of their dataset, and files with both."""

import distrack.ui.loaded  # noqa: F401

# isort: split
from functools import partial

import streamlit as st

from distrack.export.comparison import groups
from distrack.export.formats import EXPORTERS, content
from distrack.ui.compare import side_by_side
from distrack.ui.compare.selection import Selection, all_runs, select, show_unusable
from distrack.ui.shared.page import begin, download_button, nothing_yet


def export(selection: Selection) -> None:
    """A download button for each format that fits these runs. A file is made when its button is pressed."""
    evaluated = any((selection.evaluator, selection.network) in entry.comparisons for entry in selection.entries)
    one_group = len(groups(selection.entries)) == 1
    with st.container(horizontal=True):
        for ending in EXPORTERS:
            exporter = EXPORTERS[ending]
            if (exporter.one_evaluator and not evaluated) or (exporter.one_group and not one_group):
                continue
            download_button(
                exporter.title,
                partial(content, selection.entries, ending, evaluator=selection.evaluator, network=selection.network),
                f"distrack-comparison{ending}",
                exporter.media_type,
                help=exporter.description,
                key=f"export{ending}",
            )


begin("Compare", "Compare runs: accuracy, settings and cost.")

entries, unusable = all_runs()
show_unusable(unusable)
if entries:
    selection = select(entries, unusable)
    if selection is not None:
        side_by_side.show(selection, export)
else:
    nothing_yet("No results yet.")
