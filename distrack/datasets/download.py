"""Datasets fetched from where their authors put them: resumed, checked, and there only when whole."""

import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from distrack.datasets.archive import member_path, refuse_place, size_text, unpack
from distrack.errors import DatasetError

log = logging.getLogger(__name__)

# Seconds before each new attempt, while nothing arrives in between.
_PAUSES: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_TELL_SECONDS = 0.1
_CHUNK = 256 * 1024
# So much more is there after an attempt that counts as none that failed.
_WORTH_IT = 64 * 1024
# Left free on the disk, for others.
_RESERVE = 50_000_000
_BUSY = frozenset({408, 429, 502, 503, 504})
_ADVICE = {
    401: "it asks for an account: get it by hand and pass --data-path with the folder that holds it",
    403: "it does not hand it out to everyone: get it by hand and pass --data-path with the folder that holds it",
    404: "it is no longer there: look for it on the dataset's home page and pass --data-path with the folder",
    410: "it is no longer there: look for it on the dataset's home page and pass --data-path with the folder",
}


class Remote(NamedTuple):
    """A file that is part of a dataset, where its authors put it.

    Attributes:
        url: http or https; the last part of its path is the file's name.
        checksum: as published, "md5:..." or "sha256:..."; None where there is none.
        size: in bytes, where it is known.
        unpacked: bytes at most when unpacked; by default 20 times the archive, but at least 1 GB.
        archive: whether it is to be unpacked; else it is kept as it is.
        path: the folder below the dataset's that it goes into.
    """

    url: str
    checksum: str | None = None
    size: int | None = None
    unpacked: int | None = None
    archive: bool = True
    path: str = ""


