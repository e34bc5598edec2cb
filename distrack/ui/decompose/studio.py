"""The studio: events on the time-frequency plane, chosen, edited like notes, and heard at once."""

import hashlib
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, get_args, get_origin

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from pydantic import ValidationError

from distrack import jobs, runs
from distrack.audio import flac_bytes, loudness
from distrack.decompose import (
    EDITS,
    Edit,
    Events,
    History,
    apply,
    in_box,
    in_pitch,
    known_rooms,
    render,
    soloed,
    storage,
    strongest,
)
from distrack.decompose.formats import save
from distrack.decompose.plane import Plane, plane
from distrack.errors import DistrackError
from distrack.figures.events import event_plane
from distrack.figures.images import image_png
from distrack.jobs.decomposition import edits_file, events_file, history, keep_history, original, put_aside
from distrack.settings import settings
from distrack.ui.shared.run_in_view import runs_path
from distrack.ui.sound import Heard, Sound, player

_HEIGHT = 256
_CHOSEN, _OTHERS, _MUTED = "#ff5fa8", "#f4eef8", "#7b7386"
_TABLE = 400
_WRONG = "studio-error"
_ENDINGS = {".safetensors": "Events", ".json": "To read", ".mid": "MIDI", ".flac": "FLAC"}
_EDITS = {
    "mute": "Mute",
    "unmute": "Unmute",
    "gain": "Louder or softer",
    "move": "Move in time",
    "stretch": "Stretch in time",
    "stretch-clip": "Stretch the whole clip",
    "transpose": "Transpose",
    "decay": "Decay",
    "colour": "Colour",
    "quantise": "Quantise to a grid",
    "copy": "Copy",
    "remove": "Remove",
    "room": "Room",
    "wet": "Share through the room",
    "mix": "Mix with another clip",
    "morph": "Morph into another clip",
}
_NAMES = {"db": "Gain", "bpm": "Beats a minute"}
# Where a widget begins: with something that is heard.
_STARTS = {"db": 6.0, "seconds": 0.25, "factor": 2.0, "semitones": 12.0, "octaves": 1.0, "share": 0.5, "wet": 0.3}

Floats = NDArray[np.float32]


@st.fragment
def show(run: runs.Run) -> None:
    """The plane, what is chosen on it, the edits, and the sounds; what cannot be read is said."""
    try:
        _show(run)
    except DistrackError as error:
        st.error(str(error))
        if edits_file(run).is_file():
            st.button("Put the edits aside", icon=":material/undo:", on_click=put_aside, args=(run,))


def _show(run: runs.Run) -> None:
    wave, rate = original(run)
    found = _found(events_file(run), events_file(run).stat().st_mtime)
    edits = history(run)
    edited = _edited(found, edits)
    chosen = [number for number in st.session_state.get(f"chosen-{run.id}", []) if number < len(edited)]
    _choose(run, edited, chosen)
    picture(
        _heard_wave(edited), rate, edited, key=f"plane-{run.id}", chosen=chosen, select=lambda: _selected(run, edited)
    )
    left, right = st.columns([1, 1.3], gap="large")
    with left:
        _edit(run, edited, edits, chosen)
    with right:
        _sounds(run, wave, rate, found, edited, chosen)
    _table(run, edited, chosen)
    _take_along(run, edited)


def picture(
    wave: Floats,
    rate: int,
    events: Events,
    *,
    key: str,
    chosen: list[int] | None = None,
    select: Callable[[], None] | None = None,
) -> None:
    """Events over the spectrogram of a sound; those chosen stand out, muted ones step back."""
    seen = _plane(_digest(wave), wave, rate)
    box = events.kind.boxes(events)
    spans = np.stack([box.onset, box.end, _pitch(events)], axis=1).astype(np.float64)
    stands_out = np.zeros(len(events), np.bool_)
    stands_out[chosen or []] = True
    groups = {
        "events": (np.flatnonzero(~stands_out & ~events.muted), _OTHERS),
        "muted": (np.flatnonzero(~stands_out & events.muted), _MUTED),
        "chosen": (np.flatnonzero(stands_out), _CHOSEN),
    }
    figure = event_plane(
        image_png(seen.image, low=-70, high=0, height=_HEIGHT, width=4 * _HEIGHT),
        extent=(seen.seconds, seen.low, seen.high),
        spans=spans,
        energy=box.energy.astype(np.float64),
        groups={name: group for name, group in groups.items() if len(group[0])},
    )
    if select is None:
        st.plotly_chart(figure, key=key)
        return
    st.plotly_chart(figure, key=key, on_select=select, selection_mode=("points", "box", "lasso"))


