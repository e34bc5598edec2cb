"""The Decompose page without a browser: its form, the studio, and errors."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import streamlit as st
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.decompose import DECOMPOSERS, EDITS, Edit, History, storage
from distrack.decompose.plane import Plane
from distrack.jobs.contract import title_of
from distrack.jobs.decomposition import DecomposeJob, decomposition_report, events_file, history, keep_history
from distrack.settings import PROJECT, settings
from distrack.ui.decompose import editing, plane
from tests.app.page import given, opened, reported, texts


@pytest.fixture(scope="module")
def clip(tones: Path) -> Path:
    return next((tones / "low").glob("*.wav"))


@pytest.fixture(scope="module")
def run_of_six(clip: Path) -> Iterator[runs.Run]:
    """A clip decomposed into six events."""
    run = DecomposeJob(file=clip, events=6).create(settings().runs_path, "apart")
    jobs.work(run)
    yield run
    shutil.rmtree(run.path)


@pytest.fixture
def other_clip(clip: Path) -> Iterator[runs.Run]:
    """The same clip decomposed into three events."""
    run = DecomposeJob(file=clip, events=3).create(settings().runs_path, "other-clip")
    jobs.work(run)
    yield run
    shutil.rmtree(run.path)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[runs.Run]:
    """Two and a half minutes of ten notes, one every 15 s, each an event."""
    rate = 1_000
    time = np.arange(150 * rate) / rate
    tones = [
        np.exp(-(((time - 5 - 15 * note) / 0.2) ** 2)) * np.sin(2 * np.pi * (100 + 20 * note) * time)
        for note in range(10)
    ]
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, 0.5 * np.sum(tones, axis=0), rate)
    run = DecomposeJob(file=path, events=10).create(settings().runs_path, "long")
    jobs.work(run)
    yield run
    shutil.rmtree(run.path)


@pytest.fixture(autouse=True)
def unedited(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "run_of_six" in request.fixturenames:
        (request.getfixturevalue("run_of_six").path / "edits.json").unlink(missing_ok=True)


def edit(app: AppTest, name: str) -> None:
    app.selectbox(key="edit").select(name).run()
    app.button(key="apply").click().run()
    assert not app.exception, app.exception


def test_a_recording_is_described_and_can_be_decomposed(app: AppTest, clip: Path) -> None:
    opened(app, "decompose")
    app.button_group(key="source").set_value("File path").run()
    app.text_input[0].set_value(str(clip)).run()
    assert not app.exception, app.exception
    assert f"{clip.name}: 0.5 s at 16,000 Hz" in texts(app)
    assert app.button(key="take-apart")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no file"),
        (b"no sound", "x.wav is not an audio file we can read. Use WAV, FLAC, OGG or MP3."),
        (b"", "x.wav is not an audio file we can read. Use WAV, FLAC, OGG or MP3."),
    ],
)
def test_an_unreadable_file_is_an_error_on_the_page_and_there_is_no_form(
    app: AppTest, tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "x.wav"
    if content is not None:
        path.write_bytes(content)
    opened(app, "decompose")
    app.button_group(key="source").set_value("File path").run()
    app.text_input[0].set_value(str(path)).run()
    assert not app.exception, app.exception
    (error,) = app.error
    assert error.value.startswith(says)
    assert "take-apart" not in [button.key for button in app.button]
    assert not app.number_input


def test_an_uploaded_text_is_refused_in_one_sentence_and_not_stored(app: AppTest) -> None:
    folder = settings().data_path / "recordings"
    before = set(folder.glob("*"))
    opened(app, "decompose")
    app.file_uploader(key="upload").set_value(("text.wav", b"no sound", "audio/wav")).run()
    assert not app.exception, app.exception
    assert [error.value for error in app.error] == [
        "text.wav is not an audio file we can read. Use WAV, FLAC, OGG or MP3."
    ]
    assert "take-apart" not in [button.key for button in app.button]
    assert set(folder.glob("*")) == before


def test_an_uploaded_recording_can_be_decomposed(app: AppTest, clip: Path) -> None:
    opened(app, "decompose")
    app.file_uploader(key="upload").set_value(("tone.wav", clip.read_bytes(), "audio/wav")).run()
    assert not app.exception, app.exception
    assert not app.error
    assert app.button(key="take-apart")


def test_a_recording_of_an_hour_is_played_in_part_and_decomposed_as_a_whole(
    app: AppTest, own_runs: Path, launched: list[tuple[str, ...]], tmp_path: Path
) -> None:
    path = tmp_path / "hour.wav"
    wave = 0.1 * np.sin(np.arange(3_600_000))
    wave[: 120 * 1_000] = 0
    soundfile.write(path, wave, 1_000)
    opened(app, "decompose")
    app.button_group(key="source").set_value("File path").run()
    app.text_input[0].set_value(str(path)).run()
    assert [warning.value for warning in app.warning] == ["Silent: one constant value in the 120 s from 0 s."]
    app.number_input(key=f"start-{path}").set_value(1_000.0).run()
    assert "The player has 2 minutes of this long recording, from 1000 s on." in texts(app)
    app.number_input(key=f"start-{path}").set_value(0.0)
    app.number_input(key=f"seconds-{path}").set_value(3_600.0)
    app.select_slider[0].set_value(500_000)
    app.button(key="take-apart").click().run()
    assert not app.exception, app.exception
    ((run_id, *_),) = launched
    job = jobs.job_of(runs.find(own_runs, run_id))
    assert isinstance(job, DecomposeJob)
    assert (job.seconds, job.events) == (3_600, 500_000)


def test_an_upload_is_stored_once(app: AppTest, clip: Path) -> None:
    folder = settings().data_path / "recordings"
    opened(app, "decompose")
    app.file_uploader(key="upload").set_value(("once.wav", clip.read_bytes(), "audio/wav")).run()
    (stored,) = folder.glob("once-*.wav")
    before = stored.stat().st_mtime_ns
    app.selectbox(key="method").select("splat").run()
    assert not app.exception, app.exception
    assert stored.stat().st_mtime_ns == before


def test_the_microphone_records_as_many_samples_as_are_heard(app: AppTest) -> None:
    opened(app, "decompose")
    app.button_group(key="source").set_value("Record").run()
    (microphone,) = app.get("audio_input")
    assert microphone.proto.sample_rate == 48_000


def test_the_home_folder_of_an_unknown_user_is_an_error_on_the_page(app: AppTest) -> None:
    opened(app, "decompose")
    app.button_group(key="source").set_value("File path").run()
    app.text_input[0].set_value("~no-such-user/x.wav").run()
    assert not app.exception, app.exception
    assert "no-such-user" in texts(app)


def test_silence_is_refused_and_leaves_no_run(app: AppTest, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(8000), 16_000)
    before = {run.id for run in runs.all_runs(settings().runs_path)}
    opened(app, "decompose")
    app.button_group(key="source").set_value("File path").run()
    app.text_input[0].set_value(str(path)).run()
    app.button(key="take-apart").click().run()
    assert not app.exception, app.exception
    assert "silent" in texts(app)
    assert {run.id for run in runs.all_runs(settings().runs_path)} == before


def test_events_in_few_bits_are_shown_beside_other_codecs(app: AppTest, clip: Path, run_of_six: runs.Run) -> None:
    run = DecomposeJob.model_validate({"file": clip, "events": 6, "method": {"bits": 32}}).create(
        settings().runs_path, "in-bits"
    )
    jobs.work(run)
    report = decomposition_report(run)
    assert report is not None
    assert report.stored is not None
    try:
        opened(app, "decompose", run=run.id)
        assert {metric.label: metric.value for metric in app.metric}["Bytes"] == str(report.stored.size)
        (table,) = (each.value for each in app.dataframe if "Codec" in each.value)
        assert [name.split(",")[0] for name in table["Codec"]] == ["Events", "Events", "FLAC", "Opus (OGG)"]
        assert table["Bytes"].tolist()[0] == report.stored.size
        opened(app, "decompose", run=run_of_six.id)
        assert "Codec" not in [header.value for header in app.subheader]
    finally:
        shutil.rmtree(run.path)


def test_edits_are_stored_undone_and_redone(app: AppTest, run_of_six: runs.Run) -> None:
    opened(app, "decompose", run=run_of_six.id)
    assert "of 6 selected" in texts(app)
    app.button(key="by-energy").click().run()
    edit(app, "transpose")
    edits = history(run_of_six)
    assert [(one.name, one.which, one.arguments) for one in edits.done] == [("transpose", None, {"semitones": 12.0})]
    edit(app, "mute")
    assert "2 edits: Transpose, Mute" in texts(app)
    app.button(key="Undo").click().run()
    assert [one.name for one in history(run_of_six).done] == ["transpose"]
    app.button(key="Redo").click().run()
    assert [one.name for one in history(run_of_six).done] == ["transpose", "mute"]
    assert not app.exception, app.exception


def test_a_selection_is_made_of_what_was_typed_just_before_the_press(app: AppTest, run_of_six: runs.Run) -> None:
    opened(app, "decompose", run=run_of_six.id)
    # Both in one run of the page, as a quick hand sends them.
    app.number_input(key="loudest").set_value(2)
    app.button(key="by-energy").click().run()
    assert "**2** of 6 selected" in texts(app)
    edit(app, "remove")
    assert "of 4 selected" in texts(app)
    app.slider(key="pitches").set_value((7_990, 8_000))
    app.button(key="by-pitch").click().run()
    assert "**0** of 4 selected" in texts(app)
    app.button(key="select-Invert").click().run()
    assert "**4** of 4 selected" in texts(app)
    assert not app.exception, app.exception


def test_edits_by_hand_on_top_of_a_refused_one_are_dropped(
    run_of_six: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits = [
        {"number": number, "name": "move", "which": [which], "others": False, "arguments": {"seconds": 0.1}}
        for number, which in ((1, 0), (2, 99), (3, 1))
    ]
    state: dict[str, Any] = {f"plane-{run_of_six.id}": SimpleNamespace(edits={"name": "plane", "edits": edits})}
    monkeypatch.setattr(st, "session_state", state)
    for _ in range(2):  # sent again, as long as the plane does not know
        editing.edit_on_plane(run_of_six, np.array([], np.int64))
    assert [one.which for one in history(run_of_six).done] == [(0,)]
    assert state[f"done-{run_of_six.id}"] == ("plane", 3)
    assert "99" in state["edit-error"]


def test_undo_reverts_the_last_edit_of_any_tab(app: AppTest, run_of_six: runs.Run) -> None:
    opened(app, "decompose", run=run_of_six.id)
    app.button(key="by-energy").click().run()
    edit(app, "transpose")
    later = history(run_of_six).do(Edit(name="mute")).do(Edit(name="gain", arguments={"db": 3.0}))
    keep_history(run_of_six, later)
    app.button(key="Undo").click().run()
    assert not app.exception, app.exception
    edits = history(run_of_six)
    assert [one.name for one in edits.done] == ["transpose", "mute"]
    assert [one.name for one in edits.undone] == ["gain"]
    assert "**0** of 6 selected" in texts(app), "the numbers of events may have changed"


def test_an_impossible_edit_is_an_error_and_is_not_stored(
    app: AppTest, run_of_six: runs.Run, other_clip: runs.Run
) -> None:
    opened(app, "decompose", run=run_of_six.id)
    app.selectbox(key="edit").select("mix").run()
    events_file(other_clip).unlink()
    app.button(key="apply").click().run()
    assert not app.exception, app.exception
    assert other_clip.id in app.error[0].value
    assert history(run_of_six) == History()


@pytest.mark.parametrize("name", list(EDITS))
def test_every_edit_applies_as_it_is_offered_or_says_why_it_cannot(
    app: AppTest, run_of_six: runs.Run, other_clip: runs.Run, name: str
) -> None:
    assert events_file(other_clip).is_file()
    opened(app, "decompose", run=run_of_six.id)
    app.selectbox(key="edit").select(name).run()
    app.button(key="select-All").click().run()
    if app.button(key="apply").disabled:
        assert app.info, "the reason"
        assert name == "wet"
        return
    app.button(key="apply").click().run()
    assert not app.exception, app.exception
    assert not app.error, app.error
    assert [one.name for one in history(run_of_six).done] == [name]


def test_the_reverb_mix_can_be_changed_once_there_is_a_reverb(app: AppTest, run_of_six: runs.Run) -> None:
    opened(app, "decompose", run=run_of_six.id)
    app.button(key="select-All").click().run()
    edit(app, "room")
    edit(app, "wet")
    assert [one.name for one in history(run_of_six).done] == ["room", "wet"]


@pytest.mark.parametrize("name", ["mix", "morph"])
def test_only_clips_of_the_same_kind_are_offered_and_the_others_are_named(
    app: AppTest, run_of_six: runs.Run, other_clip: runs.Run, name: str
) -> None:
    drums = runs.Run(settings().runs_path / "drums-of-another-kind")
    shutil.copytree(PROJECT / "assets" / "examples" / "drums", drums.path)
    try:
        opened(app, "decompose", run=run_of_six.id)
        app.selectbox(key="edit").select(name).run()
        assert other_clip.id in app.selectbox(key="with").options
        assert drums.id not in app.selectbox(key="with").options
        assert any(drums.id in caption.value for caption in app.caption)
    finally:
        shutil.rmtree(drums.path)


def test_another_clip_can_be_mixed_in(app: AppTest, run_of_six: runs.Run, other_clip: runs.Run) -> None:
    opened(app, "decompose", run=run_of_six.id)
    app.selectbox(key="edit").select("mix").run()
    app.selectbox(key="with").select(other_clip.id).run()
    app.button(key="apply").click().run()
    assert not app.exception, app.exception
    assert "of 9 selected" in texts(app)


def test_the_player_has_the_edited_sound_in_front(app: AppTest, run_of_six: runs.Run) -> None:
    opened(app, "decompose", run=run_of_six.id)
    app.button(key="select-All").click().run()
    edit(app, "transpose")
    player = given(app, "distrack_player")
    assert player["front"] in [source["title"] for source in player["sources"]]


def test_damaged_files_are_errors_and_the_page_stays(app: AppTest, run_of_six: runs.Run, finished: runs.Run) -> None:
    (run_of_six.path / "edits.json").write_text("{")
    opened(app, "decompose", run=run_of_six.id)
    assert "Edits cannot be read" in texts(app)
    keep_history(run_of_six, History().do(Edit(name="mute", which=(99,))))
    opened(app, "decompose", run=run_of_six.id)
    assert "here is no event 99" in texts(app)
    next(button for button in app.button if button.label == "Discard edits").click().run()
    assert not app.exception, app.exception
    assert "of 6 selected" in texts(app)
    assert (run_of_six.path / "edits.put-aside.json").is_file()
    kept = events_file(run_of_six).read_bytes()
    events_file(run_of_six).write_bytes(kept[:100])
    try:
        opened(app, "decompose", run=run_of_six.id)
        assert "it holds no events" in texts(app)
    finally:
        events_file(run_of_six).write_bytes(kept)
    opened(app, "decompose", run=finished.id)
    assert f"{title_of(finished)} is shown on another page" in texts(app)
    opened(app, "decompose", run="no-such")
    assert "No run 'no-such'" in texts(app)


def test_other_pages_refuse_or_leave_out_a_decomposition(app: AppTest, run_of_six: runs.Run) -> None:
    for page in ("distill", "listen", "evaluate"):
        opened(app, page, run=run_of_six.id)
        assert f"{title_of(run_of_six)} is shown on another page" in texts(app)
    opened(app, "compare")
    assert run_of_six.id not in texts(app)
    app.run()
    assert not app.exception, app.exception
    assert len(storage.load(events_file(run_of_six))) == 6


def test_the_default_method_is_the_fast_one_and_each_has_a_widget_for_every_setting(app: AppTest, clip: Path) -> None:
    opened(app, "decompose")
    app.button_group(key="source").set_value("File path").run()
    app.text_input[0].set_value(str(clip)).run()
    method = app.selectbox(key="method")
    assert method.value == "matching-pursuit"
    for name in DECOMPOSERS:
        method = app.selectbox(key="method").select(name)
        app.run()
        assert not app.exception, app.exception
        assert not app.error, app.error
        keys = {element.key for kind in (app.selectbox, app.number_input, app.toggle) for element in kind}
        assert {f"{name}-{field}" for field in DECOMPOSERS.config(name).model_fields if field != "name"} <= keys


def test_an_example_opens_as_a_run_of_ones_own(app: AppTest) -> None:
    opened(app, "decompose")
    app.button(key="example-melody").click().run()
    assert not app.exception, app.exception
    assert "of 96 selected" in texts(app)
    run = runs.find(settings().runs_path, "example-melody")
    app.selectbox(key="edit").select("mute").run()
    assert app.button(key="apply").disabled, "nothing selected never means everything"
    app.button(key="select-All").click().run()
    app.button(key="apply").click().run()
    assert len(history(run).done) == 1
    # The example itself stays as it is.
    app.query_params.clear()
    opened(app, "decompose")
    app.button(key="example-melody").click().run()
    assert len(history(run).done) == 1
    assert not (PROJECT / "assets" / "examples" / "melody" / "edits.json").exists()


def test_one_press_draws_random_events_or_times_and_another_press_draws_others(
    app: AppTest, run_of_six: runs.Run
) -> None:
    opened(app, "decompose", run=run_of_six.id)
    for name in ("random-events", "random-times"):
        app.button(key=name).click().run()
        app.button(key=name).click().run()
        assert not app.exception, app.exception
        last = history(run_of_six).done[-1]
        assert (last.name, last.arguments) == (name, {"seed": 2})
    assert [one.name for one in history(run_of_six).done] == ["random-events", "random-times"]


def test_events_are_placed_and_compared_across_clips(app: AppTest, run_of_six: runs.Run, other_clip: runs.Run) -> None:
    opened(app, "decompose", run=run_of_six.id)
    app.session_state[f"across-{run_of_six.id}"] = True
    app.session_state[f"selected-{run_of_six.id}"] = [1]
    app.run()
    assert not app.exception, app.exception
    points = given(app, "distrack_map")["points"]
    assert len(points) == 9
    assert {point["label"] for point in points} == {0, 1}
    assert "sound most like event 1" in texts(app)
    assert "Clips whose events sound most like these" in texts(app)
    app.multiselect(key=f"others-{run_of_six.id}").set_value([]).run()
    assert len(given(app, "distrack_map")["points"]) == 6
    assert other_clip.id


def test_the_models_that_there_are_can_be_chosen(app: AppTest, clip: Path) -> None:
    opened(app, "decompose")
    app.button_group(key="source").set_value("File path").run()
    app.text_input[0].set_value(str(clip)).run()
    app.selectbox(key="method").select("siam").run()
    assert not app.exception, app.exception
    assert "notes" in app.selectbox(key="siam-model").options


def test_a_plane_draws_the_first_events_and_says_so(
    app: AppTest, run_of_six: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = opened(app, "decompose", run=run_of_six.id)
    assert "The plane shows the first" not in texts(shown)
    monkeypatch.setattr(plane, "MOST_DRAWN", 4)
    plane._content.clear()
    app.run()
    assert not app.exception, app.exception
    assert "The plane shows the first 4 of 6 events" in texts(app)
    events = storage.load(events_file(run_of_six))
    spectrogram, numbers = Plane(np.zeros((1, 1), np.float32), 30.0, 8_000.0, 0.5), np.array([1, 3])
    content = json.loads(plane._content(events.rows(numbers), numbers, 6, 0.25, spectrogram))
    assert (content["numbers"], content["total"], content["begin"]) == ([1, 3], 6, 0.25)
    rows = np.frombuffer(base64.b64decode(content["rows"]), "<f4").reshape(2, -1)
    assert np.array_equal(rows, events.parameters[[1, 3]])


def _in_section(run: runs.Run, start: float, end: float) -> list[int]:
    box = storage.load(events_file(run)).kind.boxes(storage.load(events_file(run)))
    return np.flatnonzero((box.start < end) & (box.end > start)).tolist()


def test_a_long_clip_is_shown_through_a_section_that_the_url_names(app: AppTest, long_run: runs.Run) -> None:
    opened(app, "decompose", run=long_run.id)
    assert "**0:00 to 0:30** of 2:30" in texts(app)
    assert "Table of 2 events in the section" in [expander.label for expander in app.expander]
    opened(app, "decompose", run=long_run.id, start="100", length="10")
    assert "**1:40 to 1:50** of 2:30" in texts(app)
    overview = given(app, "distrack_overview")
    assert (overview["start"], overview["length"], overview["seconds"]) == (100, 10, 150)
    assert max(overview["levels"]) == 1
    player = given(app, "distrack_player")
    assert (player["seconds"], player["begin"]) == (10, 100)
    app.button(key="section-Next").click().run()
    assert "**1:50 to 2:00** of 2:30" in texts(app)
    assert app.query_params["start"] == "110.0"
    app.button_group(key="section-length").set_value(60).run()
    assert "**1:30 to 2:30** of 2:30" in texts(app), "a section ends with the clip at the latest"
    assert app.button(key="section-Next").disabled
    app.number_input(key="section-start").set_value(12.3).run()
    assert "**0:12.3 to 1:12.3** of 2:30" in texts(app)
    for nonsense in ("nan", "x", "-5"):
        opened(app, "decompose", run=long_run.id, start=nonsense, length="7")
        assert "**0:00 to 0:30** of 2:30" in texts(app)


def test_a_short_clip_has_no_section(app: AppTest, run_of_six: runs.Run) -> None:
    opened(app, "decompose", run=run_of_six.id, start="0.1", length="10")
    assert "section-Next" not in [button.key for button in app.button]
    assert given(app, "distrack_player")["begin"] == 0


def test_edits_in_a_section_change_the_selected_events_outside_of_it_too(app: AppTest, long_run: runs.Run) -> None:
    opened(app, "decompose", run=long_run.id, start="100")
    (one, *others) = _in_section(long_run, 100, 130)
    app.button(key="select-inside").click().run()
    assert f"**{1 + len(others)}** of 10 selected" in texts(app)
    app.button(key="select-All").click().run()
    plane_data = given(app, "distrack_plane")["chosen"]
    assert (plane_data["numbers"], plane_data["others"]) == ([one, *others], True)
    # One of the drawn events is released on the plane: those that are not drawn stay selected.
    chosen = {"name": "plane", "number": 1, "numbers": others, "others": True}
    reported(app, "distrack_plane", chosen=chosen)
    assert "**9** of 10 selected" in texts(app)
    edit(app, "mute")
    assert history(long_run).done[-1].which == tuple(sorted(set(range(10)) - {one}))
    reported(app, "distrack_plane", chosen={**chosen, "number": 2, "numbers": [one], "others": False})
    edit(app, "unmute")
    assert history(long_run).done[-1].which == (one,)


def test_an_edit_by_hand_changes_the_selected_events_that_are_not_drawn_too(
    run_of_six: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits = [
        {"number": number, "name": "move", "which": [1], "others": others, "arguments": {"seconds": 0.1}}
        for number, others in ((1, False), (2, True))
    ]
    state: dict[str, Any] = {f"plane-{run_of_six.id}": SimpleNamespace(edits={"name": "plane", "edits": edits})}
    monkeypatch.setattr(st, "session_state", state)
    editing.edit_on_plane(run_of_six, np.array([4, 5]))
    assert [one.which for one in history(run_of_six).done] == [(1,), (1, 4, 5)]
