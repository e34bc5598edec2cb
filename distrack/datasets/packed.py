"""A packed dataset: decoded clips and their index in files that hold no code, which another machine uses as they are.

Its folder holds `distrack-dataset.json`, the index and what the dataset is, and `clips-<number>.safetensors`, the clips
in the order of the index.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import numpy as np
import safetensors.numpy
from pydantic import AfterValidator, Field, ValidationError
from safetensors import SafetensorError, safe_open

from distrack.arrays import Floats
from distrack.audio import SAMPLE_RATE, Decoded
from distrack.datasets.clips import Clip, Index, Skipped, Split
from distrack.errors import DatasetError
from distrack.files import write_atomically
from distrack.progress import Progress
from distrack.validation import Record

_NAME = "distrack-dataset.json"
# Bytes of a file of clips, about.
_SHARD_BYTES = 64 * 2**20


def _below(name: str) -> str:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\x00" in name:
        raise ValueError(f"{name[:80]!r} is not the name of a file of a dataset")
    return name


_Name = Annotated[str, AfterValidator(_below)]


class _Clip(Record):
    name: _Name
    label: Annotated[int, Field(ge=0)]
    split: Split
    group: str = ""
    fold: int | None = None


class _Contents(Record):
    """`distrack-dataset.json`.

    Attributes:
        clips_per_file: clips in each file but the last.
        skipped, missing, unlisted: files of the original folder that are not here, with the reason where there is one.
    """

    format: Literal["distrack dataset 1"] = "distrack dataset 1"
    dataset: str
    title: str
    licence: str
    citation: str
    url: str
    seconds: Annotated[float, Field(gt=0)]
    clips_per_file: Annotated[int, Field(ge=1)]
    classes: tuple[str, ...]
    clips: tuple[_Clip, ...]
    disjoint_by: str
    random: bool = False
    skipped: tuple[tuple[_Name, str], ...] = ()
    missing: tuple[tuple[_Name, str], ...] = ()
    unlisted: tuple[_Name, ...] = ()
    notes: tuple[str, ...] = ()


def is_packed(root: Path) -> bool:
    """Whether a folder holds a packed dataset."""
    return (root / _NAME).is_file()


def source_of(root: Path) -> Path:
    """The file that a packed dataset is known by: it changes whenever the dataset is packed anew."""
    return root / _NAME


def packed_index(root: Path) -> Index:
    """The index of a packed dataset. The paths of its clips name the original files, which are elsewhere.

    Raises:
        DatasetError: it is damaged.
    """
    contents = _contents(root)

    def skipped(named: Sequence[tuple[str, str]]) -> tuple[Skipped, ...]:
        return tuple(Skipped(root / name, reason) for name, reason in named)

    return Index(
        root,
        contents.classes,
        tuple(Clip(root / clip.name, clip.label, clip.split, clip.group, clip.fold) for clip in contents.clips),
        contents.disjoint_by,
        skipped=skipped(contents.skipped),
        missing=skipped(contents.missing),
        unlisted=tuple(root / name for name in contents.unlisted),
        notes=contents.notes,
        random=contents.random,
        packed=True,
    )


class PackedClips:
    """The decoded clips of a packed dataset.

    Raises:
        DatasetError: it is damaged, or its clips have another length.
    """

    def __init__(self, root: Path, *, seconds: float) -> None:
        self._root, self._contents = root, _contents(root)
        if self._contents.seconds != seconds:
            raise DatasetError(
                f"the clips in {root} were decoded elsewhere and have {self._contents.seconds:g} s, not {seconds:g} s",
                remedy=f"pass --duration {self._contents.seconds:g}, or get the recordings",
            )

    def __getitem__(self, row: int) -> Decoded:
        """The clip of a row of the index."""
        number, position = divmod(row, self._contents.clips_per_file)
        path = self._root / _shard(number)
        try:
            with safe_open(path, "numpy") as tensors:
                wave = np.asarray(tensors.get_slice("waveforms")[position], dtype=np.float32)
                seconds, channel, bits = map(float, tensors.get_slice("facts")[position])
            clip = Decoded(wave, seconds, int(channel) or None, int(bits) or None)
        except (OSError, SafetensorError, ValueError, TypeError, IndexError, OverflowError) as error:
            raise self._damaged(path, str(error)) from None
        if wave.shape != (round(self._contents.seconds * SAMPLE_RATE),) or not np.isfinite(wave).all():
            raise self._damaged(path, "clips of another length, or samples that are no numbers")
        return clip

    def _damaged(self, path: Path, reason: str) -> DatasetError:
        return DatasetError(f"{path} is damaged ({reason}): remove {self._root}, and pull the dataset again")


def pack(
    index: Index,
    folder: Path,
    *,
    waveforms: Floats,
    facts: Floats,
    undecodable: Sequence[tuple[str, str]],
    about: dict[str, str],
    progress: Progress,
) -> None:
    """Writes the decoded clips of a dataset, and its index, into an empty folder.

    Args:
        index: as its reader made it, before a fold was chosen.
        waveforms, facts: rows for every clip of the index; see `distrack.datasets.cache.Prepared`.
        undecodable: paths of clips that could not be decoded, each with the reason: they are left out.
        about: name, title, licence, citation and address of the dataset.

    Raises:
        DatasetError: the name of a file is no text.
        OSError: the disk is full.
    """
    reasons = dict(undecodable)
    rows = [row for row, clip in enumerate(index.clips) if str(clip.path) not in reasons]
    seconds = waveforms.shape[1] / SAMPLE_RATE
    together = max(1, _SHARD_BYTES // (waveforms.shape[1] * waveforms.itemsize))

    def name(path: Path) -> str:
        below = path.relative_to(index.root).as_posix()
        try:
            below.encode()
        except UnicodeEncodeError:
            raise DatasetError(f"{below!r} is no text: rename the file to pack the dataset") from None
        return below

    def named(some: Sequence[Skipped]) -> Iterator[tuple[str, str]]:
        return ((name(skip.path), skip.reason) for skip in some)

    clips = (index.clips[row] for row in rows)
    contents = _Contents(
        **about,
        seconds=seconds,
        clips_per_file=together,
        classes=index.classes,
        clips=tuple(
            _Clip(name=name(clip.path), label=clip.label, split=clip.split, group=clip.group, fold=clip.fold)
            for clip in clips
        ),
        disjoint_by=index.disjoint_by,
        random=index.random,
        skipped=(*named(index.skipped), *((name(Path(path)), reason) for path, reason in undecodable)),
        missing=tuple(named(index.missing)),
        unlisted=tuple(map(name, index.unlisted)),
        notes=index.notes,
    )
    for start in range(0, len(rows), together):
        these = rows[start : start + together]
        tensors = {"waveforms": waveforms[these], "facts": facts[these][:, [0, 2, 3]]}
        content = safetensors.numpy.save({key: np.ascontiguousarray(values) for key, values in tensors.items()})
        write_atomically(folder / _shard(start // together), content)
        progress(min(start + together, len(rows)), len(rows))
    write_atomically(folder / _NAME, contents.model_dump_json(indent=1))


def _contents(root: Path) -> _Contents:
    try:
        contents = _Contents.model_validate_json((root / _NAME).read_bytes())
    except OSError as error:
        raise DatasetError(f"{root / _NAME}: {error.strerror or error}") from None
    except ValidationError as error:
        raise DatasetError(f"{root / _NAME} is damaged: {error.errors()[0]['msg']}") from None
    if any(clip.label >= len(contents.classes) for clip in contents.clips):
        raise DatasetError(f"{root / _NAME} is damaged: a clip is of a class that it does not name")
    return contents


def _shard(number: int) -> str:
    return f"clips-{number:05d}.safetensors"
