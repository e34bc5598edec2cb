"""The confusion matrix."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from distrack.figures.style import COLOURS, readable

# With more classes the percentages do not fit their cells.
_MOST_NUMBERED = 12


def confusion_matrix(counts: Sequence[Sequence[int]], classes: Sequence[str], *, ink: str) -> go.Figure:
    """Share of the clips of each true class (rows) for which each class was predicted (columns).

    Shape:
        - counts: ``[classes, classes]``, clips by true and predicted class
    """
    clips = np.array(counts, dtype=np.float64)
    share = clips / np.maximum(clips.sum(1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=list(classes),
            y=list(classes),
            zmin=0,
            zmax=1,
            colorscale=[[0.0, "rgba(194, 64, 127, 0.05)"], [1.0, COLOURS["synthetic"]]],
            texttemplate="%{z:.0%}" if len(classes) <= _MOST_NUMBERED else None,
            textfont={"color": ink},
            colorbar={"title": "share", "tickformat": ".0%"},
        )
    )
    figure.update_xaxes(title="predicted", type="category")
    figure.update_yaxes(title="true", type="category", autorange="reversed")
    return readable(figure, height=520)
