"""The Runs page: all runs in one table, to find, name, star, open, compare, make again and delete."""

import distrack.ui.loaded  # noqa: F401

# isort: split
from functools import partial
from typing import Any

import streamlit as st

from distrack import jobs, runs
from distrack.runs.about import delete, restore, tell
from distrack.ui.runs import stored
from distrack.ui.runs.table import matching, rows
from distrack.ui.shared.glossary import GLOSSARY
from distrack.ui.shared.page import begin, errors_shown, nothing_yet
from distrack.ui.shared.run_in_view import PANELS, link, link_to_compare, runs_path

_COLUMNS = {
    "select": st.column_config.CheckboxColumn("", help="Select for the buttons above.", width=30),
    "star": st.column_config.CheckboxColumn("★", width=60),
    "title": st.column_config.TextColumn(required=True, max_chars=120, width="large"),
    "accuracy": st.column_config.NumberColumn(format="percent"),
    "vs random": st.column_config.NumberColumn(format="percent"),
    "SNR (dB)": st.column_config.NumberColumn(format="%.1f"),
    "Scenes F": st.column_config.NumberColumn(format="%.2f", help=GLOSSARY["Events found (F)"]),
    "curve": st.column_config.LineChartColumn(),
    "tags": st.column_config.MultiselectColumn(accept_new_options=True),
}
_MEASURED = (
    "kind",
    "dataset",
    "per class",
    "accuracy",
    "vs random",
    "SNR (dB)",
    "Scenes F",
    "curve",
    "state",
    "begun",
    "id",
)


def store(shown: list[dict[str, Any]], key: str) -> None:
    """Stores what was typed into the table of this key."""
    for place, changes in st.session_state[key]["edited_rows"].items():
        said = {name: value for name, value in changes.items() if name != "select"}
        if said:
            with errors_shown(st.toast):
                tell(runs.find(runs_path(), shown[int(place)]["id"]), **said)


def act(selected: list[dict[str, Any]]) -> None:
    """The buttons for the selected runs, and the way back for those that were deleted last."""
    ids = [row["id"] for row in selected]
    kinds = {row["kind"] for row in selected}
    deleted = st.session_state.setdefault("deleted-runs", [])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(ids)}** selected" if ids else "Select runs in the first column.")
        if len(ids) == 1 and "" not in kinds:
            run = runs.find(runs_path(), ids[0])
            link(run, "Open")
            if st.button("Run again", icon=":material/replay:", key="again"):
                with errors_shown():
                    panel, again = PANELS[selected[0]["kind"]], jobs.launch(jobs.job_of(run), runs_path())
                    st.switch_page(panel.page, query_params={panel.parameter: again.id})
        if len(ids) > 1 and kinds == {"distillation"}:
            link_to_compare(ids, "Compare")
        stored.push_button(ids)
        if ids and st.button("Delete", icon=":material/delete:", key="delete"):
            deleted.clear()
            for run_id in ids:
                with errors_shown(st.toast):
                    delete(runs.find(runs_path(), run_id))
                    deleted.append(run_id)
            st.rerun()
        if deleted and st.button(f"Undo delete ({len(deleted)})", icon=":material/undo:", key="undelete"):
            while deleted:
                with errors_shown(st.toast):
                    restore(runs_path(), deleted.pop())
            st.rerun()


# By itself: a search does not draw the side bar anew.
@st.fragment
def show() -> None:
    """The search, the menus, the buttons and the table."""
    found = rows(runs_path())
    if not found and not st.session_state.get("deleted-runs"):
        nothing_yet("No runs yet.")
        return
    search, *menus = st.columns([2, 1, 1, 1])
    words = search.text_input(
        "Search", placeholder="title, tag, note, dataset, state", key="search", bind="query-params"
    )
    shown = matching(found, words)
    for place, name in zip(menus, ("kind", "dataset", "state"), strict=True):
        values = sorted({row[name] for row in found if row[name]})
        value = place.selectbox(name.capitalize(), values, index=None, placeholder="All", key=name)
        shown = [row for row in shown if value in (None, row[name])]
    buttons = st.container()
    # Other rows are another table: what was typed belongs to a place in it.
    key = f"runs-{hash(tuple(row['id'] for row in shown))}"
    table = st.data_editor(
        [{"select": False, **row} for row in shown],
        column_config=_COLUMNS,
        disabled=_MEASURED,
        hide_index=True,
        placeholder="–",
        key=key,
        on_change=partial(store, shown, key),
    )
    with buttons:
        act([row for row, edited in zip(shown, table, strict=True) if edited["select"]])


begin("Runs")
stored.transfers()
show()
stored.show()
