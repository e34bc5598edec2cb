"""Events of several decompositions side by side: a map on which they sound, and those that sound alike."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from distrack import runs
from distrack.arrays import Integers
from distrack.audio import flac_bytes, level
from distrack.decompose import Events, render_part, soloed
from distrack.decompose.similar import MOST, clip_distances, nearest, projections
from distrack.evaluate.inspection import Method, Point
from distrack.jobs.contract import titles_of
from distrack.jobs.decomposition import decompositions_like
from distrack.ui.decompose.events_in_view import loaded
from distrack.ui.decompose.plane import select
from distrack.ui.shared.page import errors_shown
from distrack.ui.shared.run_in_view import runs_path
from distrack.ui.sound import Place, SoundSheet, sound_map

_PROJECTIONS: dict[Method, str] = {"pca": "PCA", "t-sne": "t-SNE"}
# Seconds of an event that are heard, clips on a map at first, events of a clip, and events in the list.
_HEARD, _CLIPS, _EVENTS, _MOST_NEAR = 0.8, 4, 64, 6


def draw(run: runs.Run, selection: Integers) -> None:
    """Draws the map and the lists in an expander; nothing is computed before it is opened."""
    place = st.expander(
        "Across clips: a map of events, and what sounds alike", key=f"across-{run.id}", on_change="rerun"
    )
    if not place.open:
        return
    with place, errors_shown(st.warning):
        _draw(run, selection)


def _draw(run: runs.Run, selection: Integers) -> None:
    alike = {other.id: (other, events) for other, events in decompositions_like(run, runs_path(), loaded)}
    titles = titles_of(other for other, _ in alike.values())
    others = [name for name in alike if name != run.id]
    chosen = st.multiselect(
        "Clips beside this one", others, others[: _CLIPS - 1], format_func=titles.__getitem__, key=f"others-{run.id}"
    )
    clips = {name: _strongest(alike[name][1]) for name in (run.id, *chosen)}
    if sum(map(len, clips.values())) > MOST:
        st.info(f"More than {MOST:,} events: choose fewer clips.")
        return
    method: Method = st.segmented_control(
        "Projection",
        list(_PROJECTIONS),
        default="pca",
        required=True,
        format_func=_PROJECTIONS.__getitem__,
        key="plane",
    )
    points, places, sheets = _mapped(clips)
    event = int(selection[0]) if len(selection) == 1 and selection[0] < len(clips[run.id]) else None

    def pressed(point: tuple[str, int]) -> None:
        # The events of the clip in view come first, by their numbers.
        if point[1] < len(clips[run.id]):
            select(run, [point[1]])

    sound_map(
        points,
        places,
        sheets,
        [titles[name] for name in clips],
        method=method,
        selected=None if event is None else ("track", event),
        on_press=pressed,
        key=f"events-{run.id}-{method}",
    )
    st.caption(
        "Each dot is an event. Events that sound alike are near each other; one of this clip is selected by a press."
    )
    left, right = st.columns(2)
    with left:
        if event is not None:
            rows = nearest(clips, run.id, event, most=_MOST_NEAR)
            st.markdown(f"Events that sound most like event {event}:")
            table = [
                {"clip": titles[one.clip], "event": one.number, "distance": round(one.distance, 2)} for one in rows
            ]
            st.dataframe(table, hide_index=True, key=f"near-{run.id}")
        else:
            st.caption("Select one event on the plane to list the events that sound most like it.")
    with right:
        distances = clip_distances(clips, run.id)
        if distances:
            st.markdown("Clips whose events sound most like these:")
            table = [{"clip": titles[name], "distance": round(value, 2)} for name, value in distances.items()]
            st.dataframe(table, hide_index=True, key=f"clips-{run.id}")
        else:
            st.caption("Decompose another clip with this method to compare both.")


def _strongest(events: Events) -> Events:
    return events.rows(np.arange(min(len(events), _EVENTS)))


def _key(clips: Mapping[str, Events]) -> list[tuple[str, bytes]]:
    return [(name, events.parameters.tobytes()) for name, events in clips.items()]


@st.cache_data(max_entries=8, show_spinner="Placing the events", hash_funcs={dict: _key})
def _mapped(
    clips: dict[str, Events],
) -> tuple[list[Point], dict[tuple[str, int], Place], dict[str, SoundSheet]]:
    """Points of all events, where the sound of each is, and the sounds of each clip one after the other."""
    pca, t_sne = projections([events.kind.vectors(events) for events in clips.values()])
    points, places, sheets, number = [], {}, {}, 0
    for label, (name, events) in enumerate(clips.items()):
        sheets[name] = SoundSheet(_sheet(events), _HEARD)
        for position in range(len(events)):
            by_pca, by_t_sne = pca[number].tolist(), t_sne[number].tolist()
            points.append(Point(kind="track", number=number, label=label, pca=by_pca, t_sne=by_t_sne))
            places["track", number] = Place(name, position, f"event {position}")
            number += 1
    return points, places, sheets


def _sheet(events: Events) -> bytes:
    """Each event alone from its onset on, all of the same loudness, one after the other."""
    rate = events.sample_rate
    length = round(_HEARD * rate)
    onsets = events.kind.boxes(events).onset
    waves = []
    for number in range(len(events)):
        first = max(round(float(onsets[number]) * rate), 0)
        part = render_part(soloed(events, [number]), first, first + length).mean(axis=0)
        waves.append(level(np.pad(part, (0, length - len(part))).astype(np.float32)))
    return flac_bytes(np.concatenate(waves), sample_rate=rate)
