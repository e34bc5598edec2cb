"""The results of a distillation in its run's folder: paths of its files, and readers that cope with damaged ones."""

from pathlib import Path

import soundfile

from distrack.audio import flac_bytes, level
from distrack.evaluate import Report
from distrack.runs import Run
from distrack.validation import read_model

# A line for each snapshot after the first: its step, and the accuracy by the nearest prototype, `prototype`.
SCORES = "scores.jsonl"


def synthetic_file(run: Run) -> Path:
    """The finished synthetic set."""
    return run.path / "synthetic.safetensors"


def track_file(run: Run, name: str) -> Path:
    """The audible track with a name of the synthetic set."""
    return run.path / "audio" / f"{name}.flac"


def played_track(run: Run, name: str) -> bytes:
    """A track for playback: FLAC of about -20 dBFS, as all sounds of a page are; its file has the level of its image.

    Raises:
        OSError: the file is missing or damaged.
    """
    try:
        wave, rate = soundfile.read(track_file(run, name), dtype="float32")
    except soundfile.SoundFileError as error:
        raise OSError(str(error)) from None
    return flac_bytes(level(wave), sample_rate=rate)


def report_so_far(run: Run) -> Report | None:
    """The report of a distillation as it lies there, also with evaluations that are unfinished: not to compare with."""
    return read_model(run.path / "report.json", Report)


def evaluation_report(run: Run) -> Report | None:
    """The report of a distillation as far as it is measured; None if there is none, or it is another kind's."""
    report = report_so_far(run)
    finished = tuple(each for each in report.evaluations if each.finished) if report else ()
    if report is None or (report.evaluations and not finished):
        return None
    return report.model_copy(update={"evaluations": finished})
