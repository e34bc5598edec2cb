"""The command: a whole run from a shell, what its folder holds, and what bad input gets."""

import dataclasses
import json
import os
import shlex
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distrack import jobs, known_reports
from distrack.audio import SAMPLE_RATE
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.evaluate import BASELINES, EVALUATORS
from distrack.features import FEATURES
from distrack.jobs.distillation import DistillJob, distillation_job
from distrack.jobs.inspection import inspection_of
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.process_environment import FAST_ON_CPU
from distrack.runs import Run, find
from distrack.settings import PROJECT
from tests.dataset_trees import tree_of

Typed = Callable[..., tuple[int | str | None, str, str]]
MakeJob = Callable[..., DistillJob]

# The phases of a whole run.
PHASES = ("prepare", "distill", "invert", "evaluate", "inspect", "listen")


def words_of(job: DistillJob) -> list[str]:
    """What follows `python -m distrack`."""
    words = shlex.split(job.command())
    assert words[:3] == ["python", "-m", "distrack"]
    return words[3:]


def in_a_shell(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, its output in pipes, the allocator's names not set by anyone."""
    environment = {name: value for name, value in os.environ.items() if name not in FAST_ON_CPU}
    return subprocess.run(
        [sys.executable, "-m", "distrack", *words],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@dataclasses.dataclass
class Finished:
    """A run, and the process that made it."""

    run: Run
    process: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def finished(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run as earlier scripts of this line of work would have typed it."""
    runs_path = tmp_path_factory.mktemp("command")
    process = in_a_shell(
        *("distill", "--dataset", "Folder", "--data_path", str(sounds), "--feature_type", "melspectrogram"),
        *(
            "--duration",
            "0.5",
            "--n_fft",
            "512",
            "--hop_length",
            "256",
            "--n_mels",
            "16",
            "--width",
            "4",
            "--depth",
            "2",
            "--ipc",
            "2",
        ),
        *("--pool_size", "3", "--steps", "20", "--snapshots", "3", "--seed", "5", "--evaluators", "Prototype"),
        # Presets are tuned; what is tested stays.
        *("--parameterisation", "identity", "--pool_training", "0", "--initialisation", "real"),
        *("--baselines", "random_selection", "--evaluation_seeds", "2", "--runs_path", str(runs_path), "--json"),
    )
    assert process.returncode == 0, process.stderr
    (folder,) = (path for path in runs_path.iterdir() if not path.name.startswith("."))
    return Finished(Run(folder), process)


# A whole run


def test_the_report_is_all_that_json_prints_and_the_file_says_the_same(finished: Finished) -> None:
    assert json.loads(finished.process.stdout) == json.loads((finished.run.path / "report.json").read_text())


def test_a_pipe_gets_plain_lines(finished: Finished) -> None:
    lines = finished.process.stderr.splitlines()
    assert "\x1b" not in finished.process.stderr
    assert "\r" not in finished.process.stderr
    assert any(line.startswith("distill 20/20 loss ") for line in lines)
    assert {line.split()[0] for line in lines} == set(PHASES)


def test_the_run_is_named_by_what_it_is(finished: Finished) -> None:
    date, dataset, feature, ipc, _ = finished.run.id.split("_")
    assert (dataset, feature, ipc) == ("folder", "mel", "ipc2")
    assert date[:2] == "20"


def test_the_config_has_every_default_written_out(finished: Finished) -> None:
    def check(written: Any, full: Any) -> None:
        if isinstance(full, dict):
            assert written.keys() == full.keys()
            for name in full:
                check(written[name], full[name])

    written = json.loads((finished.run.path / "config.json").read_text())
    check(written, {"kind": "distillation", **DistillJob(parameterisation="identity").model_dump(mode="json")})
    assert (written["dataset"], written["ipc"], written["seed"], written["steps"]) == ("FOLDER", 2, 5, 20)
    assert written["feature"] == {
        "name": "melspectrogram",
        "n_fft": 512,
        "hop_length": 256,
        "n_mels": 16,
    }
    assert written["evaluation"]["evaluators"] == ["prototype"]


def test_status_and_environment_say_how_it_went(finished: Finished) -> None:
    status = finished.run.status()
    assert (status.state, status.error, status.device) == ("done", "", "cpu")
    assert status.seconds.keys() == set(PHASES)
    assert status.started < status.phase_started <= status.heartbeat
    environment = json.loads((finished.run.path / "environment.json").read_text())
    assert environment["device"] == "cpu"
    assert environment["threads"] == int(os.environ["OMP_NUM_THREADS"])
    assert environment["packages"]["torch"]


def test_metrics_are_one_object_a_line_and_have_each_step_once(finished: Finished) -> None:
    records = [json.loads(line) for line in (finished.run.path / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if "step" in record] == list(range(1, 21))
    assert [record["phase"] for record in records if "phase" in record] == list(PHASES)
    assert all(np.isfinite(record["loss"]) for record in records if "step" in record)
    times = [record["t"] for record in records]
    assert times == sorted(times)
    assert finished.run.metrics() == records


def test_snapshots_go_from_the_start_to_the_result(finished: Finished) -> None:
    snapshots = finished.run.snapshots()
    assert list(snapshots) == [0, 10, 20]
    result = SyntheticSet.load(synthetic_file(finished.run))
    assert SyntheticSet.load(snapshots[20]).parameters.equal(result.parameters)
    assert not SyntheticSet.load(snapshots[0]).parameters.equal(result.parameters)


def test_every_track_can_be_heard(finished: Finished) -> None:
    files = sorted((finished.run.path / "audio").iterdir())
    assert [file.name for file in files] == [f"{name}_{k}.flac" for name in ("chirp", "noise", "tone") for k in (0, 1)]
    for file in files:
        wave, rate = soundfile.read(file)
        assert (rate, len(wave)) == (SAMPLE_RATE, SAMPLE_RATE // 2)
        assert 0.02 < np.sqrt(np.mean(wave**2)) < 0.5
        assert np.abs(wave).max() < 0.95


def test_the_report_has_the_contract_s_fields(finished: Finished) -> None:
    report = json.loads((finished.run.path / "report.json").read_text())
    assert report["dataset"] == "FOLDER"
    sides = {
        "train": 96,
        "test": 24,
        "disjoint_by": "clip",
        "validation": 0,
        "test_fold": None,
        "notes": [],
        "copies": 0,
    }
    assert report["split"] == sides
    assert (report["feature"], report["domain"], report["device"]) == ("melspectrogram", "spectral", "cpu")
    assert (report["tracks_per_class"], report["seconds_per_track"], report["skipped"]) == (2, 0.5, 0)
    assert (report["parameterisation"], report["rendered_per_class"]) == ("identity", 2)
    assert report["floats_per_class"] == 2 * (16 * 32 + 1)
    assert report["seconds"].keys() >= {"prepare", "distill", "evaluate"}
    assert [(line["evaluator"], line["trained_on"], line["form"]) for line in report["evaluations"]] == [
        ("prototype", "synthetic", "image"),
        ("prototype", "synthetic", "sound"),
        ("prototype", "random-selection", "image"),
    ]
    for line in report["evaluations"]:
        assert line["network"]
        assert len(line["accuracy"]["runs"]) == 2
        assert line["accuracy"]["mean"] == pytest.approx(np.mean(line["accuracy"]["runs"]))
        assert line["accuracy"]["std"] == pytest.approx(np.std(line["accuracy"]["runs"]))
        assert 0 <= line["macro_f1"] <= 1
        # Two runs over the 24 test clips, 8 of each class.
        assert np.sum(line["confusion"], axis=1).tolist() == [16, 16, 16]
        assert np.trace(line["confusion"]) == round(48 * line["accuracy"]["mean"])


def test_the_log_is_kept_and_nothing_unfinished_is(finished: Finished) -> None:
    assert "phase distill" in (finished.run.path / "log.txt").read_text()
    names = {path.name for path in finished.run.path.iterdir()} - {".lock"}
    assert names == {
        *("config.json", "environment.json", "status.json", "metrics.jsonl", "snapshots", "synthetic.safetensors"),
        *("audio", "report.json", "log.txt", "scores.jsonl", "inspection.json", "listening", "listening.json"),
    }


def test_the_list_of_runs_has_it(finished: Finished, typed: Typed) -> None:
    code, out, err = typed("runs", "--runs-path", str(finished.run.path.parent), "--json")
    assert (code, err) == (0, "")
    (row,) = json.loads(out)
    report = evaluation_report(finished.run)
    assert report is not None
    assert (row["id"], row["state"], row["accuracy"]) == (finished.run.id, "done", None)
    code, out, _ = typed("runs", "--runs-path", str(finished.run.path.parent))
    assert code == 0
    assert finished.run.id in out
    assert "done" in out


@pytest.fixture
def two_runs(finished: Finished, tmp_path: Path) -> Path:
    """A runs path with two copies of the finished run, whose evaluations are short."""
    job = distillation_job(finished.run)
    assert job.evaluation is not None
    network = job.evaluation.network.model_copy(update={"width": 4})
    quick = job.evaluation.model_copy(update={"steps": 4, "network": network})
    for name in ("one", "two"):
        run = Run(Path(shutil.copytree(finished.run.path, tmp_path / name)))
        run.write("config.json", jobs.as_json(job.model_copy(update={"evaluation": quick})))
    return tmp_path


def test_several_runs_are_evaluated_in_processes_and_nothing_is_measured_twice(two_runs: Path, typed: Typed) -> None:
    words = ["evaluate", "one", "two", "--evaluators", "random-cnn,linear-probe", "--seeds", "2"]
    words += ["--baselines", "herding", "--architectures", "mlp", "--learning-rates", "0.001,0.01", "--as", "image"]
    one = [word for word in words if word != "two"]
    code, _, err = typed(*one, "--jobs", "2", "--runs-path", str(two_runs), "--json")
    assert code == 0, err
    assert "evaluate 0/12 measurements" in err
    code, out, err = typed(*words, "--runs-path", str(two_runs), "--json")
    assert code == 0, err
    reports = json.loads(out)
    assert reports.keys() == {"one", "two"}
    lines = {(e["evaluator"], e["trained_on"], e["network"]): e for e in reports["one"]["evaluations"]}
    for trained_on in ("synthetic", "herding"):
        assert lines["random-cnn", trained_on, "mlp 4 x 3"]["learning_rate"] in (0.001, 0.01)
    probe = lines["linear-probe", "synthetic", "cepstral statistics"]
    assert (probe["learning_rate"], probe["accuracy"]["std"]) == (None, 0), "there is no chance in a linear probe"
    # The second run's tracks are the first's, and so are its measurements.
    assert reports["one"]["evaluations"] == reports["two"]["evaluations"]
    before = (two_runs / "one" / "status.json").stat().st_mtime_ns
    code, out, err = typed(*words, "--runs-path", str(two_runs), "--json", "--quiet")
    assert (code, err, json.loads(out)) == (0, "", reports)
    assert (two_runs / "one" / "status.json").stat().st_mtime_ns == before, "it is answered from the report"


def test_a_known_report_holds_as_long_as_nothing_that_it_depends_on_changes(
    finished: Finished, sounds: Path, tmp_path: Path
) -> None:
    run = tmp_path / "one"
    shutil.copytree(finished.run.path, run)
    words = ["evaluate", "one", "--seeds", "3", "--runs-path", str(tmp_path)]
    tables = [["title", ["a column"], [["a cell"]], []]]
    known_reports.store(words, tmp_path, {"one": tables})
    answer = {"one": (json.loads((run / "report.json").read_bytes()), tables)}
    assert known_reports.known(words) == known_reports.known([*words, "--json", "--quiet"]) == answer
    for others in (
        ["evaluate", "one", "--seeds", "4", "--runs-path", str(tmp_path)],
        ["evaluate", "one", "other", "--seeds", "3", "--runs-path", str(tmp_path)],
        ["evaluate", "../one", "--seeds", "3", "--runs-path", str(run)],
    ):
        assert known_reports.known(others) is None
    for name in ("report.json", "synthetic.safetensors", "config.json", "answered.json"):
        before = (run / name).read_bytes()
        for after in (before[:-1], b"", b"{}"):
            (run / name).write_bytes(after)
            assert known_reports.known(words) is None
        (run / name).write_bytes(before)
    clip = next(sounds.rglob("*.wav"))
    stat = clip.stat()
    os.utime(clip, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    try:
        assert known_reports.known(words) is None
    finally:
        os.utime(clip, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert known_reports.known(words) == answer


def test_a_known_report_is_shown_without_loading_what_measures(finished: Finished, tmp_path: Path) -> None:
    shutil.copytree(finished.run.path, tmp_path / "one")
    words = ["evaluate", "one", "--runs-path", str(tmp_path)]
    known_reports.store(words, tmp_path, {"one": [["24 test clips", ["trained on"], [["synthetic"]], []]]})
    script = f"""
import sys
from distrack.cli.commands import main
sys.argv[1:] = {words!r}
try:
    main()
finally:
    sys.stderr.write(str("torch" in sys.modules))
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert (process.returncode, process.stderr) == (0, "False")
    assert "24 test clips" in process.stdout


@pytest.mark.parametrize("ending", ["csv", "tex", "html", "png", "svg"])
def test_runs_are_compared_in_a_file(finished: Finished, typed: Typed, tmp_path: Path, ending: str) -> None:
    shutil.copytree(finished.run.path, tmp_path / "one")
    (tmp_path / "damaged").mkdir()
    to = tmp_path / f"comparison.{ending}"
    code, out, err = typed("compare", "one", "damaged", "--to", str(to), "--runs-path", str(tmp_path))
    assert (code, out) == (0, f"{to}: 1 run\n")
    assert err.startswith("left out damaged: run damaged: config.json is missing or damaged")
    begins = {"csv": b"run,", "tex": b"% Needs", "html": b"<!", "png": b"\x89PNG", "svg": b"<svg"}
    assert to.read_bytes().startswith(begins[ending])


def test_a_comparison_says_what_cannot_be(finished: Finished, typed: Typed, tmp_path: Path) -> None:
    shutil.copytree(finished.run.path, tmp_path / "one")
    common = ("--runs-path", str(tmp_path))
    code, out, _ = typed("compare", "one", *common)
    assert code == 0
    assert "24 test clips, disjoint by" in out
    for words, says in (
        (["compare", "one", "--to", "x.doc"], "cannot write .doc: choose .csv"),
        (["compare", "one", "--to", str(tmp_path / "no" / "x.csv")], "No such file or directory"),
        (["compare", "one", "--to", "x.tex", "--evaluator", "random-cnn"], "no run was evaluated by random-cnn"),
        (["compare", "nowhere"], "no run 'nowhere'"),
    ):
        code, _, err = typed(*words, *common)
        assert (code, err.count("\n")) == (2, 1)
        assert says in err


def test_inspecting_says_how_near_tracks_are_and_is_kept(finished: Finished, typed: Typed, tmp_path: Path) -> None:
    shutil.copytree(finished.run.path, tmp_path / "copy")
    code, out, _ = typed("inspect", "copy", "--runs-path", str(tmp_path), "--json")
    assert code == 0
    found = json.loads(out)
    inspection = inspection_of(Run(tmp_path / "copy"))
    assert inspection is not None
    assert found == inspection.model_dump(mode="json")
    assert len(found["names"]) == 6
    assert [(near["space"], near["side"]) for near in found["memorisation"]["found"]] == [
        ("feature", "train"),
        ("feature", "test"),
        ("embedding", "train"),
        ("embedding", "test"),
    ]
    code, out, _ = typed("inspect", "copy", "--runs-path", str(tmp_path))
    assert code == 0
    assert "6 tracks, distance to the nearest real clip" in out


def test_evaluating_again_adds_to_the_report_and_keeps_what_was_there(
    finished: Finished, typed: Typed, tmp_path: Path
) -> None:
    shutil.copytree(finished.run.path, tmp_path / "copy")
    job = distillation_job(finished.run)
    assert job.evaluation is not None
    network = job.evaluation.network.model_copy(update={"width": 4})
    quick = job.evaluation.model_copy(update={"steps": 20, "network": network})
    Run(tmp_path / "copy").write("config.json", job.model_copy(update={"evaluation": quick}).model_dump_json())
    code, out, _ = typed(
        *("evaluate", "copy", "--baselines", "full", "--evaluators", "random-cnn", "--seeds", "1"),
        *("--as", "image", "--runs-path", str(tmp_path), "--json"),
    )
    assert code == 0
    before = json.loads((finished.run.path / "report.json").read_text())
    after = json.loads(out)
    assert after == json.loads((tmp_path / "copy" / "report.json").read_text())
    assert after["evaluations"][:3] == before["evaluations"]
    assert [(line["evaluator"], line["trained_on"]) for line in after["evaluations"][3:]] == [
        ("random-cnn", "synthetic"),
        ("random-cnn", "full"),
    ]
    assert after["seconds"]["evaluate"] > before["seconds"]["evaluate"]
    assert {k: v for k, v in after.items() if k not in ("evaluations", "seconds", "pace")} == {
        k: v for k, v in before.items() if k not in ("evaluations", "seconds", "pace")
    }
    assert Run(tmp_path / "copy").status().state == "done"
    assert "random-cnn on full" in (tmp_path / "copy" / "log.txt").read_text()


def test_a_finished_run_resumed_changes_nothing(finished: Finished, typed: Typed, tmp_path: Path) -> None:
    shutil.copytree(finished.run.path, tmp_path / "copy")
    code, out, _ = typed("resume", "copy", "--runs-path", str(tmp_path), "--json")
    assert code == 0
    assert json.loads(out)["evaluations"] == json.loads(finished.process.stdout)["evaluations"]
    for name in ("synthetic.safetensors", "config.json", "audio/tone_1.flac", "snapshots/10.safetensors"):
        assert (tmp_path / "copy" / name).read_bytes() == (finished.run.path / name).read_bytes()


# Its command, for a person to type


@pytest.mark.parametrize("evaluated", [True, False])
def test_the_command_of_a_run_makes_a_run_with_the_same_config(
    evaluated: bool, typed: Typed, tiny_job: MakeJob, tmp_path: Path
) -> None:
    job = tiny_job() if evaluated else tiny_job().model_copy(update={"evaluation": None})
    code, _, err = typed(*words_of(job), "--runs-path", str(tmp_path), "--name", "again", "--quiet")
    assert code == 0, err
    run = find(tmp_path, "again")
    assert distillation_job(run) == job
    report = evaluation_report(run)
    assert report is not None
    assert len(report.evaluations) == evaluated


def test_folds_are_typed_and_every_one_in_turn_is_one_command(typed: Typed, tmp_path: Path) -> None:
    root = tree_of("ESC10", tmp_path / "esc10")
    clips = len([*root.rglob("*.ogg")])
    words = ["distill", "--dataset", "esc10", "--data-path", str(root), "--steps", "2", "--width", "2"]
    words += ["--duration", "0.5", "--clips-per-class", "2", "--evaluators", "prototype", "--evaluation-seeds", "1"]
    words += ["--baselines", "random-selection", "--runs-path", str(tmp_path), "--quiet", "--domain", "waveform"]
    code, _, err = typed(*words, "--test-fold", "2", "--name", "two")
    assert code == 0, err
    report = evaluation_report(find(tmp_path, "two"))
    assert report is not None
    assert report.split.test_fold == 2
    assert report.split.train + report.split.test + report.skipped == clips
    assert "--test-fold 2" in jobs.job_of(find(tmp_path, "two")).command()
    code, out, err = typed(*words, "--cross-validate", "--name", "all", "--json")
    assert code == 0, err
    summary = json.loads(out)
    assert (summary["folds"], summary["done"], summary["cells"]) == ([1, 2, 3, 4, 5], 5, 5)
    assert sum(summary["test"].values()) + report.skipped == clips, "every clip is a test clip once"
    synthetic = next(row for row in summary["rows"] if row["trained_on"] == "synthetic")
    assert synthetic["runs"] == [f"all-fold{fold}" for fold in range(1, 6)]
    single = report.accuracy("prototype", "synthetic")
    assert synthetic["accuracy"]["runs"][1] == single, "the second fold's run is the same as on its own"
    assert synthetic["accuracy"]["mean"] == pytest.approx(np.mean(synthetic["accuracy"]["runs"]))
    command = shlex.split(jobs.job_of(jobs.find(tmp_path, "all")).command())
    assert "--cross-validate" in command
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("all-fold*/synthetic.safetensors")}
    code, out, err = typed(*command[3:], "--runs-path", str(tmp_path), "--name", "all", "--json", "--quiet")
    assert code == 0, err
    assert json.loads(out) == summary
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what is done is not done again"
    code, _, err = typed(*words, "--test-fold", "6")
    assert code == 2
    assert "Choose one of 1, 2, 3, 4, 5" in err
    code, _, err = typed("distill", "--dataset", "FSDD", "--cross-validate")
    assert code == 2
    assert "has no folds" in err


def test_a_folder_with_spaces_and_quotes_survives_the_command(tiny_job: MakeJob, sounds: Path, tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s a $folder; "quoted"'
    shutil.copytree(sounds, odd)
    words = words_of(tiny_job(data_path=odd))
    assert words[words.index("--data-path") + 1] == str(odd)


# Bad input: exit code 2, one line, nothing left behind


@pytest.fixture
def refused(typed: Typed, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """The one line that a refusal gives."""

    def call(*words: str) -> str:
        code, out, err = typed(*words)
        *progress, line = err.splitlines()
        assert (code, out) == (2, "")
        assert all(line.startswith(("prepare ", "skipped ")) for line in progress)
        assert line.startswith("distrack: ")
        assert "Traceback" not in err
        assert err.count("distrack: ") == 1
        return line

    yield call
    runs_path = tmp_path / "runs"
    if runs_path.is_dir():
        assert [path.name for path in runs_path.iterdir() if path.name != ".queue"] == []


def tiny_words(job: DistillJob, tmp_path: Path) -> list[str]:
    return [*words_of(job), "--runs-path", str(tmp_path / "runs")]


def test_a_real_process_refuses_in_one_line_too() -> None:
    process = in_a_shell("datasets", "--sjon")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.startswith("distrack: No such option")
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--dataset", "AUDIO_MINST", ["AUDIO_MINST", "AUDIO_MNIST", *DATASETS]),
        ("--feature-type", "melspectogram", ["melspectogram", "Did you mean", *FEATURES]),
        ("--preset", "quik", ["quik", "Did you mean quick", "paper"]),
        ("--evaluators", "random-cn", ["random-cn", "Did you mean random-cnn", *EVALUATORS]),
        ("--baselines", "ful", ["ful", "Did you mean full", *BASELINES]),
        ("--objective", "men", ["men", "Did you mean mean"]),
        ("--parameterisation", "idendity", ["Did you mean identity"]),
        ("--parameterisation", "multiformations", ["Did you mean multiformation"]),
        ("--factor", "3", ["factor 3", "identity takes 1"]),
        ("--prior", "pink", ["has no setting 'prior'"]),
        ("--classification", "-1", ["classification '-1'", "greater than or equal to 0"]),
        ("--tracks-per-step", "-1", ["tracks_per_step '-1'"]),
        ("--pool-training", "99999", ["pool.training '99999'", "10000"]),
        ("--pool-refresh-every", "-1", ["pool.refresh_every '-1'"]),
        ("--time-shift", "0.6", ["augmentation.time_shift '0.6'", "0.5"]),
        ("--gain", "nan", ["augmentation.gain 'nan'"]),
        ("--initialisation", "reel", ["Did you mean real"]),
        ("--network", "convnett", ["Did you mean convnet"]),
        ("--domain", "audio", ["domain", "audio", "spectral", "waveform"]),
        ("--optimiser", "lbfgs", ["optimiser", "lbfgs", "sgd", "adam"]),
        ("--ipc", "0", ["ipc", "0", "greater than or equal to 1"]),
        ("--ipc", "ten", ["ipc 'ten'", "integer"]),
        ("--ipc", "1" + "0" * 400, ["ipc", "less than or equal to 1000"]),
        ("--steps", "0", ["steps", "0"]),
        ("--duration", "nan", ["duration", "nan"]),
        ("--duration", "31", ["duration", "31", "30"]),
        ("--learning-rate", "-1", ["learning_rate", "-1", "greater than 0"]),
        ("--seed", "-1", ["seed", "-1"]),
        ("--depth", "5", ["16 bands x 32 frames", "convnet of depth 5"]),
        ("--hop-length", "1024", ["hop_length 1024", "n_fft 512"]),
        ("--device", "gpu", ["'gpu'", "auto", "cpu"]),
        ("--device", "cuda:99", ["'cuda:99'", "cpu"]),
        ("--name", "../outside", ["'../outside'", "letters, digits"]),
        ("--name", "", ["run name ''"]),
        ("--name", "x" * 101, ["at most 100"]),
        ("--lerning-rate", "1", ["--lerning-rate", "--learning-rate"]),
    ],
)
def test_an_impossible_value_is_named_with_what_is_allowed(
    option: str, value: str, says: list[str], refused: Callable[..., str], tiny_job: MakeJob, tmp_path: Path
) -> None:
    line = refused(*tiny_words(tiny_job(), tmp_path), option, value)
    assert [part for part in says if part not in line] == []


def test_an_image_too_small_to_be_evaluated_is_refused_before_any_work(
    refused: Callable[..., str], tiny_job: MakeJob, tmp_path: Path
) -> None:
    line = refused(*tiny_words(tiny_job(duration=0.1), tmp_path))
    assert "evaluation: an image of 16 bands x 7 frames is too small for a network convnet of depth 3" in line
    assert "a longer duration" in line
    assert "--no-evaluate" in line


def test_a_parameterisation_of_another_domain_is_refused_with_those_there_are(
    refused: Callable[..., str], tiny_job: MakeJob, tmp_path: Path
) -> None:
    line = refused(*tiny_words(tiny_job(), tmp_path), "--domain", "waveform", "--parameterisation", "dct")
    assert "parameterisation dct is not for domain waveform: choose identity or mdct or multiformation" in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["distil"], "distil"),
        (["distill", "extra"], "extra"),
        (["distill", "--ipc"], "--ipc"),
        (["resume"], "RUN"),
        (["resume", "nowhere"], "no run 'nowhere'"),
        (["stop", "nowhere"], "no run 'nowhere'"),
        (["evaluate", "nowhere"], "no run 'nowhere'"),
        (["resume", "../runs"], "no run '../runs'"),
        (["evaluate", "nowhere", "--seeds", "x"], "no run 'nowhere'"),
        (["runs", "--sedes"], "--sedes"),
        (["prepare", "--dataset", "nothing"], "unknown dataset 'nothing'"),
        (["prepare", "--dataset", "FOLDER", "--data-path", "nowhere", "--duration", "-1"], "duration"),
        (["prepare", "--dataset", "FOLDER", "--data-path", "nowhere"], "nowhere"),
    ],
)
def test_what_is_not_there_is_refused(words: list[str], says: str, refused: Callable[..., str]) -> None:
    assert says in refused(*words)


