"""Exports: CSV, LaTeX, HTML and figures of runs, made from copies of the shipped run with figures of their own."""

import base64
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.errors import ConfigError
from distrack.evaluate import Accuracy, Evaluation
from distrack.export import csv_text, figure_bytes, html_report, latex_text
from distrack.export.comparison import Entry, evaluations, table
from distrack.export.latex import escaped
from distrack.export.scores import scores
from distrack.figures.accuracy import run_bars
from distrack.jobs.results import synthetic_file, track_file
from distrack.runs import Run
from distrack.settings import PROJECT

DEMO = PROJECT / "assets" / "demo"
CNN = ("random-cnn", "convnet 32 x 3")
Make = Callable[..., Entry]


def line(trained_on: str, runs: Sequence[float], *, evaluator: str = CNN[0], **changes: Any) -> Evaluation:
    """An evaluation of ten classes whose confusion is half right, half the next class."""
    confusion = 3 * (np.eye(10, dtype=int) + np.roll(np.eye(10, dtype=int), 1, 1))
    plain = {
        "evaluator": evaluator,
        "trained_on": trained_on,
        "network": CNN[1],
        "accuracy": Accuracy.of(runs),
        "macro_f1": 0.5,
        "confusion": tuple(tuple(row) for row in confusion.tolist()),
    }
    return Evaluation.model_validate({**plain, **changes})


THREE = (
    line("synthetic", [0.70, 0.80, 0.90]),
    line("random-selection", [0.50, 0.60, 0.55]),
    line("full", [0.99, 1.0, 1.0]),
)


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """A finished run of that name: the shipped one's tracks, with an evaluation and a config of its own."""

    def make(
        name: str, *measured: Evaluation, config: dict[str, Any] | None = None, keep: bool = True, **report: Any
    ) -> Entry:
        path = tmp_path / name
        shutil.copytree(DEMO, path, ignore=shutil.ignore_patterns("snapshots"))
        if not keep:
            shutil.rmtree(path / "audio")
            (path / "synthetic.safetensors").unlink()
        for file, changes in (("config.json", config or {}), ("report.json", report)):
            content = json.loads((path / file).read_text())
            content["split"] = {**content.get("split", {}), **changes.pop("split", {})}
            if file == "config.json":
                content.pop("split")
            else:
                content["evaluations"] = [each.model_dump(mode="json") for each in measured or THREE]
            (path / file).write_text(json.dumps({**content, **changes}))
        (entry,), unusable = table([Run(path)])
        assert unusable == []
        return entry

    return make


# CSV


def read(entries: Sequence[Entry]) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(csv_text(entries)))


def test_a_spreadsheet_has_a_row_for_each_evaluation_and_the_figures_unrounded(made: Make) -> None:
    one = made("one", floats_per_class=2049, tracks_per_class=2, seconds_per_track=1.5)
    two = made("two", *THREE[:1], config={"seed": 7})
    frame = read([one, two])
    assert list(frame["run"]) == ["one"] * 3 + ["two"]
    assert list(frame["seed"]) == [0, 0, 0, 7]
    assert list(frame["trained_on"]) == ["synthetic", "random-selection", "full", "synthetic"]
    first = frame.iloc[0]
    assert (first["floats_per_class"], first["seconds_per_class"], first["seeds"]) == (2049, 3.0, 3)
    assert first["compression"] == one.compression
    assert first["accuracy_mean"] == pytest.approx(0.8, abs=1e-15)
    assert first["accuracy_std"] == THREE[0].accuracy.std
    assert (first["interval_low"], first["interval_high"]) == THREE[0].accuracy.interval
    assert first["lowest_recall"] == 0.5
    numbers = frame.drop(columns=["test_fold"]).select_dtypes("number").columns
    assert {"train", "test", "tracks_per_class", "accuracy_mean", "macro_f1", "gain", "recovered"} <= set(numbers)
    assert "\r" not in csv_text([one])


def test_gain_lost_and_recovered_are_of_what_was_learnt_from_tracks(made: Make) -> None:
    frame = read([made("one")]).set_index("trained_on")
    assert frame.loc["synthetic", "gain"] == pytest.approx(0.8 - 0.55)
    assert frame.loc["synthetic", "lost"] == pytest.approx(2.99 / 3 - 0.8)
    assert frame.loc["synthetic", "recovered"] == pytest.approx(0.8 / (2.99 / 3))
    assert frame.loc[["random-selection", "full"], ["gain", "lost", "recovered"]].isna().all(axis=None)


