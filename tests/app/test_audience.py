"""The page for an audience: its server answers its listeners, each its own test, and nobody and nothing else."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from distrack import runs
from distrack.errors import DistrackError
from distrack.jobs.listening import blind, listening_of
from distrack.ui.listen.audience import Audience
from distrack.ui.shared.run_in_view import DEMO

CLASSES = tuple("0123456789")
PATIENCE = 20.0


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    """A copy of the included run, with its listening."""
    return runs.Run(shutil.copytree(DEMO, tmp_path / "run"))


@pytest.fixture
def audience(run: runs.Run) -> Iterator[Audience]:
    """An audience that answers on this machine alone."""
    listening = listening_of(run)
    assert listening is not None
    made = Audience(run, run, listening, CLASSES, trials=4, address="127.0.0.1")
    yield made
    made.close()


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=PATIENCE)


def post(url: str, body: str = "") -> requests.Response:
    return requests.post(url, data=body, timeout=PATIENCE)


def test_a_listener_answers_to_the_end_and_the_answers_are_stored_as_of_this_audience(
    audience: Audience, run: runs.Run
) -> None:
    state = post(f"{audience.url}/tests").json()
    here, choices = f"{audience.url}/tests/{state['test']}", 0
    (test,) = audience.tests()
    while "question" in state:
        trial = test.trials[state["number"]]
        assert state["question"] == blind.QUESTIONS[trial.task]
        assert state["sounds"] == len(trial.sounds)
        for number in range(state["sounds"]):
            sound = get(f"{here}/{state['number']}/{number}")
            assert sound.headers["Content-Type"] == "audio/flac"
            assert sound.content == blind.at_equal_loudness(run, trial.sounds[number])
        answered = f"{here}/{state['number']}"
        state = post(answered, str(trial.truth)).json()
        assert post(answered, str(trial.truth)).json() == state, "sent twice, it counts once"
        choices += 1
    assert choices == 4
    assert state["verdicts"][0][0] == "You named the class 2 of 2 times."
    assert get(here).json() == state, "a phone that reloads is where it was"
    (stored,) = blind.all_tests(run)
    assert (stored.audience, stored.answers) == (audience.name, tuple(trial.truth for trial in stored.trials))
    assert all(audience.name in line for line in blind.table([stored]).splitlines()[1:])


def test_the_truth_is_not_told_before_the_answer_and_only_sounds_of_the_question_are_heard(audience: Audience) -> None:
    state = post(f"{audience.url}/tests").json()
    assert set(state) == {"test", "number", "of", "question", "sounds", "choices"}
    here = f"{audience.url}/tests/{state['test']}"
    assert get(f"{here}/1/0").status_code == 404
    assert get(f"{here}/0/{state['sounds']}").status_code == 404


def test_nothing_else_is_answered(audience: Audience, run: runs.Run) -> None:
    root = audience.url.removesuffix(audience.code)
    for path in ("", "wrong", f"wrong/{audience.code}", f"{audience.code}/../config.json", f"{audience.code}/tests/x"):
        assert get(root + path).status_code == 404, path
    assert post(f"{root}wrong/tests").status_code == 404
    test = post(f"{audience.url}/tests").json()["test"]
    for body, status in (("99", 400), ("-1", 400), ("first", 400), ("", 400), ("1" * 10_000, 413)):
        assert post(f"{audience.url}/tests/{test}/0", body).status_code == status, body[:10]
    (stored,) = blind.all_tests(run)
    assert stored.answers == ()


def test_a_room_full_of_listeners_is_served_and_each_has_its_own_test(
    audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distrack.ui.listen.audience._MOST_LISTENERS", 5)
    states = [post(f"{audience.url}/tests") for _ in range(6)]
    assert [state.status_code for state in states] == [200] * 5 + [503]
    assert len({state.json()["test"] for state in states[:5]}) == len(audience.tests()) == 5


def test_it_answers_until_it_is_closed_and_an_address_that_is_not_here_is_an_error(
    audience: Audience, run: runs.Run
) -> None:
    page = get(audience.url)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<svg" in audience.qr_code()
    audience.close()
    with pytest.raises(requests.ConnectionError):
        get(audience.url)
    listening = listening_of(run)
    assert listening is not None
    with pytest.raises(DistrackError, match=r"the address 203\.0\.113\.7 cannot be used for an audience"):
        Audience(run, run, listening, CLASSES, trials=4, address="203.0.113.7")
