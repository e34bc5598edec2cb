"""The edits: a menu of edits with their arguments, a button that applies one, undo and redo."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import streamlit as st
from pydantic import ValidationError

from distrack import jobs, runs
from distrack.arrays import Integers
from distrack.decompose import EDITS, Edit, Events, History, apply
from distrack.decompose.combining import refuse_different
from distrack.decompose.rooms import room_note
from distrack.errors import DistrackError, EventsError
from distrack.jobs.decomposition import events_file, history, keep_history
from distrack.ui.decompose.events_in_view import available_rooms, edited, events_of, loaded
from distrack.ui.decompose.plane import select, selected_events, with_others
from distrack.ui.shared.fields import field_input
from distrack.ui.shared.page import sentence
from distrack.ui.shared.run_in_view import runs_path

# Key of the session state for the error of the last edit: callbacks run before the page is drawn.
_ERROR = "edit-error"
# The edit that is offered before one is chosen.
_FIRST = "transpose"
# Edits of all events that one press makes, each time with the next seed.
_CHANCES = {"random-events": ":material/casino:", "random-times": ":material/shuffle:"}
_STEPS = {"undo": History.undo, "redo": History.redo}


def draw(run: runs.Run, events: Events, edits: History, selection: Integers) -> None:
    """Draws the selected edit's arguments and the buttons; an edit that fails leaves an error below them."""
    choices = list(EDITS)
    name = st.selectbox("Edit", choices, choices.index(_FIRST), format_func=EDITS.title, key="edit")
    kind = EDITS[name]
    st.caption(kind.about)
    ready = _draw_source(name, run, events)
    for argument, field in kind.arguments.model_fields.items():
        field_input(field, key=_key(name, argument))
    label = f"Apply to {len(selection):,} selected" if kind.selects else f"Apply to all {len(events):,}"
    ready = ready and bool(len(selection) or not kind.selects)
    with st.container(horizontal=True):
        st.button(label, type="primary", key="apply", disabled=not ready, on_click=_apply, args=(run, events))
        for text, icon, possible, change in (
            ("Undo", ":material/undo:", edits.done, History.undo),
            ("Redo", ":material/redo:", edits.undone, History.redo),
        ):
            st.button(text, icon=icon, key=text, disabled=not possible, on_click=_step, args=(run, change))
    with st.container(horizontal=True):
        for name, icon in _CHANCES.items():
            st.button(
                EDITS.title(name),
                icon=icon,
                key=name,
                help=f"{EDITS[name].about} Another press draws others; Undo takes it back.",
                on_click=_draw_lots,
                args=(run, name),
            )
    if error := st.session_state.pop(_ERROR, ""):
        st.error(sentence(error))
    # Always drawn: of two fragments that run at once, Streamlit may leave on the page what one of them no longer draws.
    count = f"{len(edits.done) or 'No'} edit{'s' * (len(edits.done) != 1)}"
    names = ", ".join(EDITS.title(one.name) for one in edits.done[-6:])
    st.caption(f"{count}: {names}" if names else f"{count}.")


def _draw_source(name: str, run: runs.Run, events: Events) -> bool:
    """Draws a menu of rooms or of other clips if the edit takes one; returns whether the edit can be applied."""
    takes = EDITS[name].takes
    if takes == "room":
        rooms = [*available_rooms(), None]
        chosen = st.selectbox("Impulse response", rooms, format_func=lambda room: room or "None", key="room")
        if chosen is not None and (note := room_note(available_rooms()[chosen])):
            st.caption(sentence(note))
    elif takes == "events":
        decomposed = jobs.all_runs(runs_path(), "decomposition")
        others = [other for other in decomposed if other.id != run.id and events_file(other).is_file()]
        alike = [other.id for other in others if _alike(events, other)]
        if different := [other.id for other in others if other.id not in alike]:
            st.caption(f"Made with another method or other settings, so they do not fit: {', '.join(different)}.")
        if not alike:
            st.info("No other clip fits. Decompose one with the same method and settings first.")
            return False
        st.selectbox("Clip", alike, key="with")
    elif name == "wet" and events.room is None:
        st.info("These events have no reverb. Apply the edit **Reverb** first.")
        return False
    return True