def _pitch(events: Events) -> NDArray[np.float64]:
    """Where an event is drawn: at its pitch, or in the middle of its band."""
    box = events.kind.boxes(events)
    middle = np.sqrt(np.maximum(box.low, 1.0).astype(np.float64) * np.maximum(box.high, 1.0))
    return np.where(box.pitch > 0, box.pitch, middle)


@st.cache_data(max_entries=64, show_spinner=False)
def _plane(what: str, _wave: Floats, rate: int) -> Plane:  # noqa: ARG001
    return plane(_wave, rate)


def _digest(wave: Floats) -> str:
    """Of every sample: what stands for large arrays by itself looks at some of them only."""
    return hashlib.blake2b(wave.tobytes(), digest_size=16).hexdigest() + str(wave.shape)


@st.cache_resource(max_entries=16, show_spinner=False)
def _found(path: Path, changed: float) -> Events:  # noqa: ARG001
    return storage.load(path)


def _edited(found: Events, edits: History) -> Events:
    sources = {one.source for one in edits.done if one.source is not None and EDITS[one.name].takes == "events"}
    return apply(found, edits.done, others=_others(sources), rooms=_rooms())


def _others(names: set[str]) -> Mapping[str, Events]:
    paths = {name: events_file(runs.Run(runs_path() / name)) for name in names}
    return {name: _found(path, path.stat().st_mtime) for name, path in paths.items() if path.is_file()}


def _rooms() -> Mapping[str, Path]:
    return known_rooms(settings().impulse_response_path)


def _heard_wave(events: Events) -> Floats:
    return _rendered(storage.to_bytes(events), events)


@st.cache_data(max_entries=64, show_spinner=False)
def _rendered(what: bytes, _events: Events) -> Floats:  # noqa: ARG001
    return render(_events)


# Choosing


def _selected(run: runs.Run, events: Events) -> None:
    """What was drawn on the plane: all that a box touches, or the points that were pressed."""
    selection = st.session_state[f"plane-{run.id}"].selection
    chosen = {int(point["customdata"][0]) for point in selection.points if "customdata" in point}
    for box in selection.box:
        (start, end), (low, high) = sorted(box["x"]), sorted(2 ** np.clip(box["y"], 0, 20))
        chosen |= set(np.flatnonzero(in_box(events, start=start, end=end, low=float(low), high=float(high))).tolist())
    _keep(run, chosen)


def _keep(run: runs.Run, chosen: Any) -> None:
    st.session_state[f"chosen-{run.id}"] = sorted(int(number) for number in chosen)


