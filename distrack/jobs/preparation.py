"""A preparation: a dataset downloaded, decoded and seen as images, as a job with a folder that tells how far it is."""

import hashlib
import logging
import os
import re
import shlex
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from distrack import datasets
from distrack.distill import DistillConfig
from distrack.errors import RunError
from distrack.images import Material, load
from distrack.jobs.distillation.work import Watch, logged
from distrack.runs.control import start
from distrack.runs.folder import ALIVE, Run
from distrack.runs.session import Session
from distrack.settings import settings, user_path

log = logging.getLogger(__name__)

# Preparations wait for each other, not for what computes on a device.
_QUEUE = "preparation"


class Preparation(DistillConfig):
    """What is prepared: of a distillation's config the dataset, its folder and the length of a clip."""

    # Where it is not here yet.
    download: bool = False

    def words(self) -> list[str]:
        """The command that does it, after `python -m distrack`."""
        words = ["prepare", "--dataset", self.dataset]
        words += [] if self.data_path is None else ["--data-path", str(self.data_path)]
        words += (
            [] if self.duration == datasets.DATASETS[self.dataset].seconds else ["--duration", f"{self.duration:g}"]
        )
        return words + ["--download"] * self.download

    def command(self) -> str:
        """What a person types for the same."""
        return shlex.join(["python", "-m", "distrack", *self.words()])


class Found(BaseModel):
    """`report.json` of a preparation: what the dataset turned out to hold.

    Attributes:
        train, validation, test: clips on each side of the split.
        seconds: fixed length of a clip.
        skipped: files that could not be used, and why.
        unlisted: audio files that the dataset's own list does not name.
        notes: what whoever reads a result should know.
        took: seconds of work.
    """

    model_config = ConfigDict(frozen=True)

    classes: tuple[str, ...]
    train: int
    validation: int
    test: int
    disjoint_by: str
    seconds: float
    skipped: tuple[tuple[str, str], ...]
    unlisted: int
    notes: tuple[str, ...]
    took: float


def place(dataset: str, data_path: Path | None = None) -> Run:
    """The folder that tells of the preparation of a dataset: one for each dataset and folder of a user's own."""
    name = dataset.lower()
    if data_path is not None:
        whole = os.fsencode(user_path(data_path))
        name += f"-{re.sub(r'[^A-Za-z0-9]+', '-', data_path.name)[:40]}-{hashlib.sha256(whole).hexdigest()[:8]}"
    return Run(settings().data_path / "preparations" / name)


def found(run: Run) -> Found | None:
    """What a finished preparation found, or None."""
    try:
        return Found.model_validate_json((run.path / "report.json").read_bytes())
    except (OSError, ValidationError):
        return None


def launch_preparation(job: Preparation) -> Run:
    """Starts the preparation as a process of its own.

    Raises:
        RunError: it is at work already, or cannot be started.
    """
    run = _begin(job)
    if run.status().state in ALIVE:
        raise RunError(f"{job.dataset} is being prepared already: wait, or stop it first")
    start(run, *job.words(), device=_QUEUE)
    return run


def work_on_preparation(job: Preparation, *, watch: Watch | None = None) -> Material | None:
    """Does the preparation here; what an interrupted one has done is not done again.

    Returns:
        the clips; None where the dataset has pieces to be taken apart instead.

    Raises:
        DistrackError: the dataset cannot be had or used; the folder of the preparation says so too.
        Stopped: it was asked to stop.
    """
    run = _begin(job)
    told = watch or (lambda *_: None)
    with Session(run, _QUEUE).working() as session, logged(run):
        (run.path / "report.json").unlink(missing_ok=True)
        begun = time.monotonic()

        def progress(done: int, total: int, what: str) -> None:
            told(what, done, total, "", None)
            session.progress(done, total, what)

        def fetching(what: str, done: int, total: int) -> None:
            told(what, done, total, "", None)
            said = f"{what} {done / 1e6:.1f} of {total / 1e6:.1f} MB, {rate.of(what, done) / 1e6:.1f} MB/s"
            session.progress(done, total, said)

        rate = _Rate()

        if job.download and not datasets.home(datasets.DATASETS[job.dataset], job.data_path).is_dir():
            session.phase("download")
            datasets.fetch(job.dataset, job.data_path, progress=fetching)
        session.phase("prepare")
        if not datasets.DATASETS[job.dataset].labelled:
            # Pieces are taken apart as they are: to be there is all.
            count = len(datasets.look(job.dataset, job.data_path).clips)
            log.info("%d pieces", count)
            return None
        material = load(
            job.dataset,
            job.data_path,
            test_fold=job.test_fold,
            seconds=job.seconds,
            feature=job.feature,
            progress=progress,
        )
        prepared = material.prepared
        result = Found(
            classes=tuple(map(_readable, prepared.index.classes)),
            train=len(material.train),
            validation=len(prepared.split_rows("validation")),
            test=len(material.test),
            disjoint_by=prepared.index.disjoint_by,
            seconds=prepared.seconds,
            skipped=tuple((_readable(skip.path), _readable(skip.reason)) for skip in prepared.skipped),
            unlisted=len(prepared.index.unlisted),
            notes=prepared.index.notes,
            took=round(time.monotonic() - begun, 3),
        )
        run.write("report.json", result.model_dump_json(indent=2))
        log.info("%d training and %d test clips, %d skipped", result.train, result.test, len(result.skipped))
    return material


class _Rate:
    """Bytes a second since the first word of what is being done: what was there before does not count."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[float, int]] = {}

    def of(self, what: str, done: int) -> float:
        """The rate so far."""
        began, first = self._since.setdefault(what, (time.monotonic(), done))
        return (done - first) / max(time.monotonic() - began, 0.1)


def _readable(name: str | Path) -> str:
    """A name that is no text, as a file's may be, with its odd bytes replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


def _begin(job: Preparation) -> Run:
    run = place(job.dataset, job.data_path)
    try:
        run.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"cannot write below the data path {settings().data_path}: {error.strerror or error}. "
            f"Set DISTRACK_DATA_PATH to another place"
        ) from None
    run.write("config.json", job.model_dump_json(indent=2))
    return run
