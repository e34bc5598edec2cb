"""The Distill page without a browser: the form, what cannot be launched, and a run that is done or cut off."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from distrack import runs
from distrack.datasets import DATASETS
from distrack.distill import PRESETS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.evaluate import Accuracy, Report
from distrack.features import FEATURES
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import report_so_far, synthetic_file
from distrack.networks import NETWORKS
from distrack.settings import settings
from distrack.ui.distill.estimate import time_text
from distrack.ui.shared.run_in_view import DEMO
from distrack.validation import from_preset
from tests.app.page import again, labelled, links, opened, texts


def test_every_registered_choice_is_offered_and_the_budget_is_shown(app: AppTest) -> None:
    opened(app, "distill")
    labelled_titles = {DATASETS[name].title for name in DATASETS if DATASETS[name].labelled}
    assert set(labelled(app, "selectbox", "Dataset").options) == labelled_titles, "MusicNet has no classes"
    assert labelled(app, "selectbox", "Representation").options == [FEATURES.title(name) for name in FEATURES]
    assert labelled(app, "selectbox", "Preset").options == [PRESETS.title(name) for name in PRESETS]
    # Eight tracks of 226 coefficients, which coefficients they are, and eight labels.
    assert (
        "**8 tracks per class**, stored in the space of 1 (2,042 of 2,049 floats: strongest DCT coefficients)"
        in texts(app)
    )
    app.slider[0].set_value(10)
    again(app)
    assert (
        "**160 tracks per class**, stored in the space of 10 (20,408 of 20,490 floats: shares of principal components)"
        in texts(app)
    )


def test_a_number_out_of_its_bounds_is_an_error_and_nothing_can_be_launched(app: AppTest) -> None:
    opened(app, "distill")
    labelled(app, "number_input", "Steps").set_value(999_999_999)
    again(app)
    assert "Steps 999999999" in app.error[0].value
    assert "Distill" not in [button.label for button in app.button]
    labelled(app, "number_input", "Steps").set_value(60)
    again(app)
    assert not app.error
    assert "Distill" in [button.label for button in app.button]


def test_what_cannot_be_combined_is_not_offered(app: AppTest) -> None:
    opened(app, "distill")
    forms = PARAMETERISATIONS
    titles = {forms.title(name) for name in forms if "spectral" in forms[name].domains}
    assert set(labelled(app, "selectbox", "Parameterisation").options) == titles
    labelled(app, "selectbox", "Optimise").select("waveform")
    again(app)
    titles = {forms.title(name) for name in forms if "waveform" in forms[name].domains}
    assert set(labelled(app, "selectbox", "Parameterisation").options) == titles
    assert labelled(app, "selectbox", "Step scaling").value == "spectrum"
    assert "16,001 floats" in texts(app)
    # Of a tenth of a second there are four frames: too few for most networks, and for many tracks in one.
    labelled(app, "selectbox", "Parameterisation").select("identity")
    labelled(app, "number_input", "Track length (s)").set_value(0.1)
    again(app)
    assert not app.error
    assert labelled(app, "selectbox", "Tracks per stored track").options == ["1"]
    networks = set(labelled(app, "selectbox", "Embedding network").options)
    assert networks < {NETWORKS.title(name) for name in NETWORKS}
    assert NETWORKS.title("convnet") not in networks


def test_every_choice_has_a_line_of_help(app: AppTest) -> None:
    opened(app, "distill")
    inside = [*app.selectbox, *app.number_input, *app.multiselect, *app.toggle]
    assert len(inside) > 12
    assert [widget.label for widget in inside if not widget.help] == []


def test_a_preset_changes_what_the_form_starts_from(app: AppTest) -> None:
    opened(app, "distill")
    labelled(app, "selectbox", "Preset").select("paper")
    again(app)
    assert labelled(app, "selectbox", "Representation").value == "melspectrogram"
    # 128 bands and a second of 32 frames.
    assert "4,097 floats" in texts(app)


def test_the_error_of_a_launch_stays_on_the_page_and_no_run_is_left(app: AppTest, tmp_path: Path) -> None:
    before = {run.id for run in runs.all_runs(settings().runs_path)}
    opened(app, "distill", dataset="FSDD", path=str(tmp_path / "nothing"))
    assert app.text_input[0].value == str(tmp_path / "nothing")
    app.button(key="distill").click()
    again(app)
    assert any("FSDD" in error.value for error in app.error)
    assert {run.id for run in runs.all_runs(settings().runs_path)} == before


def test_more_tracks_than_clips_are_distilled(app: AppTest, tones: Path, launched: list[tuple[str, ...]]) -> None:
    opened(app, "distill", dataset="FOLDER", path=str(tones))
    app.slider[0].set_value(40)
    app.button(key="distill").click()
    again(app)
    assert [command[command.index("--ipc") + 1] for command in launched] == ["40"]


def test_a_finished_run_shows_its_curve_tracks_and_accuracy(app: AppTest, finished: runs.Run) -> None:
    opened(app, "distill", run=finished.id)
    (bars,) = (html.proto.body for html in app.get("html") if 'class="accuracies"' in html.proto.body)
    names = re.findall(r"<span>(.*?)</span>", bars)
    assert names == ["Random clips", "Same-storage control", "Synthetic tracks", "Synthetic tracks (sound)"]
    assert app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")
    assert app.select_slider[0].options == ["0", "3", "6"]
    assert bars.count("± ") == len(names)
    assert any("Distillation adds" in text.value for text in app.markdown)
    # The tiles of the last step sound; those of an earlier one are pictures.
    assert app.get("bidi_component")
    app.select_slider[0].set_value("0")
    again(app)
    assert any("low" in html.proto.body for html in app.get("html"))
    app.session_state[f"details-{finished.id}"] = True
    again(app)
    command = next(code.value for code in app.code if code.value.startswith("python -m distrack distill"))
    assert "--dataset FOLDER" in command


def test_the_forming_of_the_tracks_is_played_and_ends_with_tiles_that_sound(app: AppTest, finished: runs.Run) -> None:
    opened(app, "distill", run=finished.id)
    app.button(key=f"play-{finished.id}").click()
    again(app)
    assert app.get("bidi_component")
    assert app.select_slider[0].value == 6


def test_the_first_network_is_shown_before_the_mean_of_all(
    app: AppTest, brief: Callable[..., dict[str, Any]], finished: runs.Run, own_runs: Path
) -> None:
    run = from_preset(DistillJob, brief()).create(own_runs, "begun")
    shutil.copy(synthetic_file(finished), synthetic_file(run))
    report = report_so_far(finished)
    assert report is not None
    line = report.evaluations[0]
    first = line.model_copy(update={"accuracy": Accuracy.of([0.979]), "seeds": 3})
    run.write("report.json", report.model_copy(update={"evaluations": (first,)}).model_dump_json())
    run.write("status.json", runs.Status(state="stopped").model_dump_json())
    opened(app, "distill", run=run.id)
    (bars,) = (html.proto.body for html in app.get("html") if 'class="accuracies"' in html.proto.body)
    assert re.findall(r"<span>(.*?)</span>.*?<b>(.*?)</b><small>(.*?)</small>", bars) == [
        ("Synthetic tracks", "97.9%", "1 of 3 networks")
    ]
    opened(app, "evaluate", run=run.id)
    assert not app.header, "an unfinished measurement is no result"


def test_the_estimate_leaves_out_networks_in_the_cache(
    app: AppTest,
    own_runs: Path,
    finished: runs.Run,  # noqa: ARG001
) -> None:
    done = shutil.copytree(DEMO, own_runs / "done")
    opened(app, "distill")
    assert "About " in texts(app)
    report = Report.model_validate_json((done / "report.json").read_bytes())
    again_and_new = []
    for pace in (0.01, 0.02):
        (done / "report.json").write_text(report.model_copy(update={"pace": pace}).model_dump_json())
        again_and_new.append(time_text([DistillJob(seed=1)]))
    assert again_and_new[0] != again_and_new[1], "other tracks are measured at the pace of before"


def test_the_preset_for_a_talk_starts_from_noise_and_trains_one_network_for_each_accuracy(app: AppTest) -> None:
    opened(app, "distill")
    assert labelled(app, "number_input", "Evaluation seeds").value == 3
    labelled(app, "selectbox", "Preset").select("show")
    again(app)
    assert labelled(app, "number_input", "Evaluation seeds").value == 1
    assert labelled(app, "selectbox", "Initialise from").value == "noise"


def test_a_run_whose_process_is_gone_can_be_resumed(app: AppTest, tones: Path, launched: list[tuple[str, ...]]) -> None:
    job = from_preset(DistillJob, {"dataset": "FOLDER", "data_path": tones, "duration": 0.5})
    run = job.create(settings().runs_path, "gone")
    run.write("status.json", runs.Status(state="running", phase="distill", pid=2**22 - 1).model_dump_json())
    opened(app, "distill", run=run.id)
    app.button(key=f"resume-{run.id}").click()
    again(app)
    assert [words[:3] for words in launched] == [("gone", "resume", "gone")]


@pytest.mark.parametrize("page", ["distill", "listen", "evaluate"])
def test_an_unknown_run_in_the_url_is_reported(app: AppTest, finished: runs.Run, page: str) -> None:  # noqa: ARG001
    opened(app, page, run="no-such-run")
    assert any("No run 'no-such-run'" in warning.value for warning in app.warning)
    assert "python -m" not in texts(app)
    assert "All runs" in links(app)