def _alike(events: Events, other: runs.Run) -> bool:
    with suppress(EventsError):
        refuse_different(events, loaded(events_file(other)))
        return True
    return False


def _key(edit: str, argument: str) -> str:
    return f"argument-{edit}-{argument}"


def _apply(run: runs.Run, events: Events) -> None:
    """Applies the edit that the widgets describe at the moment when the button is pressed."""
    state = st.session_state
    name: str = state["edit"]
    kind = EDITS[name]
    arguments: dict[str, Any] = {argument: state[_key(name, argument)] for argument in kind.arguments.model_fields}
    selection = selected_events(run, events)
    source = {"room": state.get("room"), "events": state.get("with"), "nothing": None}[kind.takes]

    def changed() -> History:
        one = Edit(
            name=name,
            which=_which(selection, events) if kind.selects else None,
            source=source,
            arguments={argument: value for argument, value in arguments.items() if value is not None},
        )
        return _with(run, events, one)

    if _store(run, changed) and name in {"remove", "mix", "morph"}:
        select(run, ())


def _which(numbers: Integers, events: Events) -> tuple[int, ...] | None:
    """Numbers of events as an edit stores them; hundreds of thousands of them would make the history slow to read."""
    return None if len(numbers) == len(events) else tuple(numbers.tolist())


def _draw_lots(run: runs.Run, name: str) -> None:
    """Does an edit that draws at random, in place of the same edit if that was the last one."""

    def changed() -> History:
        before = history(run)
        last = before.done[-1] if before.done else None
        seed = 1
        if last is not None and last.name == name:
            before, seed = before.undo(), int(str(last.arguments["seed"])) + 1
        return before.do(Edit(name=name, arguments={"seed": seed}))

    _store(run, changed)


def edit_on_plane(run: runs.Run, others: Integers) -> None:
    """Does the edits that were made on the plane by hand, each once: the plane sends one until it is known as done.

    Args:
        others: numbers of the selected events that the plane does not draw; they are edited with those that it does.
    """
    sent = st.session_state[f"plane-{run.id}"].edits
    plane, done = st.session_state.get(f"done-{run.id}", ("", 0))
    done = done if plane == sent["name"] else 0
    for one in sent["edits"]:
        if one["number"] <= done:
            continue
        if one["name"] in _STEPS:
            _step(run, _STEPS[one["name"]])
        elif not _store(run, partial(_done_by_hand, run, others, one)):
            # Those after it were made on top of an edit that is not there.
            break
    last = max((one["number"] for one in sent["edits"]), default=0)
    st.session_state[f"done-{run.id}"] = sent["name"], max(done, last)


def _done_by_hand(run: runs.Run, others: Integers, one: dict[str, Any]) -> History:
    events = edited(loaded(events_file(run)), history(run))
    which = _which(with_others(one["which"], others if one["others"] else ()), events)
    edit = Edit(name=one["name"], which=which, arguments=one["arguments"])
    return _with(run, events, edit)


def _with(run: runs.Run, events: Events, one: Edit) -> History:
    """The stored history and one more edit; one that cannot be applied to the events is not stored."""
    others = events_of({one.source} if EDITS[one.name].takes == "events" and one.source else set())
    apply(events, [one], others=others, rooms=available_rooms())
    return history(run).do(one)


def _step(run: runs.Run, change: Callable[[History], History]) -> None:
    """Undoes or redoes one edit of the stored history, which another tab may have changed."""
    _store(run, lambda: change(history(run)))
    # The numbers of events may have changed.
    select(run, ())


def _store(run: runs.Run, changed: Callable[[], History]) -> bool:
    """Stores a changed history; returns whether that succeeded, and otherwise keeps the error for the page."""
    try:
        with run.changing("edits.json"):
            keep_history(run, changed())
    except (DistrackError, ValidationError) as error:
        st.session_state[_ERROR] = getattr(error, "problem", str(error))
        return False
    return True
