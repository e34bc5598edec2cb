"""The Listen page without a browser: what the components are given, the blind test to its end, zips, and bad runs."""

import io
import shlex
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.audio import SAMPLE_RATE, flac_bytes
from distrack.distill import SyntheticSet
from distrack.errors import RunError
from distrack.export import bundle
from distrack.export.bundle import ExportConfig
from distrack.jobs.contract import title_of
from distrack.jobs.listening import ListeningJob
from distrack.jobs.listening import blind as blind_test
from distrack.jobs.results import synthetic_file, track_file
from distrack.settings import settings
from distrack.ui.shared.run_in_view import DEMO
from tests.app.page import again, given, opened, reported, texts


@pytest.fixture(scope="module")
def heard(finished: runs.Run) -> Iterator[runs.Run]:
    """The finished run with all that its tracks are heard beside."""
    before = (finished.path / "listening.json").read_bytes()
    jobs.work(finished, ListeningJob(run=finished.id))
    yield finished
    shutil.rmtree(finished.path / "blind-tests", ignore_errors=True)
    (finished.path / "listening.json").write_bytes(before)


def test_the_soundboard_has_every_track_and_the_player_the_first(app: AppTest, finished: runs.Run) -> None:
    opened(app, "listen", run=finished.id)
    board = given(app, "distrack_soundboard")
    assert [one["title"] for one in board["classes"]] == ["high", "low", "middle"]
    names = [name for one in board["classes"] for name in one["names"]]
    assert names == SyntheticSet.load(synthetic_file(finished)).track_names()
    assert all(one["picture"] and one["sound"] and not one["missing"] for one in board["classes"])
    player = given(app, "distrack_player")
    titles = [source["title"] for source in player["sources"]]
    assert titles == ["Synthetic", "Nearest clip", "Random clip", "Class mean"]
    assert "Hear how it evolved" in [button.label for button in app.button]


def test_a_track_is_compared_with_real_clips_its_class_mean_and_its_history(app: AppTest, heard: runs.Run) -> None:
    opened(app, "listen", run=heard.id, track="low_0")
    player = given(app, "distrack_player")
    titles = [source["title"] for source in player["sources"]]
    assert titles == ["Synthetic", "Nearest clip", "Random clip", "Class mean", "History"]
    assert [sound["label"] for sound in player["sources"][4]["sounds"]] == ["step 0", "step 3", "step 6"]
    assert all(sound["loudness"] is not None for source in player["sources"] for sound in source["sounds"])
    assert player["title"] == "Track low_0 of class low"
    opened(app, "listen", run=heard.id, track="low_1")
    assert len(given(app, "distrack_player")["sources"]) == 4, "its snapshots were not asked for"
    assert any(button.label == "Hear how it evolved" for button in app.button)


def test_a_track_without_sound_is_mute_and_the_others_are_not(app: AppTest, heard: runs.Run) -> None:
    sound = track_file(heard, "low_1")
    kept = sound.read_bytes()
    sound.unlink()
    try:
        opened(app, "listen", run=heard.id, track="low_1")
        assert [one["missing"] for one in given(app, "distrack_soundboard")["classes"]] == [[], [1], []]
        assert "Synthetic" not in [source["title"] for source in given(app, "distrack_player")["sources"]]
        (heard.path / "listening.json").rename(heard.path / "put-by.json")
        opened(app, "listen", run=heard.id, track="low_1")
        assert "Audio file missing" in texts(app)
        (heard.path / "put-by.json").rename(heard.path / "listening.json")
    finally:
        sound.write_bytes(kept)


@pytest.mark.parametrize("page", ["listen", "evaluate"])
def test_a_page_waits_for_the_run_in_the_url_and_shows_it_once_it_is_ready(
    app: AppTest, finished: runs.Run, page: str
) -> None:
    early = runs.Run(settings().runs_path / "early")
    shutil.copytree(finished.path, early.path, ignore=shutil.ignore_patterns("synthetic.*", "report.json"))
    try:
        opened(app, page, run=early.id)
        assert f"{title_of(early)} has nothing to show here yet." in texts(app)
        assert app.selectbox[0].value == early.id
        assert app.query_params["run"] in (early.id, [early.id]), "no other run in its place"
        assert not app.get("bidi_component")
        assert not app.header
        for path in (synthetic_file(finished), finished.path / "report.json"):
            shutil.copy(path, early.path)
        again(app)
        assert "nothing to show" not in texts(app)
        assert app.selectbox[0].value == early.id
        assert app.query_params["run"] in (early.id, [early.id])
        assert app.get("bidi_component") or app.header
    finally:
        shutil.rmtree(early.path)


