"""Tracks as pictures: one picture of a page, and a grid of tiles with a column for each class."""

import html
from pathlib import Path

import numpy as np
import streamlit as st

from distrack.distill import SyntheticSet
from distrack.figures.images import image_uris
from distrack.ui.cached import cached_by_file


def picture(uri: str, alt: str, style: str = "") -> str:
    """The HTML of an image as wide as its place; screen readers read `alt`."""
    look = f"width:100%;display:block;border-radius:.45rem;{style}"
    return f'<img src="{uri}" alt="{html.escape(alt)}" style="{look}">'


@cached_by_file
def track_pictures(path: Path, most: int) -> tuple[list[str], list[list[str]], int]:
    """Classes, for each the pictures of its first `most` tracks, and the number of tracks it has; of a snapshot too."""
    synthetic = SyntheticSet.load(path)
    # Snapshots would take long to be made audible.
    images = synthetic.normalisation.undo(synthetic.drawn()).squeeze(1).numpy()
    count = synthetic.tracks_per_class
    uris = image_uris(images[np.arange(len(images)) % count < most], like=images, height=64)
    each = min(count, most)
    return list(synthetic.classes), [uris[first : first + each] for first in range(0, len(uris), each)], count


def grid(path: Path, title: str, *, most: int = 3) -> None:
    """A wall of tiles that changes in place below a title, which says how many are shown; nothing without the file."""
    if not path.is_file():
        return
    classes, pictures, count = track_pictures(path, most)
    if count > most:
        title += f" · {most} of {count} per class"
    tiles = "".join(
        f'<figure><figcaption title="{html.escape(name)}">{html.escape(name)}</figcaption>'
        + "".join(picture(uri, f"track {k} of class {name}") for k, uri in enumerate(uris))
        + "</figure>"
        for name, uris in zip(classes, pictures, strict=True)
    )
    st.caption(title)
    st.html(f'<div data-testid="track-grid">{tiles}</div>')
