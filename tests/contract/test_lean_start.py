"""A command that needs no torch imports none: it begins in a fraction of the time, and in a fraction of the memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from distrack.settings import PROJECT
from tests.contract.test_decompose import RATE, struck

# Does the commands, then prints which of these modules were imported.
_PROGRAM = """
import json, sys
from distrack.cli import main
for words in json.loads(sys.argv.pop()):
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, words
print(json.dumps([name for name in ("torch", "sklearn", "librosa", "matplotlib", "streamlit") if name in sys.modules]))
"""


def imported(*commands: list[str]) -> list[str]:
    words = [sys.executable, "-c", _PROGRAM, json.dumps(commands)]
    ended = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    heavy: list[str] = json.loads(ended.stdout.splitlines()[-1])
    return heavy


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "note.wav"
    soundfile.write(path, struck(at=0.1, seconds=0.5)[0], RATE, subtype="FLOAT")
    return path


def test_a_matching_pursuit_and_its_events_need_no_torch(recording: Path, tmp_path: Path) -> None:
    runs_path = ["--runs-path", str(tmp_path / "runs")]
    events = str(tmp_path / "runs" / "note" / "events.safetensors")
    assert not imported(
        ["config", "decomposition", "--events", "8"],
        ["decompose", str(recording), "--events", "8", "--name", "note", "--quiet", *runs_path],
        ["resume", "note", "--quiet", *runs_path],
        ["render", events, "--to", str(tmp_path / "note.flac")],
        ["render", events, "--to", str(tmp_path / "note.mid")],
        ["similar", "note", "--event", "0", *runs_path],
    )
    report = json.loads((tmp_path / "runs" / "note" / "report.json").read_text())
    assert report["events"] == 8
    assert report["perceptual"] == {}


def test_perceptual_distances_are_measured_with_torch_where_they_are_asked_for(recording: Path, tmp_path: Path) -> None:
    options = ["--events", "4", "--perceptual", "--name", "note", "--quiet", "--runs-path", str(tmp_path / "runs")]
    assert "torch" in imported(["decompose", str(recording), *options])
    report = json.loads((tmp_path / "runs" / "note" / "report.json").read_text())
    assert report["perceptual"].keys() == {"scattering", "auditory"}
    assert all(0 < value < 2 for value in report["perceptual"].values())
