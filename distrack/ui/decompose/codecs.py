"""Events in few bits as a codec: their size beside that of the same clip in FLAC and Opus."""

import streamlit as st

from distrack.jobs.decomposition import DecomposeReport
from distrack.ui.shared.glossary import GLOSSARY


def draw(report: DecomposeReport) -> None:
    """The size and the bit rate of events in few bits, and a table of codecs; nothing for events stored as float32."""
    if report.stored is None:
        return
    size, term = report.stored.size, "Bits an event"
    st.subheader("Codec")
    with st.container(horizontal=True):
        st.metric("Bytes", f"{size:,}")
        st.metric("Bit rate", f"{report.kilobits(size):.1f} kbit/s")
        st.metric(term, f"{size * 8 / report.events:.1f}", help=GLOSSARY[term])
    table = zip(*report.codecs, strict=True)
    names = ("Codec", "Bytes", "kbit/s", "SNR (dB)")
    st.dataframe(
        dict(zip(names, map(list, table), strict=True)),
        hide_index=True,
        key="codecs",
        column_config={
            "Bytes": st.column_config.NumberColumn(format="localized"),
            "kbit/s": st.column_config.NumberColumn(format="%.1f"),
            "SNR (dB)": st.column_config.NumberColumn(format="%.1f"),
        },
    )
    st.caption("Opus keeps what is heard rather than the waveform, so it sounds better than its SNR says.")
