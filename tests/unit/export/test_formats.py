"""File formats of a comparison: every one is written, opens, and is the same for the same runs."""

import io
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from PIL import Image

from distrack.errors import ConfigError
from distrack.export.comparison import Entry
from distrack.export.formats import EXPORTERS, content
from tests.unit.export.conftest import MakeEntry


def test_every_format_is_offered_with_a_title_a_description_and_a_type() -> None:
    assert set(EXPORTERS) == {".csv", ".html", ".png", ".svg", ".tex"}
    for ending in EXPORTERS:
        exporter = EXPORTERS[ending]
        assert exporter.title
        assert exporter.description.endswith(".")
        assert "/" in exporter.media_type


class Written(NamedTuple):
    """A run's file of every format, written twice with another chart in between."""

    first: dict[str, bytes]
    second: dict[str, bytes]


@pytest.fixture(scope="module")
def written(one: Entry) -> Written:
    # The renderer of charts counts on from one chart to the next.
    return Written(*({ending: content([one], ending) for ending in EXPORTERS} for _ in range(2)))


def test_the_same_runs_give_the_same_bytes(written: Written) -> None:
    assert written.first == written.second


def test_a_png_has_a_white_background_and_room_for_a_page(written: Written) -> None:
    picture = Image.open(io.BytesIO(written.first[".png"]))
    assert picture.width > 1400
    assert picture.getpixel((0, 0)) == (255, 255, 255, 255)
    assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


def test_an_svg_shows_the_accuracies(written: Written) -> None:
    root = ElementTree.fromstring(written.first[".svg"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "80.0%" in "".join(root.itertext())


def test_an_unknown_ending_is_refused_with_those_that_are_known(one: Entry) -> None:
    for ending in (".doc", ""):
        with pytest.raises(ConfigError, match=r"\.csv"):
            content([one], ending)


def test_a_figure_never_shows_runs_with_different_test_clips(made: MakeEntry, one: Entry) -> None:
    with pytest.raises(ConfigError, match="test"):
        content([one, made("fold", split={"test_fold": 2})], ".png")
    with pytest.raises(ConfigError, match="prototype"):
        content([one], ".svg", evaluator="prototype")