def download(
    remotes: Sequence[Remote],
    root: Path,
    *,
    downloads: Path,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Fetches the files of a dataset and unpacks them into `root`, where nothing is to be seen before all is there.

    A call that was interrupted, however it ended, goes on where it was. Of two processes that want the same, one waits.

    Args:
        remotes: the files.
        root: the folder to make.
        downloads: where the files are kept until they are unpacked.
        progress: told "downloading" or "unpacking", the bytes done and how many there are. What it raises stops it.

    Raises:
        DatasetError: `root` is there already, or a file cannot be fetched or unpacked.
    """
    if root.exists() or root.is_symlink():
        raise DatasetError(f"{root} is there already: use it, or remove it first to download it anew")
    tell = progress or (lambda *_: None)
    sizes = [remote.size or 0 for remote in remotes]
    partial = root.with_name(root.name + ".partial")
    with _locked(root.with_name(root.name + ".lock"), lambda: tell("downloading", 0, sum(sizes))):
        if root.is_dir():
            return
        try:
            shutil.rmtree(partial, ignore_errors=True)
            downloads.mkdir(parents=True, exist_ok=True)
            # What is unpacked takes at least as much as what it was packed into.
            lacking = sum(max(0, size - _there(remote, downloads)) for remote, size in zip(remotes, sizes, strict=True))
            same_disk = downloads.stat().st_dev == root.parent.stat().st_dev
            _need(root.parent, sum(sizes) + (lacking if same_disk else 0))
            files = []
            for place, remote in enumerate(remotes):
                before = sum(sizes[:place])

                def fetching(done: int, total: int, *, before: int = before, place: int = place) -> None:
                    sizes[place] = total
                    tell("downloading", before + done, sum(sizes))

                files.append(fetch(remote, downloads, progress=fetching))
            _unpack_all(remotes, files, partial, tell)
            partial.replace(root)
        except OSError as error:
            refuse_place(root.parent, error)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        for file in files:
            _forget(file)


def _unpack_all(
    remotes: Sequence[Remote], files: Sequence[Path], partial: Path, tell: Callable[[str, int, int], None]
) -> None:
    partial.mkdir()
    sizes = [file.stat().st_size for file in files]
    for place, (remote, file) in enumerate(zip(remotes, files, strict=True)):
        into = partial / member_path(remote.url, remote.path) if remote.path else partial
        into.mkdir(parents=True, exist_ok=True)
        if not remote.archive:
            shutil.copyfile(file, into / file.name)
            continue

        def unpacking(done: int, _total: int, *, before: int = sum(sizes[:place])) -> None:
            tell("unpacking", before + done, sum(sizes))

        most = remote.unpacked or max(20 * sizes[place], 1_000_000_000)
        try:
            unpack(file, into, most_bytes=most, progress=unpacking)
        except DatasetError:
            if remote.checksum is None:
                # It may be an error page in place of the file, and would be taken for the file again.
                _forget(file)
            raise
    tell("unpacking", sum(sizes), sum(sizes))


def fetch(remote: Remote, folder: Path, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Downloads one file below `folder`, on from where an earlier call was interrupted; instant where it is there.

    Args:
        remote: the file.
        folder: where it is kept: one folder for many files.
        progress: told the bytes there and how many there are. What it raises stops the download, to be gone on with.

    Returns:
        its path, in a folder of its own.

    Raises:
        DatasetError: it cannot be reached or is not there, its checksum is wrong, or the disk is full.
    """
    address = urlsplit(remote.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise DatasetError(f"cannot download {remote.url}: only http:// and https:// addresses are downloaded")
    key = _key(remote)
    name = member_path(remote.url, unquote(address.path.rpartition("/")[2]) or "file").name
    part = _Part(remote, folder / f"{key}.part", progress)
    try:
        with _locked(folder / f"{key}.lock", part.tell):
            return _retrieve(remote, folder / key, name, part)
    except OSError as error:
        refuse_place(folder, error)


def _retrieve(remote: Remote, own: Path, name: str, part: "_Part") -> Path:
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    own.mkdir(parents=True, exist_ok=True)
    for left in own.iterdir():
        if left.name != name:  # a temporary file of a process that was killed
            left.unlink()
    there = (own / name).exists()
    try:
        file = Path(pooch.retrieve(remote.url, remote.checksum, fname=name, path=own, downloader=part))
    except ValueError as error:
        if not part.whole:
            raise
        part.remove()
        found = str(error).partition("but got ")[2].partition(".")[0] or "another"
        raise DatasetError(
            f"{remote.url} is not what its authors published: its checksum is {found}, expected {remote.checksum}. "
            f"What was downloaded is removed. Try again; if it stays so, the file was changed or is not to be trusted"
        ) from None
    part.remove()
    if remote.checksum is None and not there:
        log.info("no checksum is published for %s; what came has sha256:%s", remote.url, pooch.file_hash(file))
    return file


def _key(remote: Remote) -> str:
    return hashlib.sha256(remote.url.encode()).hexdigest()[:24]


def _there(remote: Remote, folder: Path) -> int:
    """Bytes of a file that were fetched by earlier calls."""
    files = [folder / f"{_key(remote)}.part", *(folder / _key(remote)).glob("*")]
    return max(file.stat().st_size if file.exists() else 0 for file in files)


def _forget(file: Path) -> None:
    """Removes a fetched file and the folder of its own."""
    shutil.rmtree(file.parent, ignore_errors=True)


def _need(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _RESERVE:
        raise DatasetError(
            f"{size_text(size + _RESERVE)} are needed at {folder} and {size_text(free)} are free: "
            f"make room there, or set DISTRACK_DATA_PATH to another place"
        )


@contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse_place(path.parent, error)
    lock = FileLock(path)
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except Timeout:
            waiting()
    try:
        yield
    finally:
        lock.release()


class _BrokeOffError(Exception):
    """An attempt that failed in a way that another may not."""


class _Part:
    """A file that is on its way; pooch's downloader.

    Beside it lies what the server said of it: whether what comes next belongs to the same file is asked of the server.

    Attributes:
        whole: whether all of it was handed on.
    """

    def __init__(self, remote: Remote, path: Path, progress: Callable[[int, int], None] | None) -> None:
        self.remote, self.path, self.progress = remote, path, progress
        self.said_path = path.with_suffix(".json")
        self.whole = False
        self._answered = False
        self._told = 0.0

    def __call__(self, _url: str, output_file: str, _pooch: object, *, check_only: bool | None = None) -> None:
        """Downloads all there is, in as many attempts as bring it forward."""
        del check_only
        if self.remote.size is not None:
            _need(self.path.parent, self.remote.size - self.size())
        worth_it, failures = self.size(), 0
        while True:
            try:
                self._attempt()
                break
            except _BrokeOffError as error:
                if self.size() >= worth_it + _WORTH_IT:
                    worth_it, failures = self.size(), 0
                if failures == len(_PAUSES):
                    raise DatasetError(
                        f"the download of {self.remote.url} breaks off again and again ({error}), "
                        f"{size_text(self.size())} are there. Try again later: it goes on from there"
                    ) from None
                log.info("%s: %s, trying again", self.remote.url, error)
                self._pause(_PAUSES[failures])
                failures += 1
        output = Path(output_file)
        output.unlink(missing_ok=True)
        try:
            output.hardlink_to(self.path)  # so that it is not lost where the process is killed while pooch checks it
        except OSError:
            self.path.replace(output)
        self.whole = True

    def size(self) -> int:
        """Bytes there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def remove(self) -> None:
        """Starts over."""
        self.path.unlink(missing_ok=True)
        self.said_path.unlink(missing_ok=True)

    def said(self) -> dict[str, Any]:
        """What the server said: its `validator` (an ETag or a date) and the `total` in bytes."""
        try:
            said = json.loads(self.said_path.read_text())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def tell(self) -> None:
        """How far it is."""
        self._tell(self.size(), self.said().get("total"))

    def _tell(self, done: int, total: int | None) -> None:
        self._told = time.monotonic()
        if total is None:
            _need(self.path.parent, 0)
        if self.progress is not None:
            self.progress(done, max(total or self.remote.size or 0, done))

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self.tell()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
            self.tell()

    def _attempt(self) -> None:
        import requests

        said = self.said()
        validator = said.get("validator")
        if not (validator or (self.remote.checksum and said)):
            self.remove()  # nothing could tell whether what comes next belongs to it
        start = self.size()
        headers = {"Accept-Encoding": "identity", "User-Agent": "distrack"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if validator:
                headers["If-Range"] = validator
        try:
            response = requests.get(
                self.remote.url, headers=headers, stream=True, timeout=(_CONNECT_SECONDS, _READ_SECONDS)
            )
        except requests.exceptions.SSLError as error:
            raise DatasetError(
                f"cannot download {self.remote.url}: the server cannot show that it is who it claims to be "
                f"({_innermost(error)}). Check the date of this machine and the network it is in"
            ) from None
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            if self._answered:
                raise _BrokeOffError(_innermost(error)) from None
            raise DatasetError(
                f"cannot download {self.remote.url}: {urlsplit(self.remote.url).hostname} cannot be reached "
                f"({_innermost(error)}). Check the network and try again"
            ) from None
        except requests.exceptions.RequestException as error:
            raise DatasetError(
                f"cannot download {self.remote.url}: {_innermost(error)}. "
                f"Get it by hand and pass --data-path with the folder that holds it"
            ) from None
        self._answered = True
        with response:
            self._take(response, start, said)

    def _take(self, response: Any, start: int, said: dict[str, Any]) -> None:
        status, headers = response.status_code, response.headers
        length = _whole_number(headers.get("Content-Length"))
        ranged = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", "").strip())
        total = _whole_number(ranged[2]) if ranged else None
        if status == 416 and start:
            if total == start == (said.get("total") or start):
                self._tell(start, total)
                return
            self.remove()
            raise _BrokeOffError("the file has changed")
        if status == 206 and start:
            mine, expected = said.get("validator"), said.get("total")
            theirs = headers.get("ETag" if mine and mine.startswith('"') else "Last-Modified")
            total = expected if total is None else total
            other = (mine and theirs and mine != theirs) or (expected is not None and expected != total)
            if not ranged or _whole_number(ranged[1]) != start or other:
                self.remove()
                raise _BrokeOffError("the file has changed")
        elif status == 200:
            start, total = 0, length
        elif status in _BUSY:
            raise _BrokeOffError(f"the server answers {status}, {response.reason}")
        else:
            advice = _ADVICE.get(status, "try again later, or get it by hand and pass --data-path with the folder")
            raise DatasetError(
                f"cannot download {self.remote.url}: the server answers {status} ({response.reason}), {advice}"
            )
        if start == 0:
            self._begin(headers, total)
        if total is not None:
            _need(self.path.parent, total - start)
        self._write(response, start, total)

    def _begin(self, headers: Any, total: int | None) -> None:
        tag = headers.get("ETag")
        # A weak tag does not say that two files are the same byte for byte.
        validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
        # In this order: a process killed in between finds nothing to go on with.
        self.path.write_bytes(b"")
        self.said_path.write_text(json.dumps({"validator": validator, "total": total}))

    def _write(self, response: Any, start: int, total: int | None) -> None:
        import urllib3.exceptions

        done = start
        self._tell(done, total)
        with self.path.open("ab", buffering=0) as file:
            while True:
                try:
                    # As it was sent: an archive that a server calls compressed content stays an archive.
                    data = response.raw.read1(_CHUNK, decode_content=False)
                except urllib3.exceptions.HTTPError as error:
                    raise _BrokeOffError(_innermost(error)) from None
                if not data:
                    break
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
                done += len(data)
                if time.monotonic() - self._told >= _TELL_SECONDS:
                    self._tell(done, total)
        if total is not None and done != total:
            if done > total:
                self.remove()
            raise _BrokeOffError(f"{done} bytes came of {total}")
        self._tell(done, total)


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _innermost(error: BaseException) -> str:
    """What went wrong in the end, in one line, without the errors that it was wrapped into."""
    from http.client import HTTPException

    from urllib3.exceptions import HTTPError

    seen = error
    while isinstance(inner := seen.__cause__ or seen.__context__, (OSError, HTTPError, HTTPException)):
        seen = inner
    text = getattr(seen, "strerror", None) or str(seen) or type(seen).__name__
    return str(text).splitlines()[0]
