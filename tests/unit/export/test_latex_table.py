"""Comparisons as LaTeX tables."""

import re
from collections import Counter
from collections.abc import Iterator

from distrack.export.comparison import Entry
from distrack.export.formats.latex_table import latex_text
from tests.unit.export.conftest import CNN, THREE, MakeEntry, evaluation


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table; an escaped ampersand does not divide cells."""
    lines = [row for row in text.splitlines() if row.endswith(r"\\")]
    return [re.split(r"(?<!\\)&", row.strip().removesuffix(r"\\")) for row in lines]


def depths(text: str) -> Iterator[int]:
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        yield depth


def test_tables_are_balanced_and_nothing_in_them_is_a_command_by_accident(made: MakeEntry) -> None:
    entries = [
        made("a_b--c", evaluation("herding", [0.6]), *THREE),
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
    assert re.search(r"^[^%\n].*(?<!\\)%", text, re.M) is None, "a comment hides the rest of a line"
    assert len(set(re.findall(r"\\label{(.*?)}", text))) == 2
    assert r"a\_b-{}-c &" in text
    assert r"a subset: 50 \% of R\&D\_clips \{x\}" in text


def test_accuracies_are_in_percent_with_the_deviation_over_seeds(made: MakeEntry) -> None:
    text = latex_text([made("one", *THREE[1:], evaluation("herding", [0.6]), THREE[0])], *CNN)
    head, row = rows(text)
    assert [cell.strip() for cell in head[3:]] == ["Synthetic tracks", "Random clips", "Herding", "Full dataset"]
    assert [cell.strip() for cell in row[3:]] == [
        r"$\mathbf{80.0 \pm 8.2}$",
        r"$55.0 \pm 4.1$",
        "$60.0$",
        r"$99.7 \pm 0.5$",
    ]
    caption = re.search(r"\\caption{(.*)}", text)
    assert caption is not None
    for part in ("600 test clips", "speaker", "random-cnn with convnet 32 x 3", "1 to 3 seeds", "Bold"):
        assert part in caption[1]
    assert "not comparable" not in caption[1]


def test_the_best_at_equal_storage_is_bold_and_budgets_are_apart(made: MakeEntry) -> None:
    entries = [
        made("large", evaluation("synthetic", [0.95]), floats_per_class=20_000),
        made("small", evaluation("synthetic", [0.80]), evaluation("full", [1.0]), floats_per_class=2_000),
        made("beaten", evaluation("synthetic", [0.70]), floats_per_class=2_060),
    ]
    text = latex_text(entries, *CNN)
    assert re.findall(r"\\mathbf{(.*?)}", text) == ["80.0"]
    assert text.count(r"\addlinespace") == 1


def test_runs_with_other_test_clips_are_in_a_table_of_their_own(made: MakeEntry, one: Entry) -> None:
    text = latex_text([one, made("fold", split={"test_fold": 2})], *CNN)
    assert text.count(r"\begin{table}") == 2
    assert text.count("not comparable") == 2
    assert text.count("test fold 2") == 1


def test_recognition_is_tested_on_the_tracks(made: MakeEntry) -> None:
    text = latex_text([made("one", evaluation("full", [0.9, 0.8], evaluator="recognition"))], "recognition", None)
    assert "Accuracy in percent on the tracks" in text
    assert "test clips" not in text


def test_different_training_recipes_are_pointed_out(made: MakeEntry, one: Entry) -> None:
    assert "recipe" not in latex_text([one, made("two")], *CNN)
    other = made("three", evaluation("synthetic", [0.8], recipe={"steps": 7}))
    assert "recipe" in latex_text([one, other], *CNN)


def test_a_run_without_this_evaluator_is_named_in_a_comment(made: MakeEntry, one: Entry) -> None:
    text = latex_text([one, made("two", evaluation("synthetic", [0.5], evaluator="prototype"))], *CNN)
    comments = [line for line in text.splitlines() if line.startswith("%")]
    assert any(line.endswith("random-cnn with convnet 32 x 3: two") for line in comments)
    assert latex_text([one], *CNN) == latex_text([one], None, None)