def test_a_silent_track_is_not_a_missing_one(app: AppTest, heard: runs.Run) -> None:
    sound = track_file(heard, "low_1")
    kept = sound.read_bytes()
    sound.unlink()
    try:
        sound.write_bytes(flac_bytes(np.zeros(SAMPLE_RATE // 2, np.float32)))
        opened(app, "listen", run=heard.id, track="low_1")
        board = given(app, "distrack_soundboard")["classes"]
        assert [(one["missing"], one["silent"]) for one in board] == [([], []), ([], [1]), ([], [])]
    finally:
        sound.unlink()
        sound.write_bytes(kept)


def test_pages_open_for_tracks_that_are_not_numbers(app: AppTest, heard: runs.Run) -> None:
    kept = synthetic_file(heard).read_bytes()
    whole = SyntheticSet.load(synthetic_file(heard))
    parameters = whole.parameters.clone()
    parameters[0] = float("nan")
    synthetic_file(heard).write_bytes(replace(whole, parameters=parameters).to_bytes())
    try:
        for page in ("listen", "evaluate", "distill"):
            opened(app, page, run=heard.id)
            assert not app.error
    finally:
        synthetic_file(heard).write_bytes(kept)


def begun(app: AppTest, run_id: str) -> str:
    """Begins a blind test of four questions on a run; returns its id."""
    opened(app, "listen", run=run_id, view="Blind test")
    app.slider[0].set_value(4)
    app.button(key="begin").click()
    again(app)
    name = app.query_params["blind"]
    return str(name if isinstance(name, str) else name[0])


def test_a_blind_test_is_answered_to_its_end_and_its_answers_are_saved(app: AppTest, heard: runs.Run) -> None:
    name = begun(app, heard.id)
    test = blind_test.find(heard, name)
    assert test is not None
    for number, trial in enumerate(test.trials):
        pads = given(app, "distrack_pads")
        assert pads["number"] == number
        assert len(pads["sounds"]) == len(trial.sounds)
        assert pads["right"] == trial.truth
        # The first answer to a pair is wrong.
        choice = trial.truth if trial.task == "class" else 1 - trial.truth
        reported(app, "distrack_pads", answer={"number": number, "choice": choice})
    test = blind_test.find(heard, name)
    assert test is not None
    assert len(test.answers) == 4
    assert "You named the class 2 of 2 times.\n\nGuessing finds 0.67. 95 % interval: 34% to 100%." in texts(app)
    assert "You found the synthetic one 0 of 2 times.\n\nGuessing finds 1. 95 % interval: 0% to 66%." in texts(app)
    assert "All listeners (1 test)" in texts(app)


def test_an_answer_to_an_earlier_question_of_a_blind_test_does_not_count(app: AppTest, heard: runs.Run) -> None:
    begun(app, heard.id)
    for _ in range(2):
        reported(app, "distrack_pads", answer={"number": 0, "choice": 0})
    assert given(app, "distrack_pads")["number"] == 1


def test_the_included_run_has_a_blind_test_whose_answers_lie_with_the_data(app: AppTest) -> None:
    name = begun(app, "demo")
    reported(app, "distrack_pads", answer={"number": 0, "choice": 0})
    assert given(app, "distrack_pads")["number"] == 1
    test = blind_test.find(runs.Run(settings().data_path / "blind-tests" / "demo"), name)
    assert test is not None
    assert test.answers == (0,)
    assert all((DEMO / source.file).is_file() for trial in test.trials for source in trial.sounds)
    assert not (DEMO / "blind-tests").exists()


def test_the_error_of_an_answer_that_cannot_be_saved_stays_on_the_page(
    app: AppTest, heard: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise RunError("the disk is full")

    begun(app, heard.id)
    monkeypatch.setattr(blind_test, "answer", full)
    reported(app, "distrack_pads", answer={"number": 0, "choice": 0})
    assert [error.value for error in app.error] == ["The disk is full."]
    assert "Question 1 of" in app.get("progress")[0].proto.text


def test_the_download_is_the_file_that_the_command_writes(app: AppTest, finished: runs.Run, tmp_path: Path) -> None:
    opened(app, "listen", run=finished.id, view="Download")
    app.selectbox[1].select("low")
    again(app)
    assert app.selectbox[2].options == ["Everything", "low_0", "low_1"]
    app.button(key="zip").click()
    again(app)
    assert "export finished" in app.code[0].value
    assert "--class low" in app.code[0].value
    config = ExportConfig(to=tmp_path / "x.zip", of_class="low")
    bundle.export(finished, config)
    content = bundle.zipped(finished, config)
    assert (tmp_path / "x.zip").read_bytes() == content
    assert sum(name.endswith(".flac") for name in zipfile.ZipFile(io.BytesIO(content)).namelist()) == 2


@pytest.mark.parametrize("run_id", ["finished", "demo"])
def test_the_command_on_the_page_writes_the_selection(
    app: AppTest,
    finished: runs.Run,
    typed: Callable[..., tuple[int | str | None, str, str]],
    tmp_path: Path,
    run_id: str,
) -> None:
    opened(app, "listen", run=run_id, view="Download")
    app.button_group(key="sounds-as").set_value("wav")
    again(app)
    words = shlex.split(app.code[0].value)
    assert words[:3] == ["python", "-m", "distrack"]
    words[words.index("--to") + 1] = str(tmp_path / "x.zip")
    if run_id == finished.id:
        words += ["--runs-path", str(finished.path.parent)]
    code, _, err = typed(*words[3:])
    assert (code, err) == (0, "")
    names = zipfile.ZipFile(tmp_path / "x.zip").namelist()
    assert any(name.endswith(".wav") for name in names)
    assert not any(name.endswith(".flac") for name in names)
