"""A new entry of a registry is one new module: the command offers it, runs it and stores it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from distrack.settings import PROJECT

MATERIAL = Path(__file__).parent.parent / "material"


def command(place: Path, *words: str) -> str:
    """Standard output of the command in a process that knows the plugin."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(MATERIAL),
        "DISTRACK_PLUGINS": "additions",
        "DISTRACK_RUNS_PATH": str(place / "runs"),
        "DISTRACK_DATA_PATH": str(place / "data"),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "distrack", *words],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_distillation_uses_new_entries_with_settings_of_their_own(tmp_path: Path, sounds: Path) -> None:
    words = ["--dataset", "FOLDER", "--data-path", str(sounds), "--duration", "0.5", "--steps", "3", "--width", "4"]
    words += ["--pool-size", "2", "--objective", "powers", "--objective-power", "1.5", "--optimiser", "sign"]
    words += ["--parameterisation", "plain", "--initialisation", "first", "--learning-rate", "0.01"]
    words += ["--evaluators", "guess", "--baselines", "last", "--evaluation-seeds", "1", "--name", "added"]
    command(tmp_path, "distill", *words)
    config = json.loads((tmp_path / "runs" / "added" / "config.json").read_text())
    assert config["objective"] == {"name": "powers", "power": 1.5}
    assert (config["optimiser"]["name"], config["parameterisation"]["name"]) == ("sign", "plain")
    report = json.loads((tmp_path / "runs" / "added" / "report.json").read_text())
    measured = {(each["evaluator"], each["trained_on"]): each["accuracy"]["mean"] for each in report["evaluations"]}
    assert measured == {("guess", "synthetic"): pytest.approx(1 / 3), ("guess", "last"): pytest.approx(1 / 3)}


def test_a_new_decomposer_and_a_new_kind_of_job_have_commands_and_help(tmp_path: Path, sounds: Path) -> None:
    recording = next(sounds.rglob("*.wav"))
    command(tmp_path, "decompose", str(recording), "--method", "few", "--halve", "--events", "4", "--name", "halved")
    assert json.loads((tmp_path / "runs" / "halved" / "report.json").read_text())["events"] == 2
    assert soundfile.info(tmp_path / "runs" / "halved" / "reconstruction.flac").frames > 0
    command(tmp_path, "count", "--to", "5", "--name", "counted")
    assert json.loads((tmp_path / "runs" / "counted" / "report.json").read_text()) == {"total": 5}
    assert json.loads((tmp_path / "runs" / "counted" / "status.json").read_text())["state"] == "done"
    assert "count" in command(tmp_path, "runs")
    assert json.loads(command(tmp_path, "config", "count", "--to", "7")) == {"kind": "count", "to": 7}
    assert "powers" in command(tmp_path, "distill", "--help")
