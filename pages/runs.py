"""The Runs page: all runs in one table, to find, name, star, open, compare, make again and delete."""

from functools import partial
from typing import Any

import streamlit as st

from distrack import jobs, runs
from distrack.runs.about import delete, restore, tell
from distrack.ui.runs.table import matching, rows
from distrack.ui.shared.page import begin, errors_shown, nothing_yet
from distrack.ui.shared.run_in_view import PANELS, runs_path

_COLUMNS: dict[str, Any] = {
    "select": st.column_config.CheckboxColumn("", help="Select for the buttons above.", width=30),
    "star": st.column_config.CheckboxColumn("★", width=30),
    "name": st.column_config.TextColumn("Name", required=True, max_chars=120, width="large"),
    "kind": st.column_config.TextColumn("Kind"),
    "dataset": st.column_config.TextColumn("Dataset"),
    "tracks": st.column_config.NumberColumn("Per class"),
    "accuracy": st.column_config.NumberColumn("Accuracy", format="percent"),
    "gain": st.column_config.NumberColumn("vs random", format="percent"),
    "SNR": st.column_config.NumberColumn("SNR, dB", format="%.1f"),
    "curve": st.column_config.LineChartColumn("Curve"),
    "state": st.column_config.TextColumn("State"),
    "begun": st.column_config.TextColumn("Begun"),
    "tags": st.column_config.TextColumn("Tags", help="Words, with spaces between them."),
    "note": st.column_config.TextColumn("Note"),
    "id": st.column_config.TextColumn("Id"),
}
# Pixels of a row.
_ROW = 37
_EDITABLE = {"select", "star", "name", "tags", "note"}
_FIELDS = {"star": "star", "name": "title", "note": "note"}


def store(shown: list[dict[str, Any]], key: str) -> None:
    """Stores what was typed into the table of this key."""
    for place, changes in st.session_state[key]["edited_rows"].items():
        told = {_FIELDS[name]: value for name, value in changes.items() if name in _FIELDS}
        if "tags" in changes:
            told["tags"] = tuple((changes["tags"] or "").replace(",", " ").split())
        if told:
            with errors_shown(st.toast):
                tell(runs.find(runs_path(), shown[int(place)]["id"]), **told)


def act(selected: list[dict[str, Any]]) -> None:
    """The buttons for the selected runs, and the way back for those that were deleted last."""
    ids = [row["id"] for row in selected]
    deleted = st.session_state.get("deleted-runs", [])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(ids)}** selected" if ids else "Select runs in the first column.")
        one = selected[0] if len(ids) == 1 and selected[0]["kind"] in PANELS else None
        if one is not None:
            panel = PANELS[one["kind"]]
            st.page_link(
                panel.page, label="Open", icon=":material/open_in_new:", query_params={panel.parameter: ids[0]}
            )
            if st.button("Run again", icon=":material/replay:", key="again"):
                with errors_shown():
                    again = jobs.launch(jobs.job_of(runs.find(runs_path(), ids[0])), runs_path())
                    st.switch_page(panel.page, query_params={panel.parameter: again.id})
        if len(ids) > 1 and all(row["kind"] == "distillation" for row in selected):
            here = {"runs": ",".join(ids)}
            st.page_link("pages/compare.py", label="Compare", icon=":material/compare_arrows:", query_params=here)
        if ids and st.button("Delete", icon=":material/delete:", key="delete"):
            st.session_state["deleted-runs"] = []
            for run_id in ids:
                with errors_shown(st.toast):
                    delete(runs.find(runs_path(), run_id))
                    st.session_state["deleted-runs"].append(run_id)
            st.rerun()
        if deleted and st.button(f"Undo delete ({len(deleted)})", icon=":material/undo:", key="undelete"):
            for run_id in deleted:
                with errors_shown(st.toast):
                    restore(runs_path(), run_id)
            del st.session_state["deleted-runs"]
            st.rerun()


begin("Runs")
found = rows(runs_path())
if not found and not st.session_state.get("deleted-runs"):
    nothing_yet("No runs yet.")
    st.stop()
search, *menus = st.columns([2, 1, 1, 1])
words = search.text_input("Search", placeholder="name, tag, note, dataset, state", key="search", bind="query-params")
filters = {}
for place, name in zip(menus, ("kind", "dataset", "state"), strict=True):
    value = place.selectbox(name.capitalize(), ["All", *sorted({row[name] for row in found if row[name]})], key=name)
    if value != "All":
        filters[name] = value
shown = matching(found, words, filters)
buttons = st.container()
# Other rows are another table: what was typed belongs to a place in it.
key = f"runs-{hash(tuple(row['id'] for row in shown))}"
table = st.data_editor(
    [{"select": False, **row} for row in shown],
    column_config=_COLUMNS,
    column_order=list(_COLUMNS),
    disabled=[name for name in _COLUMNS if name not in _EDITABLE],
    hide_index=True,
    placeholder="–",
    height=min(_ROW * (len(shown) + 1) + 3, 520),
    key=key,
    on_change=partial(store, shown, key),
)
with buttons:
    act([row for row, edited in zip(shown, table, strict=True) if edited["select"]])
