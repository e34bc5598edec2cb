"""The Compare page: several runs side by side, and their rank among all runs of their dataset."""

from distrack.ui.compare import export, side_by_side
from distrack.ui.compare.selection import all_runs, select, show_unusable
from distrack.ui.shared.page import begin, nothing_yet

begin("Compare", "Compare runs: accuracy, settings and cost.")

entries, unusable = all_runs()
show_unusable(unusable)
if entries:
    selection = select(entries, unusable)
    if selection is not None:
        side_by_side.show(selection)
        export.offer(selection)
else:
    nothing_yet("No results yet.")
