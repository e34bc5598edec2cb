"""A bundle: the tracks of a run as files that serve without DisTrack, in a zip or a folder.

The folder `audio` is what Hugging Face calls an audiofolder; with the card (`README.md`) beside it, the `datasets`
library loads a bundle as it is. The same run gives the same bytes, and none of them says on which machine.
"""

import csv
import io
import re
import secrets
import shutil
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from distrack.audio import SAMPLE_RATE
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.errors import ConfigError, RunError, unknown
from distrack.export.card import COLUMNS, card, readable
from distrack.figures.images import colour_range, image_png
from distrack.jobs.distillation import distillation_job
from distrack.jobs.results import evaluation_report, synthetic_file, track_file
from distrack.runs.folder import Run
from distrack.settings import user_path

_LONGEST_STEM = 48
# The first that a zip can tell: a file in it has to have one.
_WHEN = (1980, 1, 1, 0, 0, 0)

# What a bundle holds, by name; each is made when it is written.
_Files = Mapping[str, Callable[[], bytes]]


def zipped(run: Run, *, of_class: str | None = None, track: str | None = None, audio: str = "flac") -> bytes:
    """A bundle as the content of a zip.

    Args:
        run: whose tracks.
        of_class: only those of this class.
        track: only the one of this name.
        audio: `flac` or `wav`, both of 16 bits.

    Raises:
        ConfigError: the class, the track or the format is not known.
        RunError: the run has no synthetic set or a track of it no sound, or they are damaged.
    """
    buffer = io.BytesIO()
    _write_zip(buffer, _Bundle(run, of_class=of_class, track=track, audio=audio).files())
    return buffer.getvalue()


def export(
    run: Run,
    to: Path,
    *,
    of_class: str | None = None,
    track: str | None = None,
    audio: str = "flac",
    overwrite: bool = False,
) -> int:
    """Writes a bundle: a zip where the name ends so, else a new folder. It is there when it is whole.

    Args:
        run, of_class, track, audio: as `zipped` has them.
        to: where.
        overwrite: replaces a zip that is there; a folder that holds anything never is.

    Returns:
        how many tracks there are in it

    Raises:
        ConfigError: as of `zipped`, or nothing can be written there; what was there is as it was.
        RunError: as of `zipped`.
    """
    target, as_zip = user_path(to), to.suffix.lower() == ".zip"
    try:
        _check_new(target, as_zip=as_zip, overwrite=overwrite)
        bundle = _Bundle(run, of_class=of_class, track=track, audio=audio)
        with _beside(target) as part:
            if as_zip:
                with part.open("wb") as file:
                    _write_zip(file, bundle.files())
            else:
                _write_folder(part, bundle.files())
    except OSError as error:
        raise ConfigError(f"cannot write {to}: {error.strerror or error}") from None
    return len(bundle.tracks)


def _check_new(target: Path, *, as_zip: bool, overwrite: bool) -> None:
    if target.is_dir() and (as_zip or any(target.iterdir())):
        raise ConfigError(f"{target} is a folder that holds something: choose a new name, or remove it first")
    if target.exists() and not target.is_dir() and not (as_zip and overwrite):
        way = "replace it with --overwrite" if as_zip else "remove it first"
        raise ConfigError(f"{target} exists: choose another name, or {way}")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new path beside a target: what is made there takes the target's place, or is gone where the block fails."""
    part = target.with_name(f".distrack-{secrets.token_hex(4)}.part")
    try:
        yield part
        if target.is_dir():
            target.rmdir()
        part.replace(target)
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        part.unlink(missing_ok=True)


def _write_zip(file: IO[bytes], files: _Files) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name]())


def _write_folder(folder: Path, files: _Files) -> None:
    folder.mkdir()
    for name in sorted(files):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(files[name]())


class Track(NamedTuple):
    """One track of a bundle.

    Attributes:
        position: in the synthetic set.
        name: in the run.
        stem: of its files: letters, digits, dots, dashes and underscores, none twice, whatever its class is called.
        label, of_class: its class, by number and by its true name.
        seconds: length of its sound.
        silent: whether that is nothing but one constant value.
    """

    position: int
    name: str
    stem: str
    label: int
    of_class: str
    seconds: float
    silent: bool


