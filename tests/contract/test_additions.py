"""A new entry of a registry is one new module: the command offers it, runs it and stores it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

from distrack.settings import PROJECT

MATERIAL = Path(__file__).parent.parent / "material"

# Types commands one after the other in one process: importing torch anew for each would take most of the time.
_TYPE = """
import json, sys
from distrack.cli import main
for words in json.loads(sys.stdin.read()):
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, words
    print("---")
"""


def type_commands(place: Path, *commands: list[str]) -> list[str]:
    """What each command prints, in a process that knows the plugin."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(MATERIAL),
        "DISTRACK_PLUGINS": "additions",
        "DISTRACK_RUNS_PATH": str(place / "runs"),
        "DISTRACK_DATA_PATH": str(place / "data"),
    }
    ended = subprocess.run(
        [sys.executable, "-c", _TYPE],
        input=json.dumps(commands),
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split("---\n")[:-1]


def test_new_entries_with_settings_of_their_own_and_a_new_kind_of_job_have_commands_and_help(
    tmp_path: Path, sounds: Path
) -> None:
    distill = ["distill", "--dataset", "FOLDER", "--data-path", str(sounds), "--duration", "0.5", "--steps", "3"]
    distill += ["--pool-size", "2", "--objective", "powers", "--objective-power", "1.5", "--optimiser", "sign"]
    distill += ["--parameterisation", "plain", "--initialisation", "first", "--learning-rate", "0.01", "--width", "4"]
    distill += ["--evaluators", "guess", "--baselines", "last", "--evaluation-seeds", "1", "--name", "added"]
    recording = str(next(sounds.rglob("*.wav")))
    _, _, _, listed, config, help_text = type_commands(
        tmp_path,
        distill,
        ["decompose", recording, "--method", "few", "--halve", "--events", "4", "--name", "halved"],
        ["count", "--to", "5", "--name", "counted"],
        ["runs"],
        ["config", "count", "--to", "7"],
        ["distill", "--help"],
    )

    def stored(run: str, file: str) -> Any:
        return json.loads((tmp_path / "runs" / run / file).read_text())

    added = stored("added", "config.json")
    assert added["objective"] == {"name": "powers", "power": 1.5}
    assert (added["optimiser"]["name"], added["parameterisation"]["name"]) == ("sign", "plain")
    evaluations = stored("added", "report.json")["evaluations"]
    measured = {(each["evaluator"], each["trained_on"]): each["accuracy"]["mean"] for each in evaluations}
    assert measured == {("guess", "synthetic"): pytest.approx(1 / 3), ("guess", "last"): pytest.approx(1 / 3)}
    assert stored("halved", "report.json")["events"] == 2
    assert soundfile.info(tmp_path / "runs" / "halved" / "reconstruction.flac").frames > 0
    assert stored("counted", "report.json") == {"total": 5}
    assert stored("counted", "status.json")["state"] == "done"
    assert "count" in listed
    assert json.loads(config) == {"kind": "count", "to": 7}
    assert "powers" in help_text
