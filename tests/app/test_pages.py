"""The pages without a browser: what they show for a finished, a damaged and an absent run, and for bad input."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.datasets import DATASETS
from distrack.distill import PRESETS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.errors import DatasetError, RunError
from distrack.features import FEATURES
from distrack.jobs.distillation import DistillJob
from distrack.jobs.inspection import InspectionJob
from distrack.jobs.preparation import Preparation
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.networks import NETWORKS
from distrack.settings import settings
from distrack.validation import from_preset
from tests.app.page import opened, texts


def test_home_offers_the_ways_in_and_recent_runs(app: AppTest, finished: runs.Run) -> None:
    app.run()
    assert not app.exception
    assert "distilled to a handful of tracks" in texts(app)
    assert any(finished.id == link.proto.label for link in app.get("page_link"))


def test_distill_offers_every_registered_choice_and_says_the_budget(app: AppTest) -> None:
    opened(app, "distill")
    dataset, feature, preset = app.selectbox[0], app.selectbox[1], app.selectbox[2]
    assert "FSDD" in " ".join(dataset.options) or "Free Spoken Digit Dataset" in dataset.options
    assert len(feature.options) == len(FEATURES)
    assert not any("MusicNet" in option for option in dataset.options), "it has no classes"
    assert preset.options == list(PRESETS)
    # Eight tracks of 226 coefficients, which coefficients they are, and eight labels.
    assert "2,042 floats a class** within the 2,049 of 1 x 64 x 32 with labels, holding **8 tracks" in texts(app)
    app.slider[0].set_value(10).run()
    assert "20,458 floats a class** within the 20,490 of 10 x 64 x 32 with labels, holding **40 tracks" in texts(app)


def choice(app: AppTest, label: str) -> Any:
    (found,) = (box for box in app.selectbox if box.label == label)
    return found


def several(app: AppTest) -> Callable[[str], Any]:
    return lambda label: next(box for box in app.multiselect if box.label == label)


def test_what_cannot_be_combined_is_not_offered(app: AppTest) -> None:
    opened(app, "distill")
    assert set(choice(app, "Stored as").options) == set(PARAMETERISATIONS)
    choice(app, "What is optimised").select("waveform").run()
    assert not app.exception
    assert set(choice(app, "Stored as").options) == {"identity", "multiformation"}
    assert choice(app, "Moves").value == "spectrum"
    assert "16,001 floats a class" in texts(app)
    choice(app, "Stored as").select("identity").run()
    assert choice(app, "Tracks in the storage of one").options == ["1"]
    assert not app.error
    # Of a tenth of a second there are four frames: too few for most networks, and for many tracks in one.
    next(box for box in app.number_input if box.label == "Seconds of a track").set_value(0.1).run()
    assert set(choice(app, "Embedding network").options) < set(NETWORKS)
    assert "convnet" not in choice(app, "Embedding network").options
    assert not app.exception


def test_every_choice_has_a_line_of_help(app: AppTest) -> None:
    opened(app, "distill")
    inside = [*app.selectbox, *app.number_input, *app.multiselect, *app.toggle]
    assert len(inside) > 12
    in_view = {"Dataset", "Feature"}
    assert [widget.label for widget in inside if not widget.help and widget.label not in in_view] == []


def test_a_preset_changes_what_the_form_starts_from(app: AppTest) -> None:
    opened(app, "distill")
    app.selectbox[2].select("paper").run()
    assert not app.exception
    assert app.selectbox[1].value == "melspectrogram"
    # 128 bands and a second of 32 frames.
    assert "4,097 floats a class" in texts(app)


def test_a_dataset_that_is_not_here_is_said_on_the_page_and_no_run_is_left(app: AppTest, tmp_path: Path) -> None:
    opened(app, "distill")
    before = {run.id for run in runs.all_runs(settings().runs_path)}
    app.selectbox[0].select("FSDD").run()
    app.text_input[0].set_value(str(tmp_path / "nothing")).run()
    app.button(key="distill").click().run()
    assert any("No FSDD recordings" in error.value for error in app.error)
    assert {run.id for run in runs.all_runs(settings().runs_path)} == before


def test_more_tracks_than_clips_is_said_on_the_page(app: AppTest, tones: Path) -> None:
    opened(app, "distill")
    app.selectbox[0].select("FOLDER").run()
    app.text_input[0].set_value(str(tones)).run()
    app.slider[0].set_value(40).run()
    app.button(key="distill").click().run()
    assert any("ask for at most" in error.value for error in app.error)


def test_a_finished_run_shows_its_curve_tracks_and_accuracy(app: AppTest, finished: runs.Run) -> None:
    opened(app, "distill", run=finished.id)
    assert [metric.label for metric in app.metric] == ["Synthetic tracks", "As many random clips"]
    assert app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")
    assert app.select_slider[0].options == ["0", "3", "6"]
    assert "low" in app.get("html")[0].proto.body
    command = next(code.value for code in app.code if code.value.startswith("python -m distrack distill"))
    assert "--dataset FOLDER" in command


def test_evaluate_states_the_split_and_shows_baselines(app: AppTest, finished: runs.Run) -> None:
    opened(app, "evaluate", run=finished.id)
    assert "disjoint by" in texts(app)
    table = app.dataframe[0].value
    assert set(table["trained on"]) == {"synthetic", "random-selection", "class-mean"}
    learnt = table[table["trained on"] == "synthetic"].iloc[0]
    report = evaluation_report(finished)
    assert report is not None
    random = report.accuracy("random-cnn", "random-selection") or 0.0
    assert learnt["gain"] == pytest.approx((report.accuracy("random-cnn", "synthetic") or 0.0) - random)
    assert len(app.get("vega_lite_chart")) == 1
    recall = app.dataframe[1].value
    assert list(recall["class"]) == ["high", "low", "middle"]
    assert list(recall["recall"]) == pytest.approx(report.evaluations[0].recall)


def test_what_else_is_to_be_measured_is_launched_as_it_would_be_typed(
    app: AppTest, finished: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[tuple[str, ...]] = []
    monkeypatch.setattr(runs, "launch", lambda run, *words: launched.append((run.id, *words)))
    opened(app, "evaluate", run=finished.id)
    evaluators, baselines, networks = map(several(app), ("Evaluators", "Baselines", "Other networks"))
    assert (evaluators.value, baselines.value) == (["random-cnn", "prototype"], ["random-selection", "class-mean"])
    assert "mlp" in networks.options
    assert "resnet18" in networks.options
    evaluators.set_value(["random-cnn", "linear-probe"])
    baselines.set_value(["herding"])
    networks.set_value(["mlp"])
    app.number_input[0].set_value(5)
    app.button[0].click().run()
    assert not app.exception
    words = ["--evaluators", "random-cnn,linear-probe", "--baselines", "herding", "--seeds", "5"]
    words += ["--architectures", "mlp", "--learning-rates", ""]
    assert launched == [(finished.id, "evaluate", *words)]
    opened(app, "evaluate", run=finished.id)
    several(app)("Evaluators").set_value([])
    app.button[0].click().run()
    assert "Choose one evaluator at least" in texts(app)
    assert len(launched) == 1


def test_copies_are_looked_for_and_shown_with_the_nearest_clip(app: AppTest, finished: runs.Run) -> None:
    jobs.work(finished, InspectionJob(run=finished.id))
    try:
        opened(app, "evaluate", run=finished.id)
        assert "than 99 % of real clips of the other side are" in texts(app)
        assert "proves nothing about privacy" in texts(app)
        nearest = app.selectbox[-1]
        assert len(nearest.options) == 6
        assert len(app.get("audio")) == 2, "the track and the real clip that is the nearest to it"
        assert len(app.get("plotly_chart")) == 2, "the confusion of classes and the map"
        app.segmented_control[1].set_value("test").run()
        assert not app.exception
        assert "test clips" in texts(app)
    finally:
        (finished.path / "inspection.json").unlink()


def test_the_error_of_a_check_that_cannot_start_stays_on_the_page(
    app: AppTest, finished: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_run: runs.Run, *_words: str) -> None:
        raise RunError("the disk is full")

    opened(app, "evaluate", run=finished.id)
    monkeypatch.setattr(runs, "launch", full)
    app.button(key="inspect").click().run()
    assert [error.value for error in app.error] == ["the disk is full"]


def test_a_run_whose_synthetic_set_is_gone_keeps_its_figures(app: AppTest, finished: runs.Run) -> None:
    kept = synthetic_file(finished).read_bytes()
    synthetic_file(finished).unlink()
    try:
        opened(app, "evaluate", run=finished.id)
        assert set(app.dataframe[0].value["trained on"]) == {"synthetic", "random-selection", "class-mean"}
        assert list(app.dataframe[1].value["class"]) == ["0", "1", "2"]
    finally:
        synthetic_file(finished).write_bytes(kept)


@pytest.mark.parametrize("page", ["distill", "listen", "evaluate"])
def test_a_run_that_is_not_there_is_said(app: AppTest, finished: runs.Run, page: str) -> None:  # noqa: ARG001
    opened(app, page, run="no-such-run")
    assert any("no run 'no-such-run'" in warning.value for warning in app.warning)


def test_a_damaged_run_does_not_hide_the_others(app: AppTest, finished: runs.Run) -> None:
    broken = settings().runs_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    (broken / "status.json").write_text("not json")
    try:
        app.run()
        assert not app.exception
        labels = [link.proto.label for link in app.get("page_link")]
        assert {"broken", finished.id} <= set(labels)
        opened(app, "distill", run="broken")
        assert "missing or damaged" in texts(app)
    finally:
        for path in broken.iterdir():
            path.unlink()
        broken.rmdir()


def test_a_run_whose_process_is_gone_can_be_resumed_from_the_page(app: AppTest, tones: Path) -> None:
    job = from_preset(DistillJob, {"dataset": "FOLDER", "data_path": tones, "duration": 0.5})
    run = job.create(settings().runs_path, "gone")
    run.write("status.json", runs.Status(state="running", phase="distill", pid=2**22 - 1).model_dump_json())
    opened(app, "distill", run=run.id)
    assert app.button(key=f"resume-{run.id}").label == "Resume"


def open_dataset(app: AppTest, name: str, path: Path | None = None) -> AppTest:
    """One dataset of the Datasets page, in a folder of the user's own where one is given."""
    app.run()
    app.switch_page("pages/datasets.py")
    app.query_params["dataset"] = name
    if path is not None:
        app.query_params["path"] = str(path)
    app.run()
    assert not app.exception, app.exception
    return app


