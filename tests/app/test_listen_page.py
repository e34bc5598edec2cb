"""The Listen page without a browser: what the components are given, the blind test to its end, zips, and bad runs."""

import io
import json
import shlex
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.audio import SAMPLE_RATE, flac_bytes
from distrack.distill import SyntheticSet
from distrack.errors import RunError
from distrack.export import bundle
from distrack.export.bundle import ExportConfig
from distrack.jobs.listening import ListeningJob
from distrack.jobs.listening import blind as blind_test
from distrack.jobs.results import synthetic_file, track_file
from tests.app.page import again, opened, texts


def given(app: AppTest, name: str) -> dict[str, Any]:
    """What a component of ours was given."""
    (found,) = (part.proto for part in app.get("bidi_component") if part.proto.component_name == name)
    data: dict[str, Any] = json.loads(found.json)
    return data


@pytest.fixture(scope="module")
def heard(finished: runs.Run) -> Iterator[runs.Run]:
    """The finished run with all that its tracks are heard beside."""
    jobs.work(finished, ListeningJob(run=finished.id))
    yield finished
    for made in ("listening.json", "inspection.json"):
        (finished.path / made).unlink()


def test_the_soundboard_has_every_track_and_the_player_the_first(app: AppTest, finished: runs.Run) -> None:
    opened(app, "listen", run=finished.id)
    board = given(app, "distrack_soundboard")
    assert [one["title"] for one in board["classes"]] == ["high", "low", "middle"]
    names = [name for one in board["classes"] for name in one["names"]]
    assert names == SyntheticSet.load(synthetic_file(finished)).track_names()
    assert all(one["picture"] and one["sound"] and not one["missing"] for one in board["classes"])
    player = given(app, "distrack_player")
    assert [source["title"] for source in player["sources"]] == ["Synthetic"]
    assert any(button.label == "Compare with real clips" for button in app.button)


def test_a_track_is_compared_with_real_clips_its_class_mean_and_its_history(app: AppTest, heard: runs.Run) -> None:
    opened(app, "listen", run=heard.id, track="low_0")
    player = given(app, "distrack_player")
    titles = [source["title"] for source in player["sources"]]
    assert titles == ["Synthetic", "Nearest real clip", "Random real clip", "Class mean", "History"]
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


def test_a_blind_test_is_answered_to_its_end_and_its_answers_are_saved(app: AppTest, heard: runs.Run) -> None:
    opened(app, "listen", run=heard.id, view="Blind test")
    app.slider[0].set_value(4)
    app.button(key="begin").click()
    again(app)
    name = app.query_params["blind"]
    for number in range(4):
        test = blind_test.find(heard, name if isinstance(name, str) else name[0])
        assert test is not None
        assert len(test.answers) == number
        assert test.current is not None
        assert len(app.get("audio")) == len(test.current.sounds)
        app.button(key=f"answer-{test.id}-{number}-{test.current.truth}").click()
        again(app)
    assert "Your result" in texts(app)
    assert [metric.value for metric in app.metric][:2] == ["2 of 2 correct", "2 of 2 correct"]
    assert "All listeners (1 test)" in texts(app)


def test_the_error_of_an_answer_that_cannot_be_saved_stays_on_the_page(
    app: AppTest, heard: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise RunError("the disk is full")

    opened(app, "listen", run=heard.id, view="Blind test")
    app.button(key="begin").click()
    again(app)
    monkeypatch.setattr(blind_test, "answer", full)
    next(button for button in app.button if (button.key or "").startswith("answer-")).click()
    again(app)
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
