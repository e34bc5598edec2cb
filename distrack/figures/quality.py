"""Error of a decomposition against the number of events that are rendered."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from distrack.figures.style import Chart, finished


def quality_curve(curve: Sequence[tuple[int, float, float]]) -> Chart:
    """Spectral convergence (relative error of the magnitudes, 0 for a perfect copy) against the number of events.

    Args:
        curve: number of strongest events that are rendered, SNR in dB, spectral convergence.
    """
    points = pd.DataFrame(curve, columns=["events", "snr", "convergence"])
    base = alt.Chart(points).encode(
        x=alt.X("events:Q", title="Number of events", scale=alt.Scale(type="log")),
        y=alt.Y("convergence:Q", title="spectral convergence", scale=alt.Scale(zero=True)),
        tooltip=["events", alt.Tooltip("convergence", format=".3f"), alt.Tooltip("snr", format=".1f", title="SNR, dB")],
    )
    return finished(base.mark_line(strokeWidth=3) + base.mark_circle(size=90, opacity=1), 260)
