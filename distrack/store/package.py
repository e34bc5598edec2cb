"""What is pushed and pulled: the files of a run, and a manifest with the size and digest of each.

The manifest is written last and read first, so that nobody sees half of a run. Only formats that hold data and no code
are pushed or accepted: safetensors, JSON and FLAC.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import pydantic
from pydantic import Field, field_validator

from distrack.errors import StoreError
from distrack.files import FULL, digest_of_file, fill_once, size_text
from distrack.progress import DetailedProgress, Progress
from distrack.store.contract import Store
from distrack.validation import Record

# Endings of files that hold data only. What else is in a run's folder, such as its log, stays where it is.
ENDINGS = frozenset({".safetensors", ".json", ".jsonl", ".flac"})
# The log of a run, which is in a store only if the run was worked on there.
LOG = "log.txt"
STATUS = "status.json"
MANIFEST = "manifest.json"
MOST_BYTES = 20_000_000
_BELOW = "runs/"
_MOST_FILES, _MOST_PARTS = 50_000, 5_000
_ID = re.compile(r"(_[a-z]{1,40}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# A part of a name: no separator of any system, no drive, no control character, not hidden.
_PART = re.compile(r"[^./\\:\x00-\x1f\x7f][^/\\:\x00-\x1f\x7f]{0,199}")
# Manifests that are read at once, where each is an answer to be waited for.
_AT_ONCE = 16


class AbsentError(StoreError):
    """A store has no run of that id."""


class ManifestError(StoreError):
    """A manifest is damaged, or names what may not be fetched."""


class StoredFile(Record):
    """A file of a run: its name below the run's folder, its size in bytes, and the SHA-256 digest of its content."""

    name: str
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("name")
    @classmethod
    def _is_safe(cls, name: str) -> str:
        parts = name.split("/")
        if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
            raise ValueError(f"{name[:80]!r} is not the name of a file of a run")
        if name == MANIFEST or (PurePosixPath(name).suffix not in ENDINGS and name != LOG):
            raise ValueError(f"{name[:80]!r} is of a kind that is never fetched: only {', '.join(sorted(ENDINGS))} are")
        return name

    def is_content_of(self, path: Path) -> bool:
        """Whether a file on this disk has the size and the digest.

        Raises:
            OSError: it cannot be read.
        """
        return path.stat().st_size == self.size and digest_of_file(path) == self.sha256


class Manifest(Record):
    """What a store holds of a run.

    Attributes:
        id: the run's id, with the folder of its kind if that has one: `one`, `_sweeps/two`.
        kind: its kind of job.
        title: what it is, for people.
        parts: ids of the runs that belong to it, such as the cells of a sweep.
        in_progress: whether the run was being worked on when this was written.
    """

    format: Literal["distrack run 1"] = "distrack run 1"
    id: Annotated[str, Field(pattern=f"^{_ID.pattern}$")]
    kind: Annotated[str, Field(pattern=r"^[a-z-]{1,40}$")]
    title: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
    files: Annotated[tuple[StoredFile, ...], Field(max_length=_MOST_FILES)]
    parts: Annotated[tuple[Annotated[str, Field(pattern=f"^{_ID.pattern}$")], ...], Field(max_length=_MOST_PARTS)] = ()
    in_progress: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def push(
    store: Store,
    folder: Path,
    described: Callable[[tuple[StoredFile, ...]], Manifest],
    *,
    public: bool,
    progress: DetailedProgress,
    stays: Sequence[str] = (),
) -> tuple[Manifest, int]:
    """Writes the files of a run to a store; what is there already is not sent again.

    Args:
        folder: the run's folder.
        described: makes the manifest from the files.
        public: let everybody read them, where the store can say so of a file.
        stays: names of files and folders of the run that are not pushed.

    Returns:
        the manifest, and the number of bytes that were sent

    Raises:
        StoreError: the store cannot be written, or a file cannot be read.
    """
    try:
        manifest = described(files_of(folder, stays))
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror or error}") from None
    except pydantic.ValidationError as error:
        raise StoreError(f"{folder.name} cannot be pushed: {error.errors()[0]['msg']}") from None
    sent = done = 0
    for file in manifest.files:
        name = object_name(manifest.id, file.name)
        if not store.holds(name, file.size, file.sha256):
            report = _of_all(progress, done, manifest.size, file.name)
            store.put(folder / file.name, name, file.sha256, public=public, progress=report)
            sent += file.size
        elif public:
            store.publish(name)
        done += file.size
        progress(done, manifest.size, file.name)
    write_manifest(store, manifest, public=public)
    return manifest, sent


def files_of(folder: Path, stays: Sequence[str] = ()) -> tuple[StoredFile, ...]:
    """The files of a run that are pushed, by name.

    Args:
        stays: names of files and folders that are not.

    Raises:
        OSError: one cannot be read.
    """
    return tuple(stored_file(name, path) for name, path in paths_of(folder, stays))


def stored_file(name: str, path: Path) -> StoredFile:
    """The description of a file under the name that it has in a run.

    Raises:
        OSError: it cannot be read.
    """
    return StoredFile(name=name, size=path.stat().st_size, sha256=digest_of_file(path))


