"""The Train events page without a browser: its form, a training that is done, and what is not there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.decompose.siam import training
from distrack.jobs import event_model
from distrack.jobs.event_model import EventModelJob
from distrack.settings import settings
from tests.app.page import again, given, opened, texts


@pytest.fixture(scope="module")
def trained(tones: Path) -> Iterator[runs.Run]:
    """A model that was trained for a few steps."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"DESCRIPTIONS": 64, "BATCH": 16, "NOTES": 6, "NOTE_SECONDS": 0.5, "SCENES": 2}.items():
            patch.setattr(training, name, value)
        patch.setattr(event_model, "_SCENES", 1)
        steps = {"timbre_steps": 20, "scene_steps": 3, "recording_steps": 2, "recordings": 1}
        run = EventModelJob.validated({**steps, "data_path": tones}).create(settings().runs_path, "trained")
        jobs.work(run)
        yield run


def test_the_form_describes_a_training_and_refuses_what_is_impossible(app: AppTest) -> None:
    opened(app, "train_events")
    assert app.button(key="train")
    assert "None yet" in texts(app)
    recordings = next(each for each in app.number_input if each.label == "Recordings")
    recordings.set_value(-1)
    again(app)
    assert "ecordings -1" in texts(app)
    assert not [button for button in app.button if button.key == "train"]


def test_a_finished_training_is_heard_and_its_model_is_offered(app: AppTest, trained: runs.Run) -> None:
    opened(app, "train_events", model=trained.id)
    assert not app.exception, app.exception
    player = given(app, "distrack_player")
    assert [source["title"] for source in player["sources"]] == ["Original", "Reconstruction", "Random events"]
    assert {metric.label for metric in app.metric} >= {"Events found (F)", "Numbers of the model", "Recordings"}
    assert f"`{trained.id}`" in texts(app)
    opened(app, "train_events")
    assert "Finds events of synthetic scenes" in texts(app) or "finds events of synthetic scenes" in texts(app)


def test_damaged_sounds_are_a_warning_and_the_page_stays(app: AppTest, trained: runs.Run) -> None:
    kept = (trained.path / "original.wav").read_bytes()
    (trained.path / "original.wav").write_bytes(b"no sound")
    try:
        opened(app, "train_events", model=trained.id)
        assert not app.exception, app.exception
        assert "Original.wav is missing or damaged" in texts(app) or "original.wav is missing or damaged" in texts(app)
    finally:
        (trained.path / "original.wav").write_bytes(kept)
    opened(app, "train_events", model="no-such")
    assert "No run 'no-such'" in texts(app)
