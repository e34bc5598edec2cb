"""A decomposition in view: its events as they are found, then the studio and the quality."""

import streamlit as st

from distrack import runs
from distrack.decompose import storage
from distrack.figures.quality import quality_curve
from distrack.jobs.decomposition import decomposition_report, events_file, original
from distrack.perception import DISTANCES
from distrack.ui.decompose import codecs, section, studio
from distrack.ui.decompose.plane import draw_plane
from distrack.ui.shared import stage
from distrack.ui.shared.glossary import GLOSSARY
from distrack.ui.shared.page import chart, errors_shown, sentence
from distrack.ui.shared.run_in_view import PANELS, Panel


def note(run: runs.Run) -> str:
    """The result of a decomposition in a few words; empty before it is done."""
    report = decomposition_report(run)
    return "" if report is None else f"{report.events:,} events of {report.clip_seconds:.1f} s, {report.snr_db:.1f} dB"


def _live(run: runs.Run, status: runs.Status) -> None:
    """The latest snapshot of a running decomposition, and the curve of its loss or of its signal-to-noise ratio."""
    if status.state not in runs.ALIVE:
        return
    snapshots = list(run.snapshots().values())
    metrics = [record for record in run.metrics() if "events" in record]
    if metrics:
        last = metrics[-1]
        texts = [f"**{last['events']:,}** events"]
        texts += [f"**{last['snr_db']:.1f} dB** SNR"] if "snr_db" in last else []
        texts += [f"loss **{last['loss']:.4f}**"] if "loss" in last else []
        st.markdown(" · ".join(texts))
    if not snapshots:
        st.caption("Waiting for the first events.")
        return
    with errors_shown(st.warning):
        sound, _ = original(run)
        view, events = section.choose(sound, sound.shape[1]), storage.load(snapshots[-1])
        wave = sound[:, view.first : view.last]
        draw_plane(wave, view, events, view.numbers(events), key=f"live-{run.id}")
        if metrics and "loss" in metrics[-1]:
            st.line_chart({"Loss": [record["loss"] for record in metrics if "loss" in record]}, height=200)
        elif metrics and "snr_db" in metrics[-1]:
            st.line_chart({"SNR (dB)": [record.get("snr_db") for record in metrics]}, height=200)


def _done(run: runs.Run) -> None:
    if not events_file(run).is_file():
        return
    studio.show(run)
    report = decomposition_report(run)
    if report is not None and not stage.active():
        st.subheader("Quality")
        with st.container(horizontal=True):
            st.metric("Events", f"{report.events:,}")
            st.metric("Stored values", f"{report.floats:,}")
            if report.common_floats:
                term = "Shared decoder"
                st.metric(term, f"{report.common_floats:,}", help=GLOSSARY[term])
            st.metric("Signal-to-noise ratio", f"{report.snr_db:.1f} dB")
            convergence = "Spectral convergence"
            st.metric(convergence, f"{report.spectral_convergence:.3f}", help=GLOSSARY[convergence])
            for name, value in report.perceptual.items():
                term = f"{DISTANCES.short_title(name)} distance"
                st.metric(term, f"{value:.3f}", help=GLOSSARY[term])
            st.metric("Computed in", f"{report.seconds:.1f} s")
        if report.notes:
            st.caption(" ".join(map(sentence, report.notes)))
        codecs.draw(report)
        chart(quality_curve([(one.events, one.snr_db, one.spectral_convergence) for one in report.curve]))


PANELS.add("decomposition", Panel("pages/decompose.py", "run", _live, _done))