def test_datasets_has_a_card_for_each(app: AppTest) -> None:
    opened(app, "datasets")
    shown = texts(app)
    for name in DATASETS:
        assert DATASETS[name].title in shown
    assert "not here" in shown


def test_an_absent_dataset_says_how_to_have_it(app: AppTest) -> None:
    open_dataset(app, "ESC50")
    assert any(button.label == "Download and prepare" for button in app.button)
    assert "Not on this disk" in texts(app)
    assert "meta/esc50.csv" in texts(app)
    open_dataset(app, "GTZAN")
    assert not any("Download" in button.label for button in app.button)
    assert "does not answer any more" in texts(app)


def test_an_unknown_dataset_in_the_url_is_said(app: AppTest) -> None:
    open_dataset(app, "ESC51")
    assert "unknown dataset" in texts(app)


def test_a_prepared_dataset_is_explored(app: AppTest, tones: Path) -> None:
    jobs.work_on_preparation(from_preset(Preparation, {"dataset": "FOLDER", "data_path": tones}))
    open_dataset(app, "FOLDER", tones)
    numbers = {metric.label: metric.value for metric in app.metric}
    assert (numbers["Classes"], numbers["Training clips"], numbers["Test clips"]) == ("3", "30", "6")
    assert "No two sides of the split share a **clip**" in texts(app)
    assert len(app.get("plotly_chart")) == 4
    # A page of ten clips, and the one that is taken apart.
    assert len(app.get("audio")) == 11
    app.selectbox(key="class").select("middle")
    app.selectbox(key="side").select("test")
    app.run()
    assert not app.exception
    assert len(app.get("audio")) == 3