def test_what_does_not_apply_is_empty_not_zero(made: Make) -> None:
    counts = [list(row) for row in THREE[0].confusion]
    counts[4] = [0] * 10  # a class without clips among what was examined
    frame = read([made("one", line("synthetic", [0.8], confusion=counts))])
    empty = ["test_fold", "accuracy_std", "interval_low", "interval_high", "gain", "lost", "recovered"]
    assert frame.loc[0, empty].isna().all()
    assert frame.loc[0, "lowest_recall"] == 0.5
    assert csv_text([]).count("\n") == 1


# LaTeX


def rows(text: str) -> list[list[str]]:
    """Cells of every row of every table; an escaped ampersand is none between cells."""
    found = [row for row in text.splitlines() if row.endswith(r"\\")]
    return [re.split(r"(?<!\\)&", row.strip().removesuffix(r"\\")) for row in found]


def test_a_table_of_a_paper_is_whole(made: Make) -> None:
    entries = [
        made("a_b--c", line("herding", [0.6]), *THREE),
        made("2", THREE[0], floats_per_class=10 * 2042),
        made("other", THREE[1], split={"test": 500, "notes": ["a subset: 50 % of R&D_clips {x}"]}),
    ]
    text = latex_text(entries, *CNN)
    assert not any(depth < 0 for depth in depths(text))
    assert list(depths(text))[-1] == 0
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
    assert Counter(begun) == Counter(ended) == {"table": 2, "tabular": 2}
    assert all(text.count(rule) == 2 for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    for part in text.split(r"\begin{tabular}")[1:]:
        columns = re.match(r"{(\w+)}", part)
        assert columns is not None
        assert {len(cells) for cells in rows(part)} == {len(columns[1])}
    assert re.search(r"(?<!\\)[_#]", re.sub(r"\\label{.*?}", "", text)) is None
    assert re.search(r"^[^%\n].*(?<!\\)%", text, re.M) is None, "a comment where none is meant hides the rest of a line"
    assert len(set(re.findall(r"\\label{(.*?)}", text))) == 2
    assert r"a\_b-{}-c &" in text
    assert r"a subset: 50 \% of R\&D\_clips \{x\}" in text


def depths(text: str) -> Iterator[int]:
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        yield depth


def test_a_table_says_what_was_learnt_from_in_percent_with_the_deviation_over_seeds(made: Make) -> None:
    text = latex_text([made("one", *THREE[1:], line("herding", [0.6]), THREE[0])], *CNN)
    head, row = rows(text)
    assert [cell.strip() for cell in head[3:]] == ["synthetic", "random-selection", "herding", "full"]
    assert [cell.strip() for cell in row[3:]] == [
        r"$\mathbf{80.0 \pm 8.2}$",
        r"$55.0 \pm 4.1$",
        "$60.0$",
        r"$99.7 \pm 0.5$",
    ]
    caption = re.search(r"\\caption{(.*)}", text)
    assert caption is not None
    for said in ("600 test clips", "disjoint by speaker", "random-cnn with convnet 32 x 3", "1 to 3 seeds", "Bold"):
        assert said in caption[1]
    assert "not comparable" not in caption[1]


def test_the_best_is_bold_among_equal_storage_and_never_all_clips(made: Make) -> None:
    entries = [
        made("large", line("synthetic", [0.95]), line("random-selection", [0.97]), floats_per_class=20_000),
        made("small", line("synthetic", [0.80]), line("full", [1.0]), floats_per_class=2_000),
        made("near", line("synthetic", [0.8001]), floats_per_class=2_080),
        made("beaten", line("synthetic", [0.70]), floats_per_class=2_060),
        made("alone", line("synthetic", [0.99]), floats_per_class=50_000),
    ]
    found = scores(entries, *CNN)
    names = [row.entry.run.id for row in found.rows]
    assert names == ["small", "beaten", "near", "large", "alone"]
    best = {(names[position], kind) for position, kind in found.best}
    assert best == {("small", "synthetic"), ("near", "synthetic"), ("large", "random-selection")}
    text = latex_text(entries, *CNN)
    assert text.count(r"\mathbf") == 3
    assert text.count(r"\addlinespace") == 2


def test_other_test_clips_are_another_table_that_says_so(made: Make) -> None:
    text = latex_text([made("one"), made("fold", test_fold=2, split={"test_fold": 2})], *CNN)
    assert text.count(r"\begin{table}") == 2
    assert text.count("not comparable") == 2
    assert text.count("test fold 2") == 1


def test_recognition_is_said_to_be_examined_on_the_tracks(made: Make) -> None:
    text = latex_text([made("one", line("full", [0.9, 0.8], evaluator="recognition"))], "recognition", CNN[1])
    assert "on the tracks themselves" in text
    assert "test clips" not in text


def test_recipes_that_differ_are_said(made: Make) -> None:
    same = [made("one"), made("two")]
    assert "recipes" not in latex_text(same, *CNN)
    assert "same recipe" not in html_report(same)
    other = [same[0], made("three", line("synthetic", [0.8], recipe={"steps": 7}))]
    assert "recipes of evaluation are not all the same" in latex_text(other, *CNN)
    assert "not all measured by the same recipe" in html_report(other)


def test_an_evaluator_that_measured_nothing_is_refused_with_those_that_did(made: Make) -> None:
    entry = made("one")
    with pytest.raises(ConfigError, match=r"by prototype with x: they were by random-cnn with convnet 32 x 3"):
        latex_text([entry], "prototype", "x")
    with pytest.raises(ConfigError, match="by nothing"):
        latex_text([], *CNN)


def test_a_run_that_an_evaluator_left_out_is_named(made: Make) -> None:
    text = latex_text([made("one"), made("two", line("synthetic", [0.5], evaluator="prototype"))], *CNN)
    assert "% Left out, not measured by random-cnn with convnet 32 x 3: two" in text


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a_b & 5 % $x$ #1 ~ ^", r"a\_b \& 5 \% \$x\$ \#1 \textasciitilde{} \textasciicircum{}"),
        ('<a|b> "c"', r"\textless{}a\textbar{}b\textgreater{} ''c''"),
        ("a---b", "a-{}-{}-b"),
        ("two\nlines", "two lines"),
    ],
)
def test_no_sign_is_a_command_of_latex(text: str, latex: str) -> None:
    assert escaped(text) == latex