def test_no_word_at_all_shows_the_help(typed: Typed) -> None:
    code, out, err = typed()
    assert (code, err) == (0, "")
    assert "Usage" in out
    assert all(command in out for command in ("distill", "resume", "evaluate", "stop", "runs", "datasets"))
    assert out.count("\n") > 10


def test_an_existing_name_is_refused_and_the_run_kept(
    finished: Finished, refused: Callable[..., str], tiny_job: MakeJob
) -> None:
    before = synthetic_file(finished.run).read_bytes()
    where = ["--runs-path", str(finished.run.path.parent)]
    assert "choose another --name" in refused(*words_of(tiny_job()), *where, "--name", finished.run.id)
    assert synthetic_file(finished.run).read_bytes() == before
    assert finished.run.status().state == "done"


def test_a_runs_path_below_a_file_is_refused(refused: Callable[..., str], tiny_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "runs"):
        line = refused(*words_of(tiny_job()), "--runs-path", str(path))
        assert str(path) in line
        assert "choose another with --runs-path" in line


# Bad recordings


def folder_of(path: Path, sounds: Path, *, classes: int = 3, clips: int = 40) -> Path:
    for folder in sorted(sounds.iterdir())[:classes]:
        (path / folder.name).mkdir(parents=True)
        for file in sorted(folder.iterdir())[:clips]:
            (path / folder.name / file.name).hardlink_to(file)
    return path


