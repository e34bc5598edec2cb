"""The preparation: a dataset is downloaded or made, decoded once, and turned into images of the default feature."""

import hashlib
import logging
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from distrack import datasets
from distrack.datasets import DATASETS, FolderReading, Layout, LayoutField, SubsetField
from distrack.distill import DistillConfig
from distrack.distill.config import LONGEST, SHORTEST
from distrack.errors import DistrackError, RunError
from distrack.files import files_text, size_text
from distrack.jobs.contract import Job, Table, as_json, job_of, register
from distrack.progress import DetailedProgress, Watch, unwatched
from distrack.registry import NameIn
from distrack.runs import Run, Session
from distrack.settings import AbsolutePath, settings, user_path
from distrack.validation import Record, read_model

log = logging.getLogger(__name__)


class PreparationReport(Record):
    """`report.json` of a preparation: what the dataset holds.

    Attributes:
        train, validation, test: clips on each side of the split.
        disjoint_by: what no two sides share.
        seconds: fixed length of a clip.
        skipped: files that could not be used, each with the reason.
        unlisted: number of audio files that the dataset's own list does not name.
        left_out: number of all files below the folder that are neither used nor skipped, by the reason.
        notes: sentences that a reader of a result should know.
        took: seconds of work.
        pieces: number of pieces, of a dataset whose pieces have no class and are only decomposed.
    """

    classes: tuple[str, ...] = ()
    train: int = 0
    validation: int = 0
    test: int = 0
    disjoint_by: str = ""
    seconds: float = 0.0
    skipped: tuple[tuple[str, str], ...] = ()
    unlisted: int = 0
    left_out: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    took: float = 0.0
    pieces: int | None = None
    root: str = ""


@register
class Preparation(Job):
    """Downloads or makes a dataset if it is absent, decodes it once, and computes the default feature.

    What an interrupted preparation has done is not done again.
    """

    kind: ClassVar[str] = "preparation"
    verb: ClassVar[str] = "prepare"
    summary: ClassVar[str] = "Downloads, makes or reads a dataset, and decodes it once."
    report_type: ClassVar[type[PreparationReport]] = PreparationReport
    has_own_folder: ClassVar[bool] = False
    always_given: ClassVar[tuple[tuple[str, ...], ...]] = (("dataset",),)

    dataset: Annotated[str, NameIn(DATASETS)] = "SPOKEN_DIGITS"
    """Name of the dataset."""
    data_path: Annotated[AbsolutePath | None, Field(title="Folder")] = None
    """Folder that holds the dataset; its usual place if not given."""
    duration: Annotated[
        float | None, Field(ge=SHORTEST, le=LONGEST, title="Clip length (s)", validate_default=True)
    ] = None
    """Length of a clip in seconds; the dataset's own if not given."""
    layout: LayoutField = "auto"
    subset: SubsetField = False
    download: bool = False
    """Download the dataset first if it is absent."""

    @field_validator("duration")
    @classmethod
    def _default_of_the_dataset(cls, seconds: float | None, info: ValidationInfo) -> float | None:
        return DATASETS[info.data["dataset"]].seconds if seconds is None and "dataset" in info.data else seconds

    def open(self, runs_path: Path, name: str | None = None, *, watch: Watch = unwatched) -> Run:  # noqa: ARG002
        """The folder of this dataset's preparation, with the config of this one."""
        run = place(self.dataset, self.data_path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"cannot write below the data path {settings().data_path}: {error.strerror or error}"
            raise RunError(problem, remedy="set DISTRACK_DATA_PATH to another place") from None
        run.write("config.json", as_json(self))
        return run

    def worth_keeping(self, run: Run) -> bool:  # noqa: ARG002
        return True  # one folder tells of every preparation of a dataset, failed ones included

    def work(self, run: Run, session: Session) -> PreparationReport:
        (run.path / "report.json").unlink(missing_ok=True)
        began = time.monotonic()
        if self.download and not datasets.home(DATASETS[self.dataset], self.data_path).is_dir():
            session.phase("download")
            datasets.fetch(self.dataset, self.data_path, progress=_transfer(session))
        session.phase("prepare")
        if DATASETS[self.dataset].labelled:
            report = self._clips(session, began)
            log.info("%d training and %d test clips, %d skipped", report.train, report.test, len(report.skipped))
        else:  # pieces are decomposed as they are: it is enough that they are there
            index = datasets.look(self.dataset, self.data_path)
            report = PreparationReport(pieces=len(index.clips), root=_readable(index.root))
            log.info("%d pieces", report.pieces)
        run.write("report.json", report.model_dump_json(indent=2))
        return report

    def _clips(self, session: Session, began: float) -> PreparationReport:
        fields = ("dataset", "data_path", "duration", "layout", "subset")
        config = DistillConfig(**{name: getattr(self, name) for name in fields})
        material = config.material(progress=session.progress)
        prepared = material.prepared
        return PreparationReport(
            classes=tuple(map(_readable, prepared.index.classes)),
            train=len(material.train),
            validation=len(prepared.split_rows("validation")),
            test=len(material.test),
            disjoint_by=prepared.index.disjoint_by,
            seconds=prepared.seconds,
            skipped=tuple((_readable(skip.path), _readable(skip.reason)) for skip in prepared.skipped),
            unlisted=len(prepared.index.unlisted),
            left_out={reason: len(paths) for reason, paths in datasets.left_out(prepared.index).items()},
            notes=prepared.notes,
            took=round(time.monotonic() - began, 3),
            root=_readable(prepared.index.root),
        )

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        name = run_id.partition("-")[0].upper()
        if report.pieces is not None:
            return [Table(f"{name}: {report.pieces} pieces to decompose in {report.root}", (), ())]
        validation = f", {report.validation} validation" if report.validation else ""
        notes = [f"note: {note}" for note in report.notes]
        notes += [f"skipped {path}: {reason}" for path, reason in report.skipped]
        if report.left_out:
            notes.append(f"left out {left_out_text(report)}")
        title = (
            f"{name}: {len(report.classes)} classes, {report.train} training{validation} and {report.test} test "
            f"clips of {report.seconds:g} s, disjoint by {report.disjoint_by}"
        )
        return [Table(title, (), (), notes)]


def left_out_text(report: PreparationReport) -> str:
    """The files that are neither used nor skipped: "3 files: 2 hidden, 1 no sound"."""
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(report.left_out.items()))
    return f"{files_text(sum(report.left_out.values()))}: {reasons}"


