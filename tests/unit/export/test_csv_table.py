"""Comparisons as CSV."""

import io
from collections.abc import Sequence

import pandas as pd
import pytest

from distrack.export.comparison import Entry
from distrack.export.formats.csv_table import table_text
from tests.unit.export.conftest import THREE, MakeEntry, evaluation


def as_frame(entries: Sequence[Entry]) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(table_text(entries)))


def test_there_is_a_row_for_each_evaluation_with_unrounded_numbers(made: MakeEntry) -> None:
    one = made("one", floats_per_class=2049, tracks_per_class=2, seconds_per_track=1.5)
    two = made("two", *THREE[:1], config={"seed": 7})
    frame = as_frame([one, two])
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
    assert "\r" not in table_text([one])


def test_gain_lost_and_recovered_belong_to_the_tracks(one: Entry) -> None:
    frame = as_frame([one]).set_index("trained_on")
    assert frame.loc["synthetic", "gain"] == pytest.approx(0.8 - 0.55)
    assert frame.loc["synthetic", "lost"] == pytest.approx(2.99 / 3 - 0.8)
    assert frame.loc["synthetic", "recovered"] == pytest.approx(0.8 / (2.99 / 3))
    assert frame.loc[["random-selection", "full"], ["gain", "lost", "recovered"]].isna().all(axis=None)


def test_what_does_not_apply_is_empty_and_not_zero(made: MakeEntry) -> None:
    counts = [list(row) for row in THREE[0].confusion]
    counts[4] = [0] * 10  # a class without test clips
    frame = as_frame([made("one", evaluation("synthetic", [0.8], confusion=counts))])
    empty = ["test_fold", "accuracy_std", "interval_low", "interval_high", "gain", "lost", "recovered"]
    assert frame.loc[0, empty].isna().all()
    assert frame.loc[0, "lowest_recall"] == 0.5
    assert table_text([]).count("\n") == 1
