"""Tracks as pictures: a grid of tiles, a column for each class."""

import html
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from distrack.distill import SyntheticSet
from distrack.figures.images import colour_range, data_uri, image_png


@st.cache_data(max_entries=64, show_spinner=False)
def pictures(path: Path, changed: float, most: int) -> tuple[list[str], list[list[str]]]:  # noqa: ARG001
    """Classes, and for each the pictures of its first `most` tracks.

    Args:
        path: a synthetic set or a snapshot of one.
        changed: when the file was last written; another time, another answer.
        most: tracks of a class at the most.
    """
    synthetic = SyntheticSet.load(path)
    images: NDArray[np.float32] = synthetic.images().squeeze(1).numpy()
    low, high = colour_range(images)
    labels = synthetic.labels.numpy()
    shown = [
        [data_uri(image_png(image, low=low, high=high)) for image in images[labels == label][:most]]
        for label in range(len(synthetic.classes))
    ]
    return list(synthetic.classes), shown


def grid(path: Path, *, most: int = 3) -> None:
    """A wall of tiles that changes in place."""
    try:
        classes, shown = pictures(path, path.stat().st_mtime, most)
    except FileNotFoundError:
        return
    tiles = "".join(
        f'<figure style="margin:0"><figcaption style="font-weight:600">{html.escape(name)}</figcaption>'
        + "".join(
            f'<img src="{uri}" alt="track {k} of class {html.escape(name)}" '
            f'style="width:100%;display:block;border-radius:.45rem;margin-bottom:.35rem">'
            for k, uri in enumerate(uris)
        )
        + "</figure>"
        for name, uris in zip(classes, shown, strict=True)
    )
    st.html(
        '<div data-testid="track-grid" style="display:grid;gap:.6rem;'
        f'grid-template-columns:repeat(auto-fill,minmax(7rem,1fr))">{tiles}</div>'
    )