def silence(path: Path) -> None:
    soundfile.write(path, np.zeros(8_000), SAMPLE_RATE)


def not_numbers(path: Path) -> None:
    wave = np.sin(np.arange(8_000, dtype=np.float32))
    wave[4_000] = np.nan
    soundfile.write(path, wave, SAMPLE_RATE, subtype="FLOAT")


def an_hour(path: Path) -> None:
    soundfile.write(path, np.sin(np.arange(16_000)), SAMPLE_RATE, subtype="PCM_16")
    header = bytearray(path.read_bytes()[:44])
    size = 2 * SAMPLE_RATE * 3_600
    header[4:8], header[40:44] = struct.pack("<I", 36 + size), struct.pack("<I", size)
    with path.open("r+b") as file:
        file.write(header)
        file.truncate(44 + size)


def claiming_2_60_frames(path: Path) -> None:
    """A W64 of a thousand frames whose header says 2^60."""
    soundfile.write(path, np.sin(np.arange(1_000)), SAMPLE_RATE, format="W64", subtype="PCM_16")
    content, honest = path.read_bytes(), struct.pack("<Q", 2_024)
    assert content.count(honest) == 1
    path.write_bytes(content.replace(honest, struct.pack("<Q", 2**61)))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "notes.wav": (lambda path: path.write_text("my notes, not a recording\n" * 100), "cannot be read"),
    "nothing.wav": (lambda path: path.write_bytes(b""), "cannot be read"),
    "silent.wav": (silence, "silent"),
    "nan.wav": (not_numbers, "not numbers"),
    "hour.wav": (an_hour, "too long: 3600 s"),
}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path, _: path.mkdir(), "no FOLDER recordings"),
        (lambda path, sounds: folder_of(path, sounds, classes=1), "only one class (chirp)"),
        (lambda path, sounds: folder_of(path, sounds, clips=1), "at least one training clip and one test clip"),
        (lambda path, sounds: shutil.copytree(sounds / "tone", path), "no FOLDER recordings"),
        (lambda path, _: path.write_text("a file"), "data"),
    ],
    ids=["empty", "one-class", "one-clip-a-class", "no-subfolders", "a-file"],
)
def test_a_folder_that_cannot_be_distilled_is_refused(
    make: Callable[[Path, Path], object],
    says: str,
    refused: Callable[..., str],
    tiny_job: MakeJob,
    sounds: Path,
    tmp_path: Path,
) -> None:
    make(tmp_path / "data", sounds)
    line = refused(*tiny_words(tiny_job(data_path=tmp_path / "data"), tmp_path))
    assert says in line
    assert str(tmp_path / "data") in line


