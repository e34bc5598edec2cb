"""What a temporal condensation has measured: the curve that grows, its table, and both ends of the grid to hear."""

import html
from typing import Any

import streamlit as st

from distrack import jobs, runs
from distrack.distill import SyntheticSet
from distrack.figures.accuracy import duration_curve
from distrack.jobs.series import condensation, series
from distrack.ui.shared.track_grid import pictures

# Tracks of one end that are shown.
_HEARD = 6


def said(job: jobs.CondenseJob) -> str:
    """A condensation in a few words."""
    seconds = " · ".join(f"{duration:g}" for duration in job.durations)
    seeds = f", {job.seeds} seeds" if job.seeds > 1 else ""
    return (
        f"{job.first.dataset}, {job.budget_seconds:g} s per class as tracks of {seconds} s, {job.first.preset}{seeds}"
    )


def result(run: runs.Run) -> None:
    """The curve and the table, as far as they are measured."""
    report: jobs.CondenseReport | None = series.report_of(run)
    if report is None or not report.done:
        return
    st.subheader("Accuracy on real test clips")
    places = [(row.seconds_per_track, row.tracks_per_class) for row in report.rows]
    found = {
        "synthetic": [row.synthetic for row in report.rows],
        "random-selection": [row.random_selection for row in report.rows],
    }
    chance = None if report.classes is None else 1 / report.classes
    st.altair_chart(duration_curve(places, found, chance=chance), key=f"curve-{run.id}")
    st.caption("Bars: one deviation over all seeds, of distillation and of evaluation. Dotted: chance.")
    st.dataframe([_row(row) for row in report.rows if row.synthetic], hide_index=True, key=f"table-{run.id}")
    st.caption("  \n".join(f"{note[:1].upper()}{note[1:]}." for note in report.notes))


def _row(row: condensation.Row) -> dict[str, Any]:
    def spread(found: Any) -> str:
        return f"{found.mean:.3f} ± {found.std:.3f} ({len(found.runs)})"

    return {
        "seconds a track": f"{row.seconds_per_track:g}",
        "tracks per class": row.tracks_per_class,
        "rendered": row.rendered_per_class,
        "floats per class": f"{row.floats_per_class:,}",
        "distilled tracks": spread(row.synthetic),
        "random clips": spread(row.random_selection),
        "gain": f"{row.gain or 0.0:+.3f}",
        "test clips": row.test,
    }


def ends(run: runs.Run, job: jobs.CondenseJob) -> None:
    """The shortest and the longest tracks of a class, where they are done."""
    cells = series.cells_of(job, run.id)
    both = [cells[0], cells[len(job.distillations) - 1]]
    heard = [cell for cell in dict.fromkeys(both) if series.finished(run, cell)]
    sets = [(cell, series.run_of(run, cell)) for cell in heard]
    sets = [(cell, here) for cell, here in sets if here.synthetic.is_file()]
    if not sets:
        return
    st.subheader("Hear both ends" if len(sets) > 1 else "Hear one end")
    classes = SyntheticSet.load(sets[0][1].synthetic).classes
    label = classes.index(st.selectbox("Class", classes, key=f"class-{run.id}"))
    for cell, here in sets:
        _end(cell, here, label)


def _end(cell: jobs.Cell, here: runs.Run, label: int) -> None:
    synthetic = SyntheticSet.load(here.synthetic)
    count = synthetic.tracks_per_class
    _, images = pictures(here.synthetic, here.synthetic.stat().st_mtime, _HEARD)
    names = synthetic.track_names()[label * count : (label + 1) * count][:_HEARD]
    title = f"**{cell.title}**" + (f", which render to {count} tracks" if count > cell.job.ipc else "")
    st.markdown(title + (f"; the first {_HEARD} of them" if count > _HEARD else ""))
    for column, name, uri in zip(st.columns(len(names)), names, images[label], strict=False):
        with column:
            named = f"track {html.escape(name)} of {cell.job.seconds:g} s"
            st.html(
                f'<img src="{uri}" alt="{named}" style="width:100%;height:7.5rem;display:block;border-radius:.5rem">'
            )
            audio = here.track(name)
            if audio.is_file():
                st.audio(audio.read_bytes(), format="audio/flac", alt=named)