# HTML


class Parsed(HTMLParser):
    """What a browser would see: tags with their attributes, and text; a tag that is not closed is an error."""

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


@pytest.fixture
def two(made: Make) -> list[Entry]:
    """Runs of two budgets."""
    return [made("one_a"), made("two_b", config={"ipc": 10, "seed": 3}, tracks_per_class=10, floats_per_class=20_420)]


def test_a_report_is_one_file_that_asks_for_nothing(two: list[Entry]) -> None:
    page = html_report(two)
    parsed = Parsed(page)
    assert page.startswith("<!doctype html>")
    kinds = Counter(tag for tag, _ in parsed.tags)
    assert not kinds.keys() & {"script", "link", "iframe", "object", "embed", "form", "base", "video", "source", "use"}
    assert kinds["h1"] == kinds["main"] == kinds["title"] == 1
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    named = Counter(attributes["id"] for _, attributes in parsed.tags if "id" in attributes)
    assert set(named.values()) == {1}
    for _, attributes in parsed.tags:
        for name, value in attributes.items():
            if name in ("src", "srcset", "poster", "data", "background", "action"):
                assert value.startswith(("data:image/png;base64,", "data:audio/flac;base64,"))
            elif name in ("href", "xlink:href"):
                assert value.removeprefix("#") in named or value == DATASETS["SPOKEN_DIGITS"].url
            elif name not in ("xmlns", "xmlns:xlink"):
                assert re.search(r"https?:|url\((?!#)", value) is None
    assert all(place in named for place in re.findall(r"url\(#(.*?)\)", page))
    assert re.search(r"@import|url\(", page[page.index("<style>") : page.index("</style>")]) is None
    assert "prefers-color-scheme: dark" in page
    assert len(page) < 8e6


def test_a_report_says_what_is_compared_and_how_it_was_measured(two: list[Entry]) -> None:
    text = Parsed(html_report(two)).text
    dataset = DATASETS["SPOKEN_DIGITS"]
    for said in (
        *("Comparison of 2 runs", "one_a", "two_b", "2,400", "600", "disjoint by speaker", "95 % over seeds"),
        *("80.0 ± 8.2", "gain +25.0 · lost 19.7 · recovered 80.3", "random-cnn, convnet 32 x 3", "2,042", "20,420"),
        *("ipc 1 10", "seed 0 3", dataset.title, dataset.licence, dataset.citation),
    ):
        assert said in text, said
    assert "not measured on the same test clips" not in text


def test_a_report_draws_accuracies_and_budgets(two: list[Entry], made: Make) -> None:
    page = html_report(two)
    assert page.count("<svg") == 2
    assert "stored floats per class" in page
    assert 'fill="black"' not in page.replace("#000", "black"), "text that cannot be read on a dark page"
    assert html_report([two[0], made("same")]).count("<svg") == 1, "one budget is no curve"


def test_tracks_are_in_the_file_as_they_lie_in_the_run(two: list[Entry]) -> None:
    parsed = Parsed(html_report(two))
    sounds, pictures = parsed.all("audio", "src"), parsed.all("img", "src")
    synthetic = SyntheticSet.load(two[0].run.synthetic)
    first_of_each = [name for name in synthetic.track_names() if name.endswith("_0")]
    assert len(first_of_each) == 10
    assert [base64.b64decode(uri.partition(",")[2]) for uri in sounds] == [
        track_file(entry.run, name).read_bytes() for entry in two for name in first_of_each
    ]
    assert len(pictures) == 20
    picture = Image.open(io.BytesIO(base64.b64decode(pictures[0].partition(",")[2])))
    assert picture.height == 128
    assert all(attributes.get("controls") == "" for tag, attributes in parsed.tags if tag == "audio")