@pytest.mark.parametrize("bad", BAD)
def test_more_than_a_twentieth_of_bad_files_is_refused_by_name_and_count(
    bad: str, refused: Callable[..., str], tiny_job: MakeJob, sounds: Path, tmp_path: Path
) -> None:
    make, reason = BAD[bad]
    data = folder_of(tmp_path / "data", sounds, clips=6)
    make(data / "tone" / bad)
    line = refused(*tiny_words(tiny_job(data_path=data), tmp_path), "--name", "half-made")
    assert "1 of 19 files" in line
    assert bad in line
    assert reason in line


def test_fewer_bad_files_are_skipped_and_said(typed: Typed, tiny_job: MakeJob, sounds: Path, tmp_path: Path) -> None:
    data = folder_of(tmp_path / "data", sounds)
    for name, (make, _) in BAD.items():
        make(data / "tone" / name)
    # libsndfile believes the file, not its header: this one is a clip of a thousand frames.
    claiming_2_60_frames(data / "noise" / "claims.wav")
    job = tiny_job(data_path=data, steps=1)
    code, out, err = typed(*tiny_words(job, tmp_path), "--name", "works", "--json", "--quiet")
    assert code == 0, err
    report = json.loads(out)
    assert report["skipped"] == len(BAD)
    assert report["split"]["train"] + report["split"]["test"] == 121
    log = (tmp_path / "runs" / "works" / "log.txt").read_text()
    for name, (_, reason) in BAD.items():
        (line,) = [line for line in log.splitlines() if name in line]
        assert reason in line
    assert "claims.wav" not in log
