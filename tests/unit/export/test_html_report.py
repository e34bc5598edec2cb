"""Comparisons as an HTML report."""

import base64
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from distrack.audio import flac_bytes
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.export.comparison import Entry, read
from distrack.export.formats.html_report import html_report
from distrack.jobs.results import played_track, synthetic_file, track_file
from tests.unit.export.conftest import MakeEntry, evaluation, made_entry


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its text; a tag that is not closed is an error."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr", "path", "rect", "line"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, attribute: str) -> list[str]:
        return [attributes[attribute] for name, attributes in self.tags if name == tag and attribute in attributes]


class Report(NamedTuple):
    """A report of two runs with different budgets."""

    entries: list[Entry]
    page: str
    parsed: Parsed


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("two")
    entries = [
        made_entry(folder, "one_a"),
        made_entry(folder, "two_b", config={"ipc": 10, "seed": 3}, tracks_per_class=10, floats_per_class=20_420),
    ]
    page = html_report(entries)
    return Report(entries, page, Parsed(page))


def test_a_report_is_one_file_that_loads_nothing(report: Report) -> None:
    page, parsed = report.page, report.parsed
    assert page.startswith("<!doctype html>")
    kinds = Counter(tag for tag, _ in parsed.tags)
    assert not kinds.keys() & {"script", "link", "iframe", "object", "embed", "form", "base", "video", "source", "use"}
    assert kinds["h1"] == kinds["main"] == kinds["title"] == 1
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    ids = Counter(attributes["id"] for _, attributes in parsed.tags if "id" in attributes)
    assert set(ids.values()) == {1}
    for _, attributes in parsed.tags:
        for name, value in attributes.items():
            if name in ("src", "srcset", "poster", "data", "background", "action"):
                assert value.startswith(("data:image/png;base64,", "data:audio/flac;base64,"))
            elif name in ("href", "xlink:href"):
                assert value.removeprefix("#") in ids or value == DATASETS["SPOKEN_DIGITS"].url
            elif name not in ("xmlns", "xmlns:xlink"):
                assert re.search(r"https?:|url\((?!#)", value) is None
    assert all(place in ids for place in re.findall(r"url\(#(.*?)\)", page))
    assert re.search(r"@import|url\(", page[page.index("<style>") : page.index("</style>")]) is None
    assert "prefers-color-scheme: dark" in page
    assert "default-src 'none'" in page
    assert len(page) < 8e6


def test_a_report_has_the_numbers_and_how_they_were_measured(report: Report) -> None:
    dataset = DATASETS["SPOKEN_DIGITS"]
    for part in (
        *("Comparison of 2 runs", "one_a", "two_b", "2,400", "600", "speaker"),
        *("80.0 ± 8.2", "+25.0", "19.7", "80.3", "random-cnn, convnet 32 x 3", "2,042", "20,420"),
        *("ipc 1 10", "seed 0 3", dataset.title, dataset.licence, dataset.citation),
    ):
        assert part in report.parsed.text, part
    assert 'id="apart"' not in report.page


def test_a_report_draws_accuracies_and_budgets(report: Report, made: MakeEntry) -> None:
    assert report.page.count("<svg") == 2
    assert "stored floats per class" in report.page
    assert 'fill="black"' not in report.page.replace("#000", "black"), "text that cannot be read on a dark page"
    assert html_report([report.entries[0], made("same")]).count("<svg") == 1, "a single budget is no curve"


def test_the_tracks_in_the_file_are_those_of_the_runs(report: Report) -> None:
    sounds, pictures = report.parsed.all("audio", "src"), report.parsed.all("img", "src")
    synthetic = SyntheticSet.load(synthetic_file(report.entries[0].run))
    first_of_each = [name for name in synthetic.track_names() if name.endswith("_0")]
    assert len(first_of_each) == 10
    assert [base64.b64decode(uri.partition(",")[2]) for uri in sounds] == [
        played_track(entry.run, name) for entry in report.entries for name in first_of_each
    ]
    assert len(pictures) == 20
    picture = Image.open(io.BytesIO(base64.b64decode(pictures[0].partition(",")[2])))
    assert picture.height == 128
    assert all(attributes.get("controls") == "" for tag, attributes in report.parsed.tags if tag == "audio")


