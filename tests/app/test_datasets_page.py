"""The Datasets page without a browser: cards, absent, failed and prepared datasets."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from streamlit.testing.v1 import AppTest

from distrack import jobs
from distrack.datasets import DATASETS
from distrack.errors import DatasetError
from distrack.jobs.preparation import Preparation
from distrack.settings import settings
from tests.app.page import again, labelled, links, opened, texts
from tests.dataset_trees import esc10_tree


def prepare(dataset: str, path: Path) -> None:
    """Prepares a dataset in this process."""
    job = Preparation(dataset=dataset, data_path=path)
    jobs.work(job.open(settings().runs_path), job)


def test_there_is_a_card_for_each_dataset(app: AppTest) -> None:
    opened(app, "datasets")
    for name in DATASETS:
        assert DATASETS[name].title in texts(app)


def test_a_folder_that_was_prepared_is_known_from_then_on(app: AppTest, tmp_path: Path) -> None:
    folder = tmp_path / "my-esc"
    esc10_tree(folder)
    opened(app, "datasets")
    assert "my-esc" not in links(app)
    prepare("ESC10", folder)
    opened(app, "datasets")
    assert "my-esc" in links(app)
    assert [heading.value for heading in app.subheader] == ["On this computer", "Available"]
    opened(app, "distill", dataset="ESC10")
    assert labelled(app, "text_input", "Dataset folder").value == str(folder)
    shutil.rmtree(folder)
    opened(app, "datasets")
    assert "my-esc" not in links(app)


def test_an_absent_dataset_says_how_to_get_it(app: AppTest) -> None:
    opened(app, "datasets", dataset="ESC50")
    assert any(button.label == "Download and prepare" for button in app.button)
    assert "Not on this computer" in texts(app)
    assert "meta/esc50.csv" in texts(app)
    opened(app, "datasets", dataset="GTZAN")
    assert not any("Download" in button.label for button in app.button)
    assert "is offline" in texts(app)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"dataset": "ESC51"}, "Unknown dataset"),
        ({"dataset": "FOLDER", "path": "~nobody-of-that-name/x"}, "~nobody-of-that-name"),
    ],
)
def test_what_cannot_be_opened_is_reported(app: AppTest, query: dict[str, str], says: str) -> None:
    opened(app, "datasets", **query)
    assert says in texts(app)


def test_a_prepared_dataset_is_explored(app: AppTest, tones: Path) -> None:
    prepare("FOLDER", tones)
    opened(app, "datasets", dataset="FOLDER", path=str(tones))
    numbers = {metric.label: metric.value for metric in app.metric}
    assert (numbers["Classes"], numbers["Training clips"], numbers["Test clips"]) == ("3", "30", "6")
    assert "Random split. No clip appears in both training and test." in texts(app)
    assert len(app.get("plotly_chart")) == 4
    # A page of ten clips, and the one that is looked at closely.
    assert len(app.get("audio")) == 11
    app.selectbox(key="class").select("middle")
    app.selectbox(key="split").select("test")
    again(app)
    assert len(app.get("audio")) == 3


def test_a_dataset_whose_preparation_failed_says_why(app: AppTest, tmp_path: Path) -> None:
    (tmp_path / "one" / "only").mkdir(parents=True)
    (tmp_path / "one" / "only" / "a.wav").write_text("nothing")
    with pytest.raises(DatasetError):
        prepare("FOLDER", tmp_path / "one")
    opened(app, "datasets", dataset="FOLDER", path=str(tmp_path / "one"))
    assert "nly one class" in texts(app)
    assert any(button.label == "Prepare" for button in app.button)


def test_files_that_changed_since_their_preparation_are_reported(app: AppTest, tones: Path, tmp_path: Path) -> None:
    shutil.copytree(tones, tmp_path / "copy")
    prepare("FOLDER", tmp_path / "copy")
    (tmp_path / "copy" / "low" / "0.wav").unlink()
    opened(app, "datasets", dataset="FOLDER", path=str(tmp_path / "copy"))
    assert "Files or clip length changed" in texts(app)


def test_the_means_belong_to_the_fold_in_view(app: AppTest, tmp_path: Path) -> None:
    esc10_tree(tmp_path)
    draw = np.random.default_rng(0)
    for clip in tmp_path.rglob("*.ogg"):
        clip.unlink()  # they are links to one file
        soundfile.write(clip, draw.uniform(-0.5, 0.5, 2_000), 16_000)
    prepare("ESC10", tmp_path)

    def means() -> list[str]:
        return [image.proto.imgs[0].url for image in app.get("image") if "mean of class" in image.proto.imgs[0].alt]

    opened(app, "datasets", dataset="ESC10", path=str(tmp_path))
    before = means()
    app.session_state["fold"] = 4
    again(app)
    assert len(before) == len(means()) == 10
    assert before != means()


def test_a_few_notes_of_tinysol_are_explored(app: AppTest, real_data: Path) -> None:
    prepare("TINYSOL", real_data / "tinysol")
    opened(app, "datasets", dataset="TINYSOL", path=str(real_data / "tinysol"))
    assert {metric.label: metric.value for metric in app.metric}["Classes"] == "2"
    assert "Too few notes for the official folds" in texts(app)
