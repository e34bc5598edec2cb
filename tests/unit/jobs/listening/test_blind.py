"""The blind test: its questions, answers that are kept, and what they come to."""

import csv
import io
from pathlib import Path

import pytest

from distrack.errors import RunError
from distrack.jobs.listening import blind as blind_test
from distrack.jobs.listening.blind import BlindTest
from distrack.jobs.listening.sounds import Listening, Source
from distrack.runs import Run

CLASSES = ("low", "middle", "high")


def listening(*, tracks: int = 2, clips: int = 1, silent: int = 0) -> Listening:
    """So many tracks and random clips of each class; the first class's first tracks are silent."""
    every = [
        Source(
            kind="track",
            title="",
            file=f"audio/{label}_{k}.flac",
            label=label,
            track=f"{label}_{k}",
            loudness=None if label == 0 and k < silent else -20.0,
        )
        for label in range(3)
        for k in range(tracks)
    ]
    every += [
        Source(kind="random", title="", file=f"listening/{label}-{k}.flac", label=label, loudness=-20.0)
        for label in range(3)
        for k in range(clips)
    ]
    return Listening(tracks="abc", unit="dB", every=tuple(every))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def right(test: BlindTest) -> int:
    """The answer that is true."""
    assert test.current is not None
    return test.current.truth


def test_half_of_the_questions_are_of_each_kind_and_true_answers_are_true(run: Run) -> None:
    test = blind_test.begin(run, listening(), CLASSES, trials=10)
    assert [trial.task for trial in test.trials].count("class") == 5
    for trial in test.trials:
        if trial.task == "class":
            (track,) = trial.sounds
            assert (track.kind, track.label) == ("track", trial.truth)
            assert test.choices(trial) == CLASSES
        else:
            assert {source.kind for source in trial.sounds} == {"track", "random"}
            assert trial.sounds[trial.truth].kind == "track"
            assert trial.sounds[0].label == trial.sounds[1].label
            assert len(test.choices(trial)) == 2


def test_what_is_silent_is_not_asked_for_and_nothing_comes_twice_before_all_came(run: Run) -> None:
    test = blind_test.begin(run, listening(silent=2), CLASSES, trials=8)
    asked = [trial.sounds[0].track for trial in test.trials if trial.task == "class"]
    assert sorted(asked) == ["1_0", "1_1", "2_0", "2_1"]
    with pytest.raises(RunError, match="no track that can be heard: python -m distrack listen run"):
        blind_test.begin(run, listening(tracks=0), CLASSES, trials=8)


def test_without_real_clips_only_classes_are_asked_for(run: Run) -> None:
    test = blind_test.begin(run, listening(clips=0), CLASSES, trials=8)
    assert [trial.task for trial in test.trials] == ["class"] * 8


def test_answers_are_kept_and_a_test_goes_on_where_it_was_left(run: Run) -> None:
    test = blind_test.begin(run, listening(), CLASSES, trials=4)
    test = blind_test.answer(run, test, right(test))
    again = blind_test.find(run, test.id)
    assert again == test
    while again.current is not None:
        again = blind_test.answer(run, again, right(again))
    assert [(found.right, found.answered) for found in blind_test.results([again])] == [(2, 2), (2, 2)]
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="question 5 of 4"):
            blind_test.answer(run, again, wrong)
    (run.path / "blind-tests" / "zz.json").write_text("{")
    assert [found.id for found in blind_test.all_tests(run)] == [test.id]
    assert blind_test.find(run, "none") is None


def test_results_of_several_listeners_are_counted_together(run: Run) -> None:
    tests = []
    for miss in (False, True):
        test = blind_test.begin(run, listening(), CLASSES, trials=6)
        while test.current is not None:
            choices = len(test.choices(test.current))
            test = blind_test.answer(run, test, (right(test) + miss) % choices)
        tests.append(test)
    for found in blind_test.results(tests):
        assert (found.right, found.answered) == (3, 6)
        assert found.chance == pytest.approx(1 / 3 if found.task == "class" else 1 / 2)
    rows = list(csv.DictReader(io.StringIO(blind_test.table(tests))))
    assert len(rows) == 12
    assert [row["right"] for row in rows] == ["True"] * 6 + ["False"] * 6
    assert all((row["truth"] == row["answer"]) == (row["right"] == "True") for row in rows)


@pytest.mark.parametrize(("count", "of"), [(0, 5), (5, 5), (8, 10), (30, 40), (1, 1)])
def test_the_interval_is_wilson_s(count: int, of: int) -> None:
    z = 1.959963984540054
    for share in blind_test.interval(count, of):  # its ends are the shares that the test of a proportion just accepts
        assert (count / of - share) ** 2 == pytest.approx(z * z * share * (1 - share) / of, abs=1e-9)
