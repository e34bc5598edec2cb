"""A decomposition in view: as it happens, and when it is done what can be done with it."""

import streamlit as st

from distrack import runs
from distrack.decompose import storage
from distrack.errors import DistrackError
from distrack.figures.quality import quality_curve
from distrack.jobs.decomposition import DecomposeJob, decomposition_report, events_file, original
from distrack.ui.decompose import studio
from distrack.ui.shared.panel import PANELS, Panel


def _describe(job: DecomposeJob) -> str:
    return f"{job.file.name}, {job.events} events by {job.method.name}"


def note(run: runs.Run) -> str:
    """The result of a decomposition in a few words."""
    report = decomposition_report(run)
    return "" if report is None else f"{report.events} events of {report.clip_seconds:.1f} s, {report.snr_db:.1f} dB"


def _view(run: runs.Run, status: runs.Status) -> None:
    if status.state in runs.ALIVE:
        _live(run)


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
        wave, rate = original(run)
        studio.picture(wave, rate, storage.load(looks[-1]), key=f"live-{run.id}")
        if metrics and "loss" in metrics[-1]:
            st.line_chart({"loss": [record["loss"] for record in metrics if "loss" in record]}, height=200)
        elif metrics and "snr_db" in metrics[-1]:
            st.line_chart({"SNR, dB": [record.get("snr_db") for record in metrics]}, height=200)
    except DistrackError as error:
        st.warning(str(error))


def _done(run: runs.Run) -> None:
    if not events_file(run).is_file():
        return
    studio.show(run)
    report = decomposition_report(run)
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


PANELS.add("decomposition", Panel("pages/decompose.py", "run", _describe, _view, _done))