def test_a_dataset_whose_preparation_failed_says_why(app: AppTest, tmp_path: Path) -> None:
    (tmp_path / "one" / "only").mkdir(parents=True)
    (tmp_path / "one" / "only" / "a.wav").write_text("nothing")
    with pytest.raises(DatasetError):
        jobs.work_on_preparation(from_preset(Preparation, {"dataset": "FOLDER", "data_path": tmp_path / "one"}))
    open_dataset(app, "FOLDER", tmp_path / "one")
    assert "Only one class" in texts(app)
    assert any(button.label == "Prepare" for button in app.button)


def test_files_that_changed_since_are_said(app: AppTest, tones: Path, tmp_path: Path) -> None:
    shutil.copytree(tones, tmp_path / "copy")
    jobs.work_on_preparation(from_preset(Preparation, {"dataset": "FOLDER", "data_path": tmp_path / "copy"}))
    (tmp_path / "copy" / "low" / "0.wav").unlink()
    open_dataset(app, "FOLDER", tmp_path / "copy")
    assert "have changed since" in texts(app)


def test_the_way_from_a_dataset_to_its_distillation(app: AppTest, tones: Path) -> None:
    app.run()
    app.switch_page("pages/distill.py")
    app.query_params["dataset"] = "FOLDER"
    app.query_params["path"] = str(tones)
    app.run()
    assert not app.exception
    assert app.selectbox[0].value == "FOLDER"
    assert app.text_input[0].value == str(tones)


def test_the_means_belong_to_the_fold_in_view(app: AppTest, real_data: Path) -> None:
    jobs.work_on_preparation(from_preset(Preparation, {"dataset": "ESC10", "data_path": real_data / "esc10"}))

    def means() -> list[str]:
        return [image.proto.imgs[0].url for image in app.get("image") if "mean of class" in image.proto.imgs[0].alt]

    open_dataset(app, "ESC10", real_data / "esc10")
    before = means()
    app.session_state["fold"] = 4
    app.run()
    assert not app.exception
    assert len(before) == len(means()) == 10
    assert before != means()


def test_a_path_that_cannot_be_followed_is_said(app: AppTest) -> None:
    app.run()
    app.switch_page("pages/datasets.py")
    app.query_params["dataset"] = "FOLDER"
    app.query_params["path"] = "~nobody-of-that-name/x"
    app.run()
    assert not app.exception
    assert "cannot be resolved" in texts(app)


def test_a_few_notes_of_tinysol_are_explored_and_offered(app: AppTest, real_data: Path) -> None:
    folder = real_data / "tinysol"
    jobs.work_on_preparation(from_preset(Preparation, {"dataset": "TINYSOL", "data_path": folder}))
    open_dataset(app, "TINYSOL", folder)
    assert {metric.label: metric.value for metric in app.metric}["Classes"] == "2"
    assert "too few notes for the official folds" in texts(app)
