"""A bundle: the tracks of a run as a zip or a folder of files that need no DisTrack.

The folder `audio` is what Hugging Face calls an audiofolder; with the dataset card (`README.md`) beside it, the
`datasets` library loads a bundle as it is. It takes a file for one of another split where its name holds a word such as
`train`, so no name does; and it reads the texts of a CSV with pandas 3 as of a type that its version 3 refuses, so the
metadata are lines of JSON. The same run gives the same bytes, and none of them identifies the machine.
"""

import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import Field, model_validator

from distrack.audio import SAMPLE_RATE
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.errors import ConfigError, RunError, unknown
from distrack.export.card import COLUMNS, card, printable
from distrack.figures.images import colour_range, image_png
from distrack.files import class_stems, csv_text, replacing
from distrack.jobs import as_json
from distrack.jobs.distillation import distillation_job
from distrack.jobs.results import evaluation_report, synthetic_file, track_file
from distrack.runs.folder import Run
from distrack.settings import user_path
from distrack.validation import Config, Option

# The earliest date that a zip can hold. Every entry has one, and all bundles of a run are equal.
_DATE = (1980, 1, 1, 0, 0, 0)

AudioFormat = Literal["flac", "wav"]
# The files of a bundle by name; their content is made when it is written.
_Files = Mapping[str, Callable[[], bytes]]


class ExportConfig(Config):
    """Which tracks of a run become a bundle, and where it is written."""

    to: Annotated[Path, Field(title="File or folder")]
    """A .zip file, or a new folder."""
    of_class: Annotated[str | None, Field(title="Class"), Option("class")] = None
    """Export only the tracks of this class."""
    track: str | None = None
    """Export only this track."""
    format: Annotated[AudioFormat, Field(title="Audio format")] = "flac"
    """Format of the 16-bit audio files."""
    overwrite: bool = False
    """Replace the .zip file if it exists."""

    @model_validator(mode="after")
    def _one_selection(self) -> Self:
        if self.of_class is not None and self.track is not None:
            raise ValueError("choose a class or a track, not both")
        return self


def zipped(run: Run, config: ExportConfig) -> bytes:
    """A bundle as the content of a zip.

    Raises:
        ConfigError: the class or the track is unknown.
        RunError: the run has no synthetic set, a track has no audio, or one of them is damaged.
    """
    return _zip(_Bundle(run, config).files())


def export(run: Run, config: ExportConfig) -> int:
    """Writes a bundle, a zip if the name ends in `.zip`, else a new folder, and returns the number of its tracks.

    Raises:
        ConfigError: as `zipped`; or the target exists, is not empty, or cannot be written. It is left unchanged.
        RunError: as `zipped`.
    """
    target, as_zip = user_path(config.to), config.to.suffix.lower() == ".zip"
    try:
        _check_new(target, as_zip=as_zip, overwrite=config.overwrite)
        bundle = _Bundle(run, config)
        with replacing(target) as part:
            if as_zip:
                part.write_bytes(_zip(bundle.files()))
            else:
                _write_folder(part, bundle.files())
    except OSError as error:
        raise ConfigError(f"cannot write {config.to}: {error.strerror or error}") from None
    return len(bundle.tracks)


def _check_new(target: Path, *, as_zip: bool, overwrite: bool) -> None:
    if target.is_dir() and (as_zip or any(target.iterdir())):
        raise ConfigError(f"{target} is a folder that is not empty: choose a new name, or remove it first")
    if target.exists() and not target.is_dir() and not (as_zip and overwrite):
        way = "replace it with --overwrite" if as_zip else "remove it first"
        raise ConfigError(f"{target} exists: choose another name, or {way}")


def _zip(files: _Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name]())
    return buffer.getvalue()


def _write_folder(folder: Path, files: _Files) -> None:
    folder.mkdir()
    for name in sorted(files):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(files[name]())


class Track(NamedTuple):
    """One track of a bundle, at a position in the synthetic set.

    Attributes:
        stem: of its files; ASCII letters, digits, dots, dashes and underscores.
        label, of_class: its class by number and by name.
        silent: whether all samples are equal.
    """

    position: int
    name: str
    stem: str
    label: int
    of_class: str
    seconds: float
    silent: bool


