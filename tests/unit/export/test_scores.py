"""Tables of scores: which accuracies are the best, and which evaluator a table is about."""

import pytest

from distrack.errors import ConfigError
from distrack.export.scores import scores, select
from tests.unit.export.conftest import CNN, THREE, MakeEntry, evaluation


def test_the_best_is_found_among_equal_storage_and_is_never_the_full_dataset(made: MakeEntry) -> None:
    entries = [
        made("large", evaluation("synthetic", [0.95]), evaluation("random-selection", [0.97]), floats_per_class=20_000),
        made("small", evaluation("synthetic", [0.80]), evaluation("full", [1.0]), floats_per_class=2_000),
        made("near", evaluation("synthetic", [0.8001]), floats_per_class=2_080),
        made("beaten", evaluation("synthetic", [0.70]), floats_per_class=2_060),
        made("alone", evaluation("synthetic", [0.99]), floats_per_class=50_000),
    ]
    table = scores(entries, *CNN)
    names = [row.entry.run.id for row in table.rows]
    assert names == ["small", "beaten", "near", "large", "alone"]
    best = {(names[position], training_set) for position, training_set in table.best}
    assert best == {("small", "synthetic"), ("near", "synthetic"), ("large", "random-selection")}
    assert [len(budget) for budget in table.budgets] == [3, 1, 1]


def test_runs_that_the_evaluator_did_not_measure_are_apart(made: MakeEntry) -> None:
    table = scores([made("one"), made("two", evaluation("synthetic", [0.5], evaluator="prototype"))], *CNN)
    assert [row.entry.run.id for row in table.rows] == ["one"]
    assert [entry.run.id for entry in table.lacking] == ["two"]


def test_the_first_pair_that_fits_is_selected(made: MakeEntry) -> None:
    other = evaluation("synthetic", [0.5], evaluator="prototype", network="x")
    entries = [made("one", *THREE, other)]
    assert select(entries, None, None) == CNN
    assert select(entries, None, "x") == select(entries, "prototype", None) == ("prototype", "x")


def test_a_pair_that_measured_nothing_is_refused_with_those_that_did(made: MakeEntry) -> None:
    with pytest.raises(ConfigError, match=r"by prototype with x\b.*random-cnn with convnet 32 x 3"):
        select([made("one")], "prototype", "x")
    with pytest.raises(ConfigError, match="nothing"):
        select([], None, None)