def place(dataset: str, data_path: Path | None = None) -> Run:
    """The folder of a dataset's preparation: one for each dataset and each folder that a user gives."""
    name = dataset.lower()
    if data_path is not None:
        whole = os.fsencode(user_path(data_path))
        name += f"-{re.sub(r'[^A-Za-z0-9]+', '-', data_path.name)[:40]}-{hashlib.sha256(whole).hexdigest()[:8]}"
    return Run(settings().data_path / "preparations" / name)


def reading(dataset: str, data_path: Path | None) -> FolderReading:
    """What a person said of a folder when it was prepared: layout and subset; nothing if it was not prepared."""
    with suppress(DistrackError):  # a path that cannot be
        run = place(dataset, data_path)
        if preparation_report(run) is not None and (said := read_model(run.path / "config.json", _Said)) is not None:
            return {"layout": said.layout, "subset": said.subset}
    return {}


class _Said(Record):
    layout: Layout = "auto"
    subset: bool = False


def used_folders(dataset: str) -> list[Path]:
    """The folders that a dataset was prepared from, as far as they are not its usual place and are there; by name."""
    folders = set()
    for path in (settings().data_path / "preparations").glob(f"{dataset.lower()}*"):
        run = Run(path)
        with suppress(RunError):
            job = job_of(run)
            folder = job.data_path if isinstance(job, Preparation) and job.dataset == dataset else None
            if folder is not None and folder.is_dir() and preparation_report(run) is not None:
                folders.add(folder)
    return sorted(folders, key=lambda folder: folder.name)


def preparation_report(run: Run) -> PreparationReport | None:
    """The report of a finished preparation, or None."""
    return read_model(run.path / Preparation.report_name, PreparationReport)


def _transfer(session: Session) -> DetailedProgress:
    """Reports downloads as bytes and their rate, which leaves out what an earlier attempt had received."""
    began: dict[str, tuple[float, int]] = {}

    def progress(done: int, total: int, detail: str) -> None:
        start, first = began.setdefault(detail, (time.monotonic(), done))
        rate = (done - first) / max(time.monotonic() - start, 0.1)
        session.progress(done, total, f"{detail} {size_text(done)} of {size_text(total)}, {size_text(rate)}/s")

    return progress


def _readable(name: str | Path) -> str:
    """A file's name with bytes that are no text replaced."""
    return os.fsencode(name).decode("utf-8", "replace")