class _Bundle:
    """Some tracks of a run, checked, and the files that are made of them."""

    def __init__(self, run: Run, *, of_class: str | None, track: str | None, audio: str) -> None:
        if audio not in _SOUNDS:
            raise unknown("audio format", audio, _SOUNDS)
        if not synthetic_file(run).is_file():
            raise RunError(f"run {run.id} has no synthetic set yet: python -m distrack resume {run.id}")
        self.run, self._audio = run, audio
        self._job = distillation_job(run)
        self._synthetic = SyntheticSet.load(synthetic_file(run))
        self.tracks = self._chosen(of_class, track)
        self._images = self._synthetic.images().squeeze(1).numpy()
        self._check_numbers()

    def _chosen(self, of_class: str | None, track: str | None) -> list[Track]:
        names, labels, classes = self._synthetic.track_names(), self._synthetic.labels.tolist(), self._synthetic.classes
        if of_class is not None and track is not None:
            raise ConfigError("choose a class or a track, not both")
        if of_class is not None and of_class not in classes:
            raise unknown("class", of_class, classes)
        if track is not None and track not in names:
            raise unknown("track", track, names)
        tracks = []
        for position, (name, stem, label) in enumerate(zip(names, _stems(classes, labels), labels, strict=True)):
            if of_class in (None, classes[label]) and track in (None, name):
                samples = _heard(self.run, name)
                tracks.append(
                    Track(
                        position,
                        name,
                        stem,
                        label,
                        readable(classes[label]),
                        len(samples) / SAMPLE_RATE,
                        bool(np.ptp(samples) == 0),
                    )
                )
        return tracks

    def _check_numbers(self) -> None:
        bad = [track.name for track in self.tracks if not np.isfinite(self._images[track.position]).all()]
        if bad:
            others = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise RunError(
                f"run {self.run.id}: track {bad[0]}{others} holds values that are not numbers (NaN or infinite): "
                f"distil it again"
            )

    def files(self) -> _Files:
        """Everything in it."""
        # Where a dataset lies is nobody's business but this machine's; a synthetic set does not say it either.
        job = self._job.model_copy(update={"data_path": None})
        dataset, report = DATASETS[job.dataset], evaluation_report(self.run)
        files: dict[str, Callable[[], bytes]] = {
            "README.md": self._card,
            "LICENCE.txt": f"{dataset.title}\n{dataset.url}\n\n{dataset.licence}\n".encode,
            "CITATION.txt": f"{dataset.citation}\n".encode,
            "config.json": job.model_dump_json(indent=2).encode,
            "audio/metadata.csv": self._metadata,
            "arrays.npz": self._arrays,
        }
        if report is not None:
            files["report.json"] = report.model_dump_json(indent=2).encode
        if len(self.tracks) == len(self._images):
            files["synthetic.safetensors"] = self._synthetic.to_bytes
        low, high = colour_range(self._images)
        for track in self.tracks:
            sound, image = partial(_SOUNDS[self._audio], self.run, track.name), self._images[track.position]
            files[f"audio/{track.stem}.{self._audio}"] = sound
            files[f"images/{track.stem}.png"] = partial(image_png, image, low=low, high=high)
        return files

    def _card(self) -> bytes:
        names = [track.name for track in self.tracks]
        silent = [track.name for track in self.tracks if track.silent]
        text = card(
            self._job, evaluation_report(self.run), self._synthetic, tracks=names, silent=silent, audio=self._audio
        )
        return text.encode()

    def _metadata(self) -> bytes:
        buffer = io.StringIO()
        table = csv.writer(buffer, lineterminator="\n")
        table.writerow(["file_name", *COLUMNS])
        for track in self.tracks:
            silent = str(track.silent).lower()
            table.writerow(
                [f"{track.stem}.{self._audio}", track.label, track.of_class, track.name, track.seconds, silent]
            )
        return buffer.getvalue().encode()

    def _arrays(self) -> bytes:
        positions = [track.position for track in self.tracks]
        arrays: dict[str, NDArray[Any]] = {
            "images": self._images[positions],
            "labels": np.array([track.label for track in self.tracks]),
            "tracks": np.array([track.name for track in self.tracks]),
            "classes": np.array([readable(name) for name in self._synthetic.classes]),
        }
        if self._job.domain.name == "waveform":
            arrays["waveforms"] = self._synthetic.render()[positions].numpy()
        buffer = io.BytesIO()
        _write_zip(buffer, {f"{name}.npy": partial(_npy, array) for name, array in arrays.items()})
        return buffer.getvalue()


def _stems(classes: Sequence[str], labels: Sequence[int]) -> list[str]:
    """Names for the files of tracks that stand class by class.

    >>> _stems(["a/b", "été", "..", "A-B"], [0, 0, 1, 2, 3])
    ['a-b_0', 'a-b_1', 'ete_0', 'class_0', 'A-B-3_0']
    """
    safe: list[str] = []
    for label, name in enumerate(classes):
        letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^\w.-]+", "-", letters).strip("-.")[:_LONGEST_STEM] or "class"
        # Some file systems do not tell upper from lower case.
        while stem.casefold() in map(str.casefold, safe):
            stem += f"-{label}"
        safe.append(stem)
    counts = [0] * len(classes)
    stems = []
    for label in labels:
        stems.append(f"{safe[label]}_{counts[label]}")
        counts[label] += 1
    return stems


def _heard(run: Run, name: str) -> NDArray[np.int16]:
    """Samples of a track's sound, ``[samples]``."""
    path = track_file(run, name)
    if not path.is_file():
        raise RunError(f"run {run.id}: track {name} was not made audible: python -m distrack resume {run.id}")
    try:
        samples, rate = soundfile.read(path, dtype="int16")
    except (soundfile.SoundFileError, OSError):
        samples, rate = np.empty(0, np.int16), 0
    if rate != SAMPLE_RATE or samples.ndim != 1 or not len(samples):
        raise RunError(
            f"run {run.id}: the sound of track {name} is damaged: remove {path.name} from its audio folder, "
            f"then make it again with: python -m distrack resume {run.id}"
        )
    heard: NDArray[np.int16] = samples
    return heard


def _flac(run: Run, name: str) -> bytes:
    try:
        return track_file(run, name).read_bytes()
    except OSError as error:
        raise RunError(f"run {run.id}: track {name} cannot be read: {error.strerror or error}") from None


def _wav(run: Run, name: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, _heard(run, name), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


_SOUNDS: dict[str, Callable[[Run, str], bytes]] = {"flac": _flac, "wav": _wav}


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()
