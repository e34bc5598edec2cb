"""Features as PNG images."""

import base64
import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def image_png(
    image: NDArray[np.float32], *, low: float, high: float, height: int = 128, width: int | None = None
) -> bytes:
    """A feature as a PNG: time runs to the right, frequency upwards. Several features are drawn below each other.

    Args:
        low, high: the values drawn darkest and brightest; values beyond them are clipped, NaN counts as `low`.
        height, width: of each feature, in pixels; the width is 5/4 of the height by default.

    Shape:
        - image: ``[bands, frames]`` or ``[n, bands, frames]``
    """
    scaled = (np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-9)
    levels = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    size = (width or height * 5 // 4, height)
    pictures = [
        np.asarray(Image.fromarray(picture[::-1]).resize(size, Image.Resampling.BICUBIC))
        for picture in levels.reshape(-1, *levels.shape[-2:])
    ]
    whole = Image.fromarray(np.concatenate(pictures))
    whole.putpalette(magma().tobytes())
    buffer = io.BytesIO()
    whole.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


@cache
def magma() -> NDArray[np.uint8]:
    """The Magma colour scale from dark to bright, ``[256, 3]``."""
    import plotly.colors

    stops = plotly.colors.sample_colorscale("Magma", np.linspace(0, 1, 256).tolist(), colortype="tuple")
    return (np.array(stops) * 255).astype(np.uint8)


def colour_range(images: NDArray[np.float32]) -> tuple[float, float]:
    """The darkest and the brightest value for images that are to be compared: their 1st and 99.7th percentile."""
    finite = images[np.isfinite(images)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, [1, 99.7])
    return float(low), float(high)


def data_uri(png: bytes) -> str:
    """A PNG as a `data:` URI, for an HTML page that has no other files."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def image_uris(images: NDArray[np.float32], *, like: NDArray[np.float32] | None = None, height: int = 128) -> list[str]:
    """Each image as the `data:` URI of a PNG, all in the colour range of `like`, by default of the images themselves.

    Shape:
        - images: ``[n, bands, frames]``
    """
    low, high = colour_range(images if like is None else like)
    return [data_uri(image_png(image, low=low, high=high, height=height)) for image in images]
