"""What is compared, as files: made when a button is pressed."""

from functools import partial

import streamlit as st

from distrack.export import comparison as table
from distrack.ui.compare.choice import Choice

_SAID = {
    ".html": ("Report", "One HTML file with players that opens offline.", "text/html"),
    ".csv": ("CSV", "Every evaluation of these runs, for a spreadsheet.", "text/csv"),
    ".tex": ("LaTeX", "A booktabs table by the chosen evaluator.", "text/x-tex"),
    ".png": ("PNG", "The accuracies as a figure.", "image/png"),
    ".svg": ("SVG", "The accuracies as a figure.", "image/svg+xml"),
}
# Files that hold one evaluator with one network, and those that hold one group of runs.
_OF_ONE_EVALUATOR, _OF_ONE_GROUP = (".tex", ".png", ".svg"), (".png", ".svg")


def offer(choice: Choice) -> None:
    """A button for each kind of file that can be made of these runs."""
    st.header("Export", divider="gray")
    measured = any((choice.evaluator, choice.network) in entry.comparisons for entry in choice.entries)
    apart = len(table.groups(choice.entries)) > 1
    with st.container(horizontal=True):
        for ending, (label, said, kind) in _SAID.items():
            if (ending in _OF_ONE_EVALUATOR and not measured) or (ending in _OF_ONE_GROUP and apart):
                continue
            st.download_button(
                label,
                partial(_made, choice, ending),
                file_name=f"distrack-comparison{ending}",
                mime=kind,
                icon=":material/download:",
                help=said,
                on_click="ignore",
                key=f"export{ending}",
            )


def _made(choice: Choice, ending: str) -> bytes:
    from distrack import export  # takes seconds to load, and no page needs it before a button is pressed

    return export.content(choice.entries, ending, evaluator=choice.evaluator, network=choice.network)
