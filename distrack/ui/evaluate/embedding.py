"""The embedding map of the Evaluate page: real clips and tracks as points that sound, a table, and the one selected."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from distrack import runs
from distrack.audio import SAMPLE_RATE, flac_bytes, level
from distrack.distill import SyntheticSet
from distrack.evaluate import Inspection, Report
from distrack.evaluate.inspection import Method
from distrack.images import RealImages
from distrack.jobs.results import synthetic_file
from distrack.ui.evaluate.copies import checked
from distrack.ui.evaluate.track_and_clip import one_of, real_clips, show_clip, show_track
from distrack.ui.shared.page import errors_shown
from distrack.ui.sound import Place, SoundSheet, sheets, sound_map

_PROJECTIONS: dict[Method, str] = {"pca": "PCA", "t-sne": "t-SNE"}
# Seconds of a clip that are heard: hundreds of clips are sent to the browser.
_HEARD = 2.0


def show(run: runs.Run, _report: Report) -> None:
    """The map, beside it the selected point, and below a table of all tracks."""
    inspection = checked(run)
    if inspection is None:
        return
    with errors_shown(st.warning):
        _map(run, inspection, SyntheticSet.load(synthetic_file(run)))


def _map(run: runs.Run, inspection: Inspection, synthetic: SyntheticSet) -> None:
    method, real = one_of("Projection", _PROJECTIONS), real_clips(run.path)
    state, table = f"point-{run.id}", f"points-{run.id}"

    def select(point: tuple[str, int]) -> None:
        st.session_state[state] = point

    def picked() -> None:
        if rows := st.session_state[table].selection.rows:
            select(("track", rows[0]))

    places, files = _of_tracks(run, synthetic)
    if real is not None:
        positions = tuple(point.number for point in inspection.map if point.kind == "clip")
        more_places, more_files = _of_clips(f"{run.path}", real["train"], positions)
        places, files = places | more_places, files | more_files
    left, right = st.columns([3, 1])
    selected = st.session_state.get(state)
    with left:
        sound_map(
            inspection.map,
            places,
            files,
            synthetic.classes,
            method=method,
            selected=selected,
            on_press=select,
            key=f"map-{run.id}-{method}",
        )
        st.caption("Small dots: training clips. Large: tracks. Crosses: class means.")
    with right:
        if selected is not None and selected[0] == "track":
            show_track(run, inspection.names[selected[1]], selected[1])
        elif selected is not None:
            show_clip(run, synthetic.classes, real, "train", selected[1])
    near = inspection.memorisation.of("feature", "train")
    rows = [
        {"track": name, "class": synthetic.classes[label], "distance to the nearest training clip": distance}
        for name, label, distance in zip(inspection.names, synthetic.labels.tolist(), near.distances, strict=True)
    ]
    st.dataframe(rows, key=table, on_select=picked, selection_mode="single-row", hide_index=True, height=220)


def _of_tracks(run: runs.Run, synthetic: SyntheticSet) -> tuple[dict[tuple[str, int], Place], dict[str, SoundSheet]]:
    """Where the sound of each track is, and the sounds by class."""
    places, files, number = {}, {}, 0
    for label, sheet in enumerate(sheets(run)):
        key = f"tracks-{label}"
        files[key] = SoundSheet(sheet.sound, synthetic.config.seconds)
        for position, name in enumerate(sheet.names):
            if position not in sheet.missing:
                places["track", number] = Place(key, position, name)
            number += 1
    return places, files


@st.cache_resource(max_entries=2, show_spinner="Loading clips")
def _of_clips(
    run: str,  # noqa: ARG001
    _train: RealImages,
    positions: Sequence[int],
) -> tuple[dict[tuple[str, int], Place], dict[str, SoundSheet]]:
    """Where the sound of each training clip of the map is, and their beginnings by class."""
    chosen = np.array(positions)
    places: dict[tuple[str, int], Place] = {}
    files: dict[str, SoundSheet] = {}
    for label in range(_train.classes):
        mine, key = chosen[_train.labels[chosen] == label], f"clips-{label}"
        waves = _train.sounds(mine).numpy()[:, : round(_HEARD * SAMPLE_RATE)]
        if len(mine):
            files[key] = SoundSheet(
                flac_bytes(np.concatenate([level(wave) for wave in waves])), waves.shape[1] / SAMPLE_RATE
            )
        places |= {("clip", int(number)): Place(key, position, "") for position, number in enumerate(mine)}
    return places, files