class _Bundle:
    """The selected tracks of a run, checked, and the files that hold them."""

    def __init__(self, run: Run, config: ExportConfig) -> None:
        if not synthetic_file(run).is_file():
            raise RunError(f"run {run.id} has no synthetic set yet", remedy=f"python -m distrack resume {run.id}")
        self.run, self._format = run, config.format
        self._job = distillation_job(run)
        self._synthetic = SyntheticSet.load(synthetic_file(run))
        self.tracks = self._selected(config)
        self._images = self._synthetic.images().squeeze(1).numpy()
        self._check_numbers()

    def _selected(self, config: ExportConfig) -> list[Track]:
        names, classes = self._synthetic.track_names(), self._synthetic.classes
        if config.of_class is not None and config.of_class not in classes:
            raise unknown("class", config.of_class, classes)
        if config.track is not None and config.track not in names:
            raise unknown("track", config.track, names)
        stems = class_stems([_without_split_words(_ascii(name), label) for label, name in enumerate(classes)])
        tracks = []
        for position, (name, label) in enumerate(zip(names, self._synthetic.labels.tolist(), strict=True)):
            if config.of_class in (None, classes[label]) and config.track in (None, name):
                samples = _samples(self.run, name)
                seconds, silent = len(samples) / SAMPLE_RATE, bool(np.ptp(samples) == 0)
                stem = f"{stems[label]}_{position % self._synthetic.tracks_per_class}"
                tracks.append(Track(position, name, stem, label, printable(classes[label]), seconds, silent))
        return tracks

    def _check_numbers(self) -> None:
        bad = [track.name for track in self.tracks if not np.isfinite(self._images[track.position]).all()]
        if bad:
            others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise RunError(
                f"run {self.run.id}: track {bad[0]}{others} holds values that are not numbers (NaN or infinite): "
                f"distill it again"
            )

    def files(self) -> _Files:
        dataset, report = DATASETS[self._job.dataset], evaluation_report(self.run)
        files: dict[str, Callable[[], bytes]] = {
            "README.md": self._card,
            "LICENCE.txt": f"{dataset.title}\n{dataset.url}\n\n{dataset.licence}\n".encode,
            "CITATION.txt": f"{dataset.citation}\n".encode,
            "config.json": as_json(self._job.without_path(None)).encode,
            "audio/metadata.jsonl": self._metadata,
            "tracks.csv": self._table,
            "arrays.npz": self._arrays,
        }
        if report is not None:
            files["report.json"] = report.model_dump_json(indent=2).encode
        if len(self.tracks) == len(self._images):
            files["synthetic.safetensors"] = self._synthetic.to_bytes
        low, high = colour_range(self._images)
        for track in self.tracks:
            image = self._images[track.position]
            files[f"audio/{track.stem}.{self._format}"] = partial(_AUDIO[self._format], self.run, track.name)
            files[f"images/{track.stem}.png"] = partial(image_png, image, low=low, high=high)
        return files

    def _card(self) -> bytes:
        names = [track.name for track in self.tracks]
        silent = [track.name for track in self.tracks if track.silent]
        text = card(
            self._job, evaluation_report(self.run), self._synthetic, tracks=names, silent=silent, audio=self._format
        )
        return text.encode()

    def _rows(self) -> list[dict[str, Any]]:
        columns = ("file_name", *COLUMNS)
        facts = (
            (f"{track.stem}.{self._format}", track.label, track.of_class, track.name, track.seconds, track.silent)
            for track in self.tracks
        )
        return [dict(zip(columns, values, strict=True)) for values in facts]

    def _metadata(self) -> bytes:
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in self._rows()).encode()

    def _table(self) -> bytes:
        rows = [{**row, "silent": str(row["silent"]).lower()}.values() for row in self._rows()]
        return csv_text([("file_name", *COLUMNS), *map(tuple, rows)]).encode()

    def _arrays(self) -> bytes:
        positions = [track.position for track in self.tracks]
        arrays: dict[str, NDArray[Any]] = {
            "images": self._images[positions],
            "labels": np.array([track.label for track in self.tracks]),
            "tracks": np.array([track.name for track in self.tracks]),
            "classes": np.array([printable(name) for name in self._synthetic.classes]),
        }
        if self._job.domain.name == "waveform":
            arrays["waveforms"] = self._synthetic.render()[positions].numpy()
        return _zip({f"{name}.npy": partial(_npy, array) for name, array in arrays.items()})


# What the `datasets` library takes for the name of a split, between other signs than letters.
_SPLIT_WORDS = re.compile(
    r"(?<![a-z])(?:train(?:ing)?|test(?:ing)?|valid(?:ation)?|val|dev|eval(?:uation)?)(?![a-z])", re.IGNORECASE
)


def _without_split_words(name: str, label: int) -> str:
    """The name of a class, or its number where the name holds a word for a split.

    >>> _without_split_words("train", 7), _without_split_words("trainer", 8)
    ('class 7', 'trainer')
    """
    return f"class {label}" if _SPLIT_WORDS.search(name) else name


def _ascii(name: str) -> str:
    """A name without accents and without what is not ASCII.

    >>> _ascii("été")
    'ete'
    """
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


def _samples(run: Run, name: str) -> NDArray[np.int16]:
    """The audio of a track, ``[samples]``."""
    path = track_file(run, name)
    if not path.is_file():
        raise RunError(f"run {run.id}: track {name} has no audio", remedy=f"python -m distrack resume {run.id}")
    try:
        samples, rate = soundfile.read(path, dtype="int16")
    except (soundfile.SoundFileError, OSError):
        samples, rate = np.empty(0, np.int16), 0
    if rate != SAMPLE_RATE or samples.ndim != 1 or not len(samples):
        problem = f"the audio of track {name} is damaged. Remove {path.name} from its folder, then resume the run"
        raise RunError(problem, remedy=f"python -m distrack resume {run.id}")
    audio: NDArray[np.int16] = samples
    return audio


def _flac(run: Run, name: str) -> bytes:
    try:
        return track_file(run, name).read_bytes()
    except OSError as error:
        raise RunError(f"run {run.id}: track {name} cannot be read: {error.strerror or error}") from None


def _wav(run: Run, name: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, _samples(run, name), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


_AUDIO: dict[AudioFormat, Callable[[Run, str], bytes]] = {"flac": _flac, "wav": _wav}


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()