def test_no_name_is_markup(made: MakeEntry) -> None:
    evil = "<script>alert('&\"')</script>"
    scores = (evaluation("synthetic", [0.8, 0.7]), evaluation(evil, [0.3]))
    entry = made("one", *scores, evaluation("synthetic", [0.5], evaluator=evil, network=evil), split={"notes": [evil]})
    synthetic = SyntheticSet.load(synthetic_file(entry.run))
    entry.run.write("synthetic.safetensors", replace(synthetic, classes=(evil, *synthetic.classes[1:])).to_bytes())
    entries, _ = read([entry.run])
    page = html_report(entries)
    parsed = Parsed(page)
    assert "<script" not in page
    assert parsed.text.count(evil) > 6
    assert any(evil in alt for alt in parsed.all("img", "alt"))


def test_runs_with_other_test_clips_are_in_a_section_of_their_own(made: MakeEntry, one: Entry) -> None:
    page = html_report([one, made("fewer", split={"test": 500, "notes": ["a subset: 500 of 600 clips"]})])
    parsed = Parsed(page)
    assert 'id="apart"' in page
    assert "a subset: 500 of 600 clips" in parsed.text
    assert parsed.all("section", "id")[:2] == ["group-1", "group-2"]
    first = page[page.index('<section id="group-1"') : page.index('<section id="group-2"')]
    assert "fewer" not in first
    assert first.count('class="scores"') == 1


def test_different_training_recipes_are_pointed_out(made: MakeEntry, one: Entry, report: Report) -> None:
    assert "recipe" not in report.parsed.text
    other = made("other", evaluation("synthetic", [0.8], recipe={"steps": 7}))
    assert "recipe" in Parsed(html_report([one, other])).text


def test_what_is_missing_is_named_and_the_rest_is_there(made: MakeEntry, one: Entry) -> None:
    partly, bare = made("partly"), made("bare", tracks=False)
    for name in ("3_0", "7_0"):
        track_file(partly.run, name).unlink()
    parsed = Parsed(html_report([one, partly, bare]))
    assert "3_0, 7_0." in parsed.text
    assert "synthetic set is missing or damaged" in parsed.text
    assert len(parsed.all("audio", "src")) == 18
    assert len(parsed.all("img", "src")) == 20
    assert "class 9" in parsed.text, "a class without a name has its number"


def test_long_tracks_do_not_make_a_file_that_is_too_large_to_send(made: MakeEntry) -> None:
    entries = [made("one"), made("two")]
    noise = np.random.default_rng(0).uniform(-0.8, 0.8, 480_000).astype(np.float32)
    for entry in entries:
        for path in (entry.run.path / "audio").iterdir():
            path.write_bytes(flac_bytes(noise))
    page = html_report(entries)
    assert len(page) < 8e6
    assert page.count("<audio") == 4
    assert page.count("2_0, 3_0,") == 2


def test_a_report_reveals_no_folder_of_this_machine(made: MakeEntry, tmp_path: Path) -> None:
    entries = [made(name, config={"data_path": str(tmp_path / "secret" / name)}) for name in ("one", "two")]
    page = html_report(entries)
    assert "secret" not in page
    assert str(tmp_path) not in page
    parsed = Parsed(page)
    assert "data_path one two" in parsed.text
    assert "--data-path FOLDER" in parsed.text


def test_one_run_and_no_run_are_reports_too(one: Entry) -> None:
    page = html_report([one])
    assert "Run one" in Parsed(page).text
    assert 'id="configs"' not in page
    assert "nothing to compare" in Parsed(html_report([])).text