def _choose(run: runs.Run, events: Events, chosen: list[int]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(chosen) or 'No'}** of {len(events)} events chosen")
        everyone = range(len(events))
        sets: dict[str, Any] = {"All": everyone, "None": (), "The others": set(everyone) - set(chosen)}
        for label, some in sets.items():
            st.button(label, key=f"choose-{label}", on_click=_keep, args=(run, some))
        with st.popover("By pitch", icon=":material/piano:"):
            low, high = st.slider("Pitch, in Hz", 20, events.sample_rate // 2, (20, events.sample_rate // 2))
            within = np.flatnonzero(in_pitch(events, low=low, high=high))
            st.button(f"Choose {len(within)}", key="by-pitch", on_click=_keep, args=(run, within))
        with st.popover("By class", icon=":material/category:"):
            kinds = _classes(events)
            for name, numbers in kinds.items():
                label = f"{name}: {len(numbers)}"
                st.button(label, key=f"class-{name}", on_click=_keep, args=(run, numbers), disabled=not len(numbers))
        with st.popover("Strongest", icon=":material/bar_chart:"):
            most = st.number_input("How many", 1, max(len(events), 1), min(8, max(len(events), 1)))
            loud = np.flatnonzero(strongest(events, int(most)))
            st.button("Choose them", key="by-energy", on_click=_keep, args=(run, loud))
    st.caption("Or draw a box on the plane, or press an event there.")


def _classes(events: Events) -> dict[str, NDArray[np.int64]]:
    """Clicks are over at once, tones have a pitch that lasts, the rest is noise."""
    box = events.kind.boxes(events)
    click = box.end - box.onset < 0.04
    tone = ~click & (box.pitch > 0)
    return {
        "Tones": np.flatnonzero(tone),
        "Clicks, under 40 ms": np.flatnonzero(click),
        "Noise": np.flatnonzero(~click & ~tone),
    }


# Editing


def _edit(run: runs.Run, events: Events, edits: History, chosen: list[int]) -> None:
    name = st.selectbox("Edit", list(EDITS), format_func=lambda each: _EDITS.get(each, each), key="edit")
    kind = EDITS[name]
    st.caption(kind.about)
    ready = _source(kind.takes, run)
    for field, one in kind.arguments.model_fields.items():
        _argument(name, field, one)
    label = f"Apply to {len(chosen)}" if kind.selects and chosen else "Apply to all"
    with st.container(horizontal=True):
        st.button(label, type="primary", key="apply", disabled=not ready, on_click=_apply, args=(run, events))
        for text, icon, possible, after in (
            ("Undo", ":material/undo:", edits.done, History.undo),
            ("Redo", ":material/redo:", edits.undone, History.redo),
        ):
            st.button(text, icon=icon, key=text, disabled=not possible, on_click=_again, args=(run, after))
    wrong = st.session_state.pop(_WRONG, None)
    if wrong is not None:
        st.error(wrong)
    if edits.done:
        st.caption(f"{len(edits.done)} so far: " + ", ".join(_EDITS.get(one.name, one.name) for one in edits.done[-6:]))


def _apply(run: runs.Run, events: Events) -> None:
    """Does what the widgets say at the moment that the button is pressed."""
    said = st.session_state
    name = said["edit"]
    kind = EDITS[name]
    given = {field: said[_key(name, field)] for field in kind.arguments.model_fields}
    chosen = tuple(number for number in said.get(f"chosen-{run.id}", ()) if number < len(events))
    source = {"room": said.get("room"), "events": said.get("with"), "nothing": None}[kind.takes]

    def after() -> History:
        one = Edit(
            name=name,
            which=chosen if kind.selects and chosen else None,
            source=source,
            arguments={field: value for field, value in given.items() if value is not None},
        )
        # Whether it fits is known before it is kept.
        apply(events, [one], others=_others({source} if kind.takes == "events" and source else set()), rooms=_rooms())
        return history(run).do(one)

    _store(run, after)
    if _WRONG not in said and name in {"remove", "mix", "morph"}:
        _keep(run, ())


def _again(run: runs.Run, after: Callable[[History], History]) -> None:
    """One edit back or forth, from where the edits are now: another tab may have gone on."""
    _store(run, lambda: after(history(run)))
    # Events may be counted otherwise now.
    _keep(run, ())


def _store(run: runs.Run, after: Callable[[], History]) -> None:
    """Keeps the edits; what went wrong is said where the button is."""
    try:
        keep_history(run, after())
    except (DistrackError, ValidationError) as error:
        st.session_state[_WRONG] = str(error)


def _source(takes: str, run: runs.Run) -> bool:
    """A menu of what an edit takes from elsewhere; whether there is any."""
    if takes == "room":
        rooms = [None, *_rooms()]
        if len(rooms) == 1:
            st.info("No rooms: set IMPULSE_RESPONSE_PATH to a folder of impulse responses (wav or flac).")
        st.selectbox("Which", rooms, format_func=lambda room: room or "none", key="room")
    elif takes == "events":
        others = [
            other.id
            for other in runs.all_runs(runs_path())
            if jobs.kind_of(other) == "decomposition" and other.id != run.id and events_file(other).is_file()
        ]
        if not others:
            st.info("There is no other clip yet: take one apart first.")
            return False
        st.selectbox("With", others, key="with")
    return True


def _key(edit: str, argument: str) -> str:
    return f"argument-{edit}-{argument}"


def _argument(edit: str, name: str, field: Any) -> None:
    """A widget for a number that keeps to the argument's range; empty where it may be left out."""
    least, most = _range(field)
    start = _STARTS.get(name) if field.is_required() else field.default
    units = {"seconds": "s", "db": "dB", "anchor": "s", "grid": "s"}
    label = _NAMES.get(name, name.replace("_", " ").capitalize()) + (f" ({units[name]})" if name in units else "")
    if int in (field.annotation, *get_args(field.annotation)):
        first = None if start is None else int(start)
        st.number_input(label, int(least or 0), int(most or 1_000), first, key=_key(edit, name))
        return
    value = None if start is None else float(start)
    st.number_input(label, _bound(least), _bound(most), value, _step(name), key=_key(edit, name))


def _bound(value: float | None) -> float | None:
    return None if value is None else float(value)


def _step(name: str) -> float:
    return {"semitones": 1.0, "db": 1.0, "bpm": 1.0, "octaves": 0.5, "factor": 0.1}.get(name, 0.05)


def _range(field: Any) -> tuple[float | None, float | None]:
    """The least and the most of an argument, wherever its annotation says so."""
    marks = list(field.metadata)
    for part in (field.annotation, *get_args(field.annotation)):
        if get_origin(part) is Annotated:
            marks += [mark for each in part.__metadata__ for mark in getattr(each, "metadata", [each])]
    least = next((float(mark.ge) for mark in marks if hasattr(mark, "ge")), None)
    above = next((math.nextafter(float(mark.gt), math.inf) for mark in marks if hasattr(mark, "gt")), None)
    most = next((float(mark.le) for mark in marks if hasattr(mark, "le")), None)
    return (least if least is not None else above), most


# Hearing


def _sounds(run: runs.Run, wave: Floats, rate: int, found: Events, edited: Events, chosen: list[int]) -> None:
    reconstruction = _heard_wave(found)
    some = min(wave.shape[1], reconstruction.shape[1])
    heard = [
        ("Original", "What was taken apart.", wave),
        ("Reconstruction", "All events together.", reconstruction),
        ("Residual", "What the events leave out.", wave[:, :some] - reconstruction[:, :some]),
    ]
    if edited is not found:
        heard.append(("Edited", "The events after your edits.", _heard_wave(edited)))
    if chosen:
        alone = soloed(edited, np.array(chosen))
        said = f"Event {chosen[0]} alone." if len(chosen) == 1 else f"The {len(chosen)} chosen events alone."
        heard.append(("Chosen", said, _heard_wave(alone)))
    longest = max(each.shape[1] for _, _, each in heard) / rate
    sources = [Heard(title, note, (_sound(_digest(each), each, rate),)) for title, note, each in heard]
    player(sources, title="Clip and events", seconds=longest, key=f"sounds-{run.id}")


@st.cache_data(max_entries=64, show_spinner=False)
def _sound(what: str, _wave: Floats, rate: int) -> Sound:  # noqa: ARG001
    peak = float(np.abs(_wave).max(initial=0.0))
    # Fitted into the file; the player brings all to one loudness.
    fitted = _wave / max(peak, 1.0)
    seen = plane(_wave, rate)
    image = image_png(seen.image, low=-70, high=0, height=160, width=640)
    return Sound(flac_bytes(fitted, sample_rate=rate), loudness(fitted, sample_rate=rate), image)


# To read, and to take along


def _table(run: runs.Run, events: Events, chosen: list[int]) -> None:
    with st.expander(f"All {len(events)} events as a table"):
        columns = events.kind.columns(events.channels)
        shown = events.parameters[:_TABLE]
        rows: dict[str, Any] = {"event": np.arange(len(shown))}
        rows |= {
            f"{column.name} ({column.unit})" if column.unit else column.name: shown[:, number]
            for number, column in enumerate(columns)
        }
        rows |= {"muted": events.muted[:_TABLE], "chosen": np.isin(np.arange(len(shown)), chosen)}
        st.dataframe(rows, hide_index=True, key=f"table-{run.id}")
        if len(events) > _TABLE:
            st.caption(f"The first {_TABLE} of {len(events)}.")
        st.caption(" · ".join(f"**{column.name}**: {column.about}" for column in columns))


def _take_along(run: runs.Run, events: Events) -> None:
    st.caption("Edits are kept with the run: the address of this page opens it as it is now. To take along:")
    with st.container(horizontal=True):
        for ending, label in _ENDINGS.items():
            name = f"{run.id}{ending}"
            made = partial(_content, events, name)
            st.download_button(label, made, name, key=f"take-{ending}", icon=":material/save:")


def _content(events: Events, name: str) -> bytes:
    with TemporaryDirectory() as folder:
        return save(events, Path(folder) / name).path.read_bytes()
