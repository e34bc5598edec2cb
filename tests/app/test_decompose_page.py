"""The Decompose page without a browser: its form, a clip in the studio, and what cannot be used."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.decompose import Edit, History, storage
from distrack.jobs.decomposition import DecomposeJob, events_file, history, keep_history
from distrack.settings import settings
from tests.app.page import opened, texts


@pytest.fixture(scope="module")
def clip(tones: Path) -> Path:
    return next((tones / "low").glob("*.wav"))


@pytest.fixture(scope="module")
def apart(clip: Path) -> Iterator[runs.Run]:
    """A clip taken apart into six events."""
    run = DecomposeJob(file=clip, events=6).create(settings().runs_path, "apart")
    jobs.work(run)
    yield run
    shutil.rmtree(run.path)


@pytest.fixture(autouse=True)
def unedited(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "apart" in request.fixturenames:
        (request.getfixturevalue("apart").path / "edits.json").unlink(missing_ok=True)


def edit(app: AppTest, name: str) -> None:
    app.selectbox(key="edit").select(name).run()
    app.button(key="apply").click().run()
    assert not app.exception, app.exception


def test_a_file_is_described_and_launched(app: AppTest, clip: Path) -> None:
    opened(app, "decompose")
    app.button_group(key="source").set_value("File").run()
    app.text_input[0].set_value(str(clip)).run()
    assert not app.exception, app.exception
    assert f"{clip.name}: 0.5 s at 16,000 Hz" in texts(app)
    assert app.button(key="take-apart")


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read as audio"), (b"no sound", "cannot be read as audio"), (b"", "cannot be read as audio")],
)
def test_a_file_that_is_no_recording_is_said(app: AppTest, tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "x.wav"
    if content is not None:
        path.write_bytes(content)
    opened(app, "decompose")
    app.button_group(key="source").set_value("File").run()
    app.text_input[0].set_value(str(path)).run()
    assert not app.exception, app.exception
    assert says in texts(app)


def test_a_home_that_is_nobodys_is_said(app: AppTest) -> None:
    opened(app, "decompose")
    app.button_group(key="source").set_value("File").run()
    app.text_input[0].set_value("~no-such-user/x.wav").run()
    assert not app.exception, app.exception
    assert "no-such-user" in texts(app)


def test_silence_is_refused_and_leaves_nothing(app: AppTest, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(8000), 16_000)
    before = {run.id for run in runs.all_runs(settings().runs_path)}
    opened(app, "decompose")
    app.button_group(key="source").set_value("File").run()
    app.text_input[0].set_value(str(path)).run()
    app.button(key="take-apart").click().run()
    assert not app.exception, app.exception
    assert "silent" in texts(app)
    assert {run.id for run in runs.all_runs(settings().runs_path)} == before


def test_edits_are_kept_undone_and_done_again(app: AppTest, apart: runs.Run) -> None:
    opened(app, "decompose", run=apart.id)
    assert "of 6 events chosen" in texts(app)
    app.button(key="by-energy").click().run()
    edit(app, "transpose")
    edits = history(apart)
    assert [(one.name, len(one.which or ()), one.arguments) for one in edits.done] == [
        ("transpose", 6, {"semitones": 12.0})
    ]
    edit(app, "mute")
    assert "2 so far: Transpose, Mute" in texts(app)
    app.button(key="Undo").click().run()
    assert [one.name for one in history(apart).done] == ["transpose"]
    app.button(key="Redo").click().run()
    assert [one.name for one in history(apart).done] == ["transpose", "mute"]
    assert not app.exception, app.exception


def test_undo_goes_back_from_where_another_tab_has_gone(app: AppTest, apart: runs.Run) -> None:
    opened(app, "decompose", run=apart.id)
    app.button(key="by-energy").click().run()
    edit(app, "transpose")
    later = history(apart).do(Edit(name="mute")).do(Edit(name="gain", arguments={"db": 3.0}))
    keep_history(apart, later)
    app.button(key="Undo").click().run()
    assert not app.exception, app.exception
    edits = history(apart)
    assert [one.name for one in edits.done] == ["transpose", "mute"]
    assert [one.name for one in edits.undone] == ["gain"]
    assert "**No** of 6 events chosen" in texts(app), "events may be counted otherwise now"


def test_an_edit_that_does_not_fit_is_said_and_not_kept(app: AppTest, apart: runs.Run) -> None:
    opened(app, "decompose", run=apart.id)
    app.selectbox(key="edit").select("wet").run()
    app.button(key="apply").click().run()
    assert not app.exception, app.exception
    assert "room" in app.error[0].value
    assert history(apart) == History()


def test_another_clip_is_mixed_in(app: AppTest, apart: runs.Run, clip: Path) -> None:
    other = DecomposeJob(file=clip, events=3).create(settings().runs_path, "other-clip")
    jobs.work(other)
    opened(app, "decompose", run=apart.id)
    app.selectbox(key="edit").select("mix").run()
    app.selectbox(key="with").select(other.id).run()
    app.button(key="apply").click().run()
    shutil.rmtree(other.path)
    assert not app.exception, app.exception
    assert "of 9 events chosen" in texts(app)


def test_what_is_damaged_is_said_and_the_page_stays(app: AppTest, apart: runs.Run, finished: runs.Run) -> None:
    (apart.path / "edits.json").write_text("{")
    opened(app, "decompose", run=apart.id)
    assert "edits cannot be read" in texts(app)
    keep_history(apart, History().do(Edit(name="mute", which=(99,))))
    opened(app, "decompose", run=apart.id)
    assert "there is no event 99" in texts(app)
    next(button for button in app.button if button.label == "Put the edits aside").click().run()
    assert not app.exception, app.exception
    assert "of 6 events chosen" in texts(app)
    assert (apart.path / "edits.put-aside.json").is_file()
    kept = events_file(apart).read_bytes()
    events_file(apart).write_bytes(kept[:100])
    try:
        opened(app, "decompose", run=apart.id)
        assert "it holds no events" in texts(app)
    finally:
        events_file(apart).write_bytes(kept)
    opened(app, "decompose", run=finished.id)
    assert "distils a dataset" in texts(app)
    opened(app, "decompose", run="no-such")
    assert "no run 'no-such'" in texts(app)


def test_other_pages_know_it_for_what_it_is(app: AppTest, apart: runs.Run) -> None:
    for page in ("distill", "listen", "evaluate"):
        opened(app, page, run=apart.id)
        assert "takes a clip apart" in texts(app)
    opened(app, "compare")
    assert apart.id not in texts(app)
    app.run()
    assert not app.exception, app.exception
    assert len(storage.load(events_file(apart))) == 6


def test_the_quick_method_is_the_usual_one(app: AppTest, clip: Path) -> None:
    opened(app, "decompose")
    app.button_group(key="source").set_value("File").run()
    app.text_input[0].set_value(str(clip)).run()
    (method,) = (box for box in app.selectbox if box.label == "Method")
    assert method.value == "matching-pursuit"
    method.select("splat").run()
    assert not app.exception, app.exception
    assert any(field.label == "Iterations" for field in app.number_input)
