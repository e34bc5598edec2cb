"""Features as PNG images."""

import base64
import io

import numpy as np
from PIL import Image

from distrack.figures.images import colour_range, data_uri, image_png, magma


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("L")


def test_frequency_runs_upwards_and_time_to_the_right() -> None:
    image = np.zeros((4, 8), np.float32)
    image[0, -1] = 1.0  # the lowest band at the end
    picture = np.asarray(opened(image_png(image, low=0, high=1, height=64)))
    assert picture.shape == (64, 80)
    assert picture[-1, -1] > 200
    assert picture[0].max() < 20 > picture[:, 0].max()


def test_values_beyond_the_range_are_clipped_and_nan_is_dark() -> None:
    image = np.array([[-5.0, np.nan, 5.0]], np.float32)
    picture = np.asarray(opened(image_png(image, low=0, high=1, height=1, width=3)))[0]
    dark, bright = (np.asarray(Image.fromarray(magma()[None, [k]]).convert("L")).item() for k in (0, 255))
    assert picture.tolist() == [dark, dark, bright]


def test_several_images_are_below_each_other() -> None:
    images = np.stack([np.zeros((4, 4)), np.ones((4, 4))]).astype(np.float32)
    picture = np.asarray(opened(image_png(images, low=0, high=1, height=32)))
    assert picture.shape == (64, 40)
    assert picture[:32].max() < 20
    assert picture[32:].min() > 200


def test_the_colour_range_leaves_out_the_extremes_and_what_is_no_number() -> None:
    values = np.linspace(0, 1, 1000, dtype=np.float32)
    values[:3] = np.nan, np.inf, -1e9
    low, high = colour_range(values)
    assert 0 < low < 0.02
    assert 0.99 < high < 1
    assert colour_range(np.full(3, np.nan, np.float32)) == (0.0, 1.0)


def test_a_data_uri_holds_the_png() -> None:
    png = image_png(np.zeros((2, 2), np.float32), low=0, high=1)
    kind, _, text = data_uri(png).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == png
