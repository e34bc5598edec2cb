"""A temporal condensation as it happens: its cells, the curve that grows, and both ends of the grid to hear."""

import html
from typing import Any

import streamlit as st

from distrack import runs
from distrack.distill import SyntheticSet
from distrack.errors import RunError
from distrack.evaluate import Report
from distrack.figures import duration_curve
from distrack.runs import condensation
from distrack.ui import status as shown
from distrack.ui.current import runs_path
from distrack.ui.tracks import pictures

# Seconds between two looks.
_EVERY = 1.0
# Cells beside each other.
_BESIDE = 4
# Tracks of one end that are shown.
_HEARD = 6
_SHOWN = {"synthetic": "Distilled tracks", "random-selection": "As many random clips"}


def named() -> runs.Run | None:
    """The condensation that the URL names, or None; a name that is not there is said and forgotten."""
    name = st.query_params.get("condensation")
    if name is None:
        return None
    try:
        return runs.find(runs_path() / condensation.FOLDER, name)
    except RunError:
        st.warning(f"no condensation {name!r} in {runs_path()}")
        del st.query_params["condensation"]
        return None


def earlier() -> None:
    """What was condensed before, to open again."""
    st.subheader("Earlier condensations")
    found = list(condensation.everything(runs_path()))
    if not found:
        st.caption("None yet. Press **Condense** above: every duration is then distilled, one after the other.")
    for run in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            shown.badge(run.status())
            st.page_link("pages/condense.py", label=run.id, query_params={"condensation": run.id})
            job = job_or_none(run)
            if job is not None:
                st.caption(_said(job))


def job_or_none(run: runs.Run) -> runs.CondenseJob | None:
    """What was asked for; None where its config cannot be read."""
    try:
        return condensation.job_of(run)
    except RunError:
        return None


def _said(job: runs.CondenseJob) -> str:
    seconds = " · ".join(f"{duration:g}" for duration in job.durations)
    seeds = f", {job.seeds} seeds" if job.seeds > 1 else ""
    return (
        f"{job.first.dataset}, {job.budget_seconds:g} s per class as tracks of {seconds} s, {job.first.preset}{seeds}"
    )


def watch(run: runs.Run) -> None:
    """The condensation in view; looks again and again while it is at work, and once more when it ends."""
    alive = run.status().state in runs.ALIVE
    st.fragment(_view, run_every=_EVERY if alive else None)(run, alive)


def _view(run: runs.Run, was_alive: bool) -> None:
    status = run.status()
    with shown.head(run, status):
        _buttons(run, status)
    if status.error and status.state != "unreadable":
        st.error(status.error)
    try:
        job = condensation.job_of(run)
    except RunError as error:
        st.error(str(error))
        return
    st.caption(_said(job))
    _cells(run, job)
    _result(run)
    if not was_alive:
        _ends(run, job)
    _details(run, job)
    # Only now: before the buttons it would swallow a click that came with this look.
    if was_alive and status.state not in runs.ALIVE:
        st.rerun()


def _buttons(run: runs.Run, status: runs.Status) -> None:
    if status.state in runs.ALIVE:
        shown.stop_button(run, condensation.stop)
    elif status.state != "done":
        shown.resume_button(run, condensation.launch)


def _cells(run: runs.Run, job: runs.CondenseJob) -> None:
    cells = job.cells(run.id)
    width = len(job.distillations)
    for start in range(0, len(cells), width):
        if job.seeds > 1:
            st.caption(f"Seed {cells[start].job.seed}")
        for first in range(start, start + width, _BESIDE):
            here = cells[first : min(first + _BESIDE, start + width)]
            for column, cell in zip(st.columns(min(width, _BESIDE)), here, strict=False):
                with column.container(border=True, height="stretch"):
                    _cell(run, cell)


def _cell(run: runs.Run, cell: runs.Cell) -> None:
    here = condensation.run_of(run, cell)
    status = here.status() if here.path.is_dir() else None
    report = condensation.finished(run, cell)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{cell.job.ipc} x {cell.job.seconds:g} s**")
        if report is not None and status is not None and status.state not in runs.ALIVE:
            st.badge("done", color="green")
        elif status is None or status.state == "unreadable":
            st.badge("waiting", color="gray")
        else:
            shown.badge(status)
    if report is not None:
        learnt, chosen = (report.accuracy("random-cnn", kind) or 0.0 for kind in _SHOWN)
        st.markdown(f"**{learnt:.1%}** from tracks  \n{chosen:.1%} from random clips")
    elif status is not None and status.state in runs.ALIVE and status.phase:
        share = status.step / status.steps if status.steps else 0.0
        st.progress(min(max(share, 0.0), 1.0), text=shown.PHASES.get(status.phase, status.phase))
    else:
        st.caption("Waiting for its turn." if run.status().state in runs.ALIVE else "Not done.")
    with st.container(horizontal=True):
        _links(here, report)


def _links(here: runs.Run, report: Report | None) -> None:
    asked = {"run": here.id}
    if report is not None:
        st.page_link("pages/listen.py", label="Listen", icon=":material/graphic_eq:", query_params=asked)
        st.page_link("pages/evaluate.py", label="Evaluate", icon=":material/bar_chart:", query_params=asked)
    elif here.path.is_dir():
        st.page_link("pages/distill.py", label="Look at it", icon=":material/visibility:", query_params=asked)


def _result(run: runs.Run) -> None:
    report = condensation.report_of(run)
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


def _ends(run: runs.Run, job: runs.CondenseJob) -> None:
    cells = job.cells(run.id)
    both = [cells[0], cells[len(job.distillations) - 1]]
    heard = [cell for cell in dict.fromkeys(both) if condensation.finished(run, cell)]
    sets = [(cell, condensation.run_of(run, cell)) for cell in heard]
    sets = [(cell, here) for cell, here in sets if here.synthetic.is_file()]
    if not sets:
        return
    st.subheader("Hear both ends" if len(sets) > 1 else "Hear one end")
    classes = SyntheticSet.load(sets[0][1].synthetic).classes
    label = classes.index(st.selectbox("Class", classes, key=f"class-{run.id}"))
    for cell, here in sets:
        _end(cell, here, label)


def _end(cell: runs.Cell, here: runs.Run, label: int) -> None:
    synthetic = SyntheticSet.load(here.synthetic)
    count = synthetic.tracks_per_class
    _, images = pictures(here.synthetic, here.synthetic.stat().st_mtime, _HEARD)
    names = synthetic.track_names()[label * count : (label + 1) * count][:_HEARD]
    said = f"**{cell.job.ipc} x {cell.job.seconds:g} s**"
    said += f", which render to {count} tracks" if count > cell.job.ipc else ""
    st.markdown(said + (f"; the first {_HEARD} of them" if count > _HEARD else ""))
    for column, name, uri in zip(st.columns(len(names)), names, images[label], strict=False):
        with column:
            title = f"track {html.escape(name)} of {cell.job.seconds:g} s"
            st.html(
                f'<img src="{uri}" alt="{title}" style="width:100%;height:7.5rem;display:block;border-radius:.5rem">'
            )
            audio = here.track(name)
            if audio.is_file():
                st.audio(audio.read_bytes(), format="audio/flac", alt=title)


def _details(run: runs.Run, job: runs.CondenseJob) -> None:
    with st.expander("Command, config and log"):
        st.code(job.command(), language="shell", wrap_lines=True)
        log = runs.tail(run.path / "log.txt")
        if log:
            st.code(log, language=None, height=220)
