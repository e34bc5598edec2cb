"""The result of a temporal condensation: accuracy by track length, a table, and its shortest and longest tracks."""

from contextlib import suppress
from typing import Any

import streamlit as st

from distrack import jobs, runs
from distrack.distill import SyntheticSet
from distrack.figures.accuracy import duration_curve
from distrack.jobs.results import played_track, synthetic_file
from distrack.jobs.series import Cell, CondenseJob, CondenseReport, finished_report, run_of
from distrack.jobs.series.condensation import Row
from distrack.ui.shared import cells
from distrack.ui.shared.page import chart, sentence
from distrack.ui.shared.pictures import picture, track_pictures
from distrack.ui.shared.run_in_view import PANELS, Panel, job_of

# Tracks of one end that are shown.
_HEARD = 6


def _result(run: runs.Run) -> None:
    """The curve and the table, as far as they are measured."""
    report: CondenseReport | None = jobs.report_of(run)
    if report is None or not report.done:
        return
    st.subheader("Accuracy on real test clips")
    places = [(row.seconds_per_track, row.tracks_per_class) for row in report.rows]
    found = {
        "synthetic": [row.synthetic for row in report.rows],
        "random-selection": [row.random_selection for row in report.rows],
    }
    chance = None if report.classes is None else 1 / report.classes
    chart(duration_curve(places, found, chance=chance), key=f"curve-{run.id}")
    st.caption("Error bars: 1 SD over all seeds, of distillation and of evaluation. Dotted: chance.")
    st.dataframe([_row(row) for row in report.rows if row.synthetic], hide_index=True, key=f"table-{run.id}")
    st.caption("  \n".join(map(sentence, report.notes)))


def _row(row: Row) -> dict[str, Any]:
    return {
        "track length (s)": f"{row.seconds_per_track:g}",
        "tracks per class": row.tracks_per_class,
        "rendered": row.rendered_per_class,
        "floats per class": f"{row.floats_per_class:,}",
        "synthetic": "" if row.synthetic is None else row.synthetic.text,
        "random clips": "" if row.random_selection is None else row.random_selection.text,
        "gain": f"{row.gain or 0.0:+.3f}",
        "test clips": row.test,
    }


def _ends(run: runs.Run) -> None:
    """The shortest and the longest tracks of a class, of the cells that are done."""
    job = job_of(run, CondenseJob)
    if job is None:
        return
    every = job.cells(run.id)
    both = dict.fromkeys([every[0], every[len(job.distillations) - 1]])
    sets = [(cell, run_of(run, cell)) for cell in both if finished_report(run, cell)]
    sets = [(cell, of_cell) for cell, of_cell in sets if synthetic_file(of_cell).is_file()]
    if not sets:
        return
    st.subheader("Listen: shortest and longest" if len(sets) > 1 else "Listen")
    classes = SyntheticSet.load(synthetic_file(sets[0][1])).classes
    label = classes.index(st.selectbox("Class", classes, key=f"class-{run.id}"))
    for cell, of_cell in sets:
        _end(cell, of_cell, label)


def _end(cell: Cell, here: runs.Run, label: int) -> None:
    synthetic = SyntheticSet.load(synthetic_file(here))
    count = synthetic.tracks_per_class
    _, images, _ = track_pictures(synthetic_file(here), _HEARD)
    names = synthetic.track_names()[label * count : (label + 1) * count][:_HEARD]
    shown = f"{count} track{'s' * (count > 1)}" if count <= _HEARD else f"the first {_HEARD} of {count} tracks"
    st.markdown(f"**{cell.title}**: {shown}")
    for column, name, uri in zip(st.columns(len(names)), names, images[label], strict=False):
        with column:
            named = f"track {name} of {cell.job.seconds:g} s"
            st.html(picture(uri, named, "height:7.5rem"))
            with suppress(OSError):
                st.audio(played_track(here, name), format="audio/flac", alt=named)


def _show(run: runs.Run, status: runs.Status) -> None:
    cells.show(run, status)
    _result(run)


PANELS.add("condensation", Panel("pages/condense.py", "condensation", _show, _ends))
