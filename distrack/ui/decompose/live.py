"""A decomposition in view: as it happens, and when it is done what can be done with it."""

import streamlit as st

from distrack import runs
from distrack.decompose import Events
from distrack.errors import DistrackError, RunError
from distrack.figures.quality import quality_curve
from distrack.jobs import decomposition
from distrack.ui.decompose import studio
from distrack.ui.shared import job_panel as shown
from distrack.ui.shared.run_in_view import runs_path

# Seconds between two looks.
_EVERY = 1.0


def named() -> runs.Run | None:
    """The decomposition that the URL names, or None; a name that is not there is said and forgotten."""
    name = st.query_params.get("run")
    if name is None:
        return None
    try:
        run = runs.find(runs_path(), name)
    except RunError as error:
        st.warning(str(error))
    else:
        if run.takes_apart:
            return run
        st.warning(f"run {name} distils a dataset: nothing is taken apart there")
    del st.query_params["run"]
    return None


def earlier() -> None:
    """Those that are there, to open again."""
    found = [run for run in runs.all_runs(runs_path()) if run.takes_apart]
    st.subheader("Earlier ones")
    if not found:
        st.caption("None yet. Choose a recording above, and press **Take apart**.")
    for run in found:
        with st.container(horizontal=True, vertical_alignment="center"):
            shown.badge(run.status())
            st.page_link("pages/decompose.py", label=run.id, query_params={"run": run.id})
            report = decomposition.report_of(run)
            if report is not None:
                st.caption(f"{report.events} events of {report.clip_seconds:.1f} s, {report.snr_db:.1f} dB")


def watch(run: runs.Run) -> None:
    """The run in view: looks again and again while it is at work, and then shows all of it."""
    alive = run.status().state in runs.ALIVE
    st.fragment(_view, run_every=_EVERY if alive else None)(run, alive)
    if not alive:
        _done(run)


def _view(run: runs.Run, was_alive: bool) -> None:
    status = run.status()
    with shown.head(run, status):
        if status.state in runs.ALIVE:
            shown.stop_button(run, runs.stop)
        elif status.state != "done":
            shown.resume_button(run, decomposition.launch)
    if status.error:
        st.error(status.error)
    if status.state in runs.ALIVE:
        _live(run)
    elif was_alive:
        st.rerun()


def _live(run: runs.Run) -> None:
    """The last look at what was found so far."""
    looks = list(run.snapshots().values())
    metrics = [record for record in run.metrics() if "events" in record]
    if metrics:
        last = metrics[-1]
        said = [f"**{last['events']}** events"]
        said += [f"**{last['snr_db']:.1f} dB** SNR"] if "snr_db" in last else []
        said += [f"loss **{last['loss']:.4f}**"] if "loss" in last else []
        st.markdown(" · ".join(said))
    if not looks:
        st.caption("The first events come in a moment.")
        return
    try:
        wave, rate = decomposition.original(run)
        studio.picture(wave, rate, Events.load(looks[-1]), key=f"live-{run.id}")
        if metrics and "loss" in metrics[-1]:
            st.line_chart({"loss": [record["loss"] for record in metrics if "loss" in record]}, height=200)
        elif metrics and "snr_db" in metrics[-1]:
            st.line_chart({"SNR, dB": [record.get("snr_db") for record in metrics]}, height=200)
    except DistrackError as error:
        st.warning(str(error))


def _done(run: runs.Run) -> None:
    if not decomposition.events_file(run).is_file():
        return
    studio.show(run)
    report = decomposition.report_of(run)
    if report is not None:
        st.subheader("Quality")
        with st.container(horizontal=True):
            st.metric("Events", report.events)
            st.metric("Floats stored", f"{report.floats:,}")
            st.metric("Signal to noise", f"{report.snr_db:.1f} dB")
            st.metric("Spectral convergence", f"{report.spectral_convergence:.3f}")
            st.metric("Found in", f"{report.seconds:.1f} s")
        st.altair_chart(quality_curve([(one.events, one.snr_db, one.spectral_convergence) for one in report.curve]))
        st.caption("Spectral convergence: how far the magnitudes are off, as a share of the clip's. 0 is equal.")
    with st.expander("Command and log"):
        try:
            st.code(decomposition.job_of(run).command(), language="shell", wrap_lines=True)
        except RunError as error:
            st.warning(str(error))
        log = runs.tail(run.path / "log.txt")
        if log:
            st.code(log, language=None, height=220)
