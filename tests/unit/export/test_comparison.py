"""Evaluated runs side by side: which can be compared, and the reason for those that cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest

from distrack.export.comparison import differing, groups, measured_by, read
from distrack.export.published import published
from distrack.runs import Run
from tests.unit.export.conftest import CNN, THREE, MakeEntry, evaluation


def broken_config(run: Path) -> None:
    (run / "config.json").write_text("{")


def broken_report(run: Path) -> None:
    (run / "report.json").write_text("{")


def no_report(run: Path) -> None:
    (run / "report.json").unlink()


def no_evaluations(run: Path) -> None:
    report = run / "report.json"
    report.write_text(report.read_text().replace('"evaluations": [', '"evaluations": [], "removed": ['))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (broken_config, "config.json"),
        (broken_report, "report.json is damaged"),
        (no_report, "not evaluated yet"),
        (no_evaluations, "not evaluated"),
    ],
)
def test_a_run_that_cannot_be_compared_is_named_with_the_reason(
    made: MakeEntry, damage: Callable[[Path], None], reason: str
) -> None:
    usable, run = made("usable"), made("run").run
    damage(run.path)
    entries, unusable = read([run, usable.run])
    assert [entry.run for entry in entries] == [usable.run]
    assert [each.run for each in unusable] == [run]
    assert reason in unusable[0].reason


def test_a_run_says_which_command_makes_it_comparable(made: MakeEntry) -> None:
    remedies = []
    for name, damage in (("a", broken_report), ("b", no_report), ("c", no_evaluations), ("d", broken_config)):
        run = made(name).run
        damage(run.path)
        remedies += [each.remedy for each in read([run])[1]]
    assert remedies == ["resume", "resume", "evaluate", ""]


def test_a_run_without_its_tracks_is_compared_with_a_note(made: MakeEntry) -> None:
    entry = made("one", tracks=False)
    assert any("tracks deleted" in note for note in entry.notes)
    assert made("two").notes == ()


def test_runs_are_grouped_by_test_clips_in_their_order(made: MakeEntry) -> None:
    entries = [made("a"), made("fold", split={"test_fold": 2}), made("b"), made("short", seconds_per_track=0.5)]
    assert [[entry.run.id for entry in group] for group in groups(entries)] == [["a", "b"], ["fold"], ["short"]]


def test_folders_of_ones_own_are_told_apart_by_their_path(made: MakeEntry, tmp_path: Path) -> None:
    entries = [
        made(name, config={"dataset": "FOLDER", "data_path": str(tmp_path / name)}, dataset="FOLDER") for name in "ab"
    ]
    assert len(groups(entries)) == 2


def test_the_fields_that_differ_have_the_value_of_every_run(made: MakeEntry) -> None:
    assert differing([made("a", config={"seed": 3}), made("b", config={"seed": 5, "ipc": 2})]) == {
        "ipc": [1, 2],
        "seed": [3, 5],
    }


def test_compression_is_the_size_of_the_training_set_over_the_stored_size(made: MakeEntry) -> None:
    entry = made("one", floats_per_class=2049, split={"train": 2400})
    bands, frames = entry.job.feature.shape(entry.job.samples)
    assert entry.compression == pytest.approx(2400 * (bands * frames + 1) / (10 * 2049))
    assert entry.floats_of_random_clips == bands * frames + 1


def test_pairs_of_evaluator_and_network_are_listed_once(made: MakeEntry) -> None:
    other = evaluation("synthetic", [0.5], evaluator="prototype", network="x")
    assert measured_by([made("a", *THREE, other), made("b")]) == [CNN, ("prototype", "x")]


def test_reading_a_run_changes_nothing_in_it(made: MakeEntry, tmp_path: Path) -> None:
    run = made("one").run
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    read([run, Run(tmp_path / "absent")])
    assert before == {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def test_published_accuracies_are_listed_by_dataset() -> None:
    assert [each.accuracy for each in published("GTZAN")] == [0.19, 0.40]
    assert published("FSDD") == []