def paths_of(folder: Path, stays: Sequence[str] = ()) -> Iterator[tuple[str, Path]]:
    """The names and paths of the files of a run that are pushed, by name; arguments as for `files_of`."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/")) or name.partition("/")[0] in stays
        if path.suffix in ENDINGS and path.is_file() and not path.is_symlink() and not hidden:
            yield name, path


def object_name(run_id: str, file: str) -> str:
    """The name in a store of a file of a run.

    Raises:
        StoreError: it is not the id of a run.
    """
    if not _ID.fullmatch(run_id):
        raise StoreError(f"{run_id[:100]!r} is not the id of a run")
    return f"{_BELOW}{run_id}/{file}"


def write_manifest(store: Store, manifest: Manifest, *, public: bool = False) -> None:
    """Writes the manifest of a run.

    Raises:
        StoreError: the store cannot be written.
    """
    store.write(object_name(manifest.id, MANIFEST), manifest.model_dump_json(indent=1).encode(), public=public)


def read_manifest(store: Store, run_id: str) -> Manifest:
    """The manifest of a run in a store.

    Raises:
        AbsentError: there is no such run.
        ManifestError: its manifest is damaged or names what may not be fetched.
        StoreError: the store cannot be read.
    """
    content = store.read(object_name(run_id, MANIFEST), MOST_BYTES)
    if content is None:
        raise AbsentError(f"there is no run {run_id} in {store.where}", remedy="python -m distrack models --all")
    try:
        manifest = Manifest.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ManifestError(f"the manifest of {run_id} in {store.where} is refused: {first['msg']}") from None
    if manifest.id != run_id:
        raise ManifestError(f"the manifest of {run_id} in {store.where} is refused: it is that of {manifest.id}")
    return manifest


def listed(store: Store) -> list[Manifest]:
    """The manifests of all runs in a store, by id; what is no run's and what is refused is left out.

    Raises:
        StoreError: the store cannot be read.
    """
    names = [name for name in store.names(_BELOW) if name.endswith(f"/{MANIFEST}")]
    ids = filter(_ID.fullmatch, (name.removeprefix(_BELOW).removesuffix(f"/{MANIFEST}") for name in names))

    def read(run_id: str) -> Manifest | None:
        try:
            return read_manifest(store, run_id)
        except (ManifestError, AbsentError):
            return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [manifest for manifest in pool.map(read, ids) if manifest is not None]


def pull(store: Store, manifest: Manifest, folder: Path, *, progress: DetailedProgress) -> int:
    """Fetches a run into a folder that does not exist yet; a fetch that was interrupted goes on.

    The folder appears when every file is there and has the size and the digest of the manifest.

    Returns:
        the number of bytes that were fetched; 0 if the run is here already

    Raises:
        StoreError: the folder holds something else, a content is not the one that was pushed, the store cannot be
            read, or the disk is full.
    """
    fetched = 0

    def fill(unfinished: Path) -> None:
        nonlocal fetched
        _require_room(unfinished, manifest)
        done = 0
        for file in manifest.files:
            target = unfinished / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()  # an empty file is fetched by nothing else
            before = target.stat().st_size
            if before > file.size:
                target.write_bytes(b"")
                before = 0

            report = _of_all(progress, done, manifest.size, file.name)
            store.get(object_name(manifest.id, file.name), target, file.size, progress=report)
            _verify(store, manifest, file, target)
            fetched += file.size - before
            done += file.size
        for path in _strangers(unfinished, (file.name for file in manifest.files)):
            path.unlink()

    try:
        if not fill_once(folder, fill, resume=True, waiting=lambda: progress(0, manifest.size, "")):
            _require_same(manifest, folder)
    except OSError as error:
        reason = "the disk is full" if error.errno in FULL else error.strerror or str(error)
        raise StoreError(f"cannot write {folder}: {reason}") from None
    return fetched


def _of_all(progress: DetailedProgress, before: int, total: int, name: str) -> Progress:
    """The progress of one file as a part of all, after so many bytes of other files."""
    return lambda done, _: progress(before + done, total, name)


def _verify(store: Store, manifest: Manifest, file: StoredFile, target: Path) -> None:
    if file.is_content_of(target):
        return
    target.unlink()
    raise StoreError(
        f"{file.name} of run {manifest.id} in {store.where} is not what was pushed: its content has changed, or it was "
        f"pushed again meanwhile. Nothing was taken over; try again, or push the run again"
    )


def _strangers(folder: Path, names: Iterable[str]) -> list[Path]:
    """Files that an earlier fetch left, of a run that was pushed again since."""
    wanted = {folder / name for name in names}
    return [path for path in folder.rglob("*") if path.is_file() and path not in wanted]


def _require_room(folder: Path, manifest: Manifest) -> None:
    here = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    missing, free = max(0, manifest.size - here), shutil.disk_usage(folder).free
    if missing > free:
        raise StoreError(f"{size_text(missing)} are missing of run {manifest.id}, and the disk has {size_text(free)}")


def _require_same(manifest: Manifest, folder: Path) -> None:
    """Refuses a folder that does not hold every file of the manifest; it may hold more, such as a log."""
    if not all((path := folder / file.name).is_file() and file.is_content_of(path) for file in manifest.files):
        problem = f"run {manifest.id} is here with another content"
        raise StoreError(problem, remedy=f"delete that one first: python -m distrack delete {folder.name}")