def test_no_name_is_markup(made: Make) -> None:
    evil = "<script>alert('&\"')</script>"
    kinds = (line("synthetic", [0.8, 0.7]), line(evil, [0.3]))
    entry = made("one", *kinds, line("synthetic", [0.5], evaluator=evil, network=evil), split={"notes": [evil]})
    synthetic = SyntheticSet.load(synthetic_file(entry.run))
    entry.run.write("synthetic.safetensors", replace(synthetic, classes=(evil, *synthetic.classes[1:])).to_bytes())
    (entry,), _ = table([entry.run])
    page = html_report([entry])
    parsed = Parsed(page)
    assert "<script" not in page
    assert not any(tag == "script" for tag, _ in parsed.tags)
    assert parsed.text.count(evil) > 6
    assert any(evil in alt for alt in parsed.all("img", "alt"))
    assert "default-src 'none'" in page


def test_runs_on_other_test_clips_stand_apart(made: Make) -> None:
    page = html_report([made("one"), made("fewer", split={"test": 500, "notes": ["a subset: 500 of 600 clips"]})])
    parsed = Parsed(page)
    assert "These runs were not measured on the same test clips" in parsed.text
    assert "a subset: 500 of 600 clips" in parsed.text
    ids = parsed.all("section", "id")
    assert ids[:2] == ["group-1", "group-2"]
    first = page[page.index('<section id="group-1"') : page.index('<section id="group-2"')]
    assert "fewer" not in first
    assert first.count('class="scores"') == 1


def test_what_is_missing_is_said_and_the_rest_is_there(made: Make) -> None:
    whole, deaf, bare = made("whole"), made("deaf"), made("bare", keep=False)
    for name in ("3_0", "7_0"):
        deaf.run.track(name).unlink()
    parsed = Parsed(html_report([whole, deaf, bare]))
    assert "Not made audible, or the audio is gone: 3_0, 7_0." in parsed.text
    assert "Its synthetic set is missing or damaged" in parsed.text
    assert len(parsed.all("audio", "src")) == 18
    assert len(parsed.all("img", "src")) == 20
    assert "class 9" in parsed.text, "a class that nobody names has its number"
    bare.run.write("synthetic.safetensors", b"not a set")
    assert "missing or damaged" in html_report([bare])


def test_long_tracks_do_not_make_a_file_that_cannot_be_sent(made: Make) -> None:
    entries = [made("one"), made("two")]
    for entry in entries:
        for path in (entry.run.path / "audio").iterdir():
            path.write_bytes(bytes(900_000))
    page = html_report(entries)
    assert len(page) < 8e6
    assert page.count("<audio") == 4
    assert page.count("Without its sound, to keep this file small: 2_0, 3_0,") == 2


def test_a_report_says_nothing_of_the_folders_of_this_machine(made: Make, tmp_path: Path) -> None:
    entries = [made(name, config={"data_path": str(tmp_path / "secret" / name)}) for name in ("one", "two")]
    page = html_report(entries)
    assert "secret" not in page
    assert str(tmp_path) not in page
    parsed = Parsed(page)
    assert "data_path one two" in parsed.text
    assert "--data-path FOLDER" in parsed.text


def test_one_run_and_none_are_reports_too(made: Make) -> None:
    parsed = Parsed(html_report([made("one")]))
    assert "Run one" in parsed.text
    assert "What differs" not in parsed.text
    assert "there is nothing to compare" in Parsed(html_report([])).text


def test_the_same_runs_give_the_same_bytes(two: list[Entry]) -> None:
    # In between, another chart: what draws them counts on from one to the next.
    assert html_report(two) == (html_report(two[:1]), html_report(two))[1]
    assert csv_text(two) == csv_text(two)
    assert latex_text(two, *CNN) == latex_text(two, *CNN)


# Figures


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_chart_is_a_file_that_others_can_open(kind: Literal["png", "svg"], made: Make) -> None:
    entry = made("one")
    chart = run_bars({"one": evaluations(entry, *CNN)}, chance=0.1, ink="#231b2e")
    content = figure_bytes(chart, kind)
    assert content == figure_bytes(chart, kind)
    if kind == "png":
        picture = Image.open(io.BytesIO(content))
        assert picture.width > 1400
        assert picture.getpixel((0, 0)) == (255, 255, 255, 255)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50
    else:
        root = ElementTree.fromstring(content)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "80.0%" in "".join(root.itertext())
