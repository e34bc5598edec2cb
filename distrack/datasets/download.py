"""Datasets downloaded from where their authors publish them: resumed, checked, and visible only when they are whole.

Download libraries such as pooch start a broken download over, and unpack without limits. So the few lines that continue
a file where its last attempt ended are here.
"""

import hashlib
import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from distrack.datasets.archive import unpack
from distrack.datasets.disk import require_room, writing_below
from distrack.datasets.untrusted import member_path
from distrack.errors import DatasetError
from distrack.files import fill_once, locked, size_text, write_atomically
from distrack.progress import DetailedProgress, Progress, unwatched

log = logging.getLogger(__name__)

# Seconds before each further attempt. One that brought enough bytes is followed by as many again.
_PAUSES: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
_ENOUGH = 64 * 1024
# Seconds to connect and to wait for more bytes.
_TIMEOUTS = (10.0, 30.0)
_CHUNK = 256 * 1024
_BUSY = frozenset({408, 429, 502, 503, 504})


class Remote(NamedTuple):
    """A file of a dataset, as its authors publish it.

    Attributes:
        url: an http or https address; the last part of its path is the file's name.
        checksum: as published, "md5:..." or "sha256:..."; None where none is published.
        size: in bytes, where it is known.
        unpacked: largest size of the content; by default 20 times the archive, but at least 1 GB.
        archive: whether the file is unpacked; otherwise it is copied.
        path: the folder below the dataset's folder that the file belongs into.
    """

    url: str
    checksum: str | None = None
    size: int | None = None
    unpacked: int | None = None
    archive: bool = True
    path: str = ""


def download(remotes: Sequence[Remote], root: Path, *, downloads: Path, progress: DetailedProgress = unwatched) -> None:
    """Downloads the files of a dataset and unpacks them into a folder that appears when it is whole.

    An interrupted call, however it ended, is continued by the next. Of two processes that want the same, one waits.

    Args:
        downloads: the folder that holds the files until they are unpacked.
        progress: gets the bytes of one file that are done, those in all, and "downloading" or "unpacking". What it
            raises ends the call.

    Raises:
        DatasetError: `root` exists, or a file cannot be downloaded or unpacked.
    """
    if root.exists() or root.is_symlink():
        raise DatasetError(f"{root} exists. Use it, or remove it to download it again")
    files = {remote: _place(remote, downloads) for remote in remotes}

    def fill(unfinished: Path) -> None:
        _require_room_for_all(files, downloads, root)
        for remote in files:
            file = fetch(remote, downloads, progress=lambda done, total: progress(done, total, "downloading"))
            into = unfinished / member_path(remote.url, remote.path) if remote.path else unfinished
            into.mkdir(parents=True, exist_ok=True)
            if remote.archive:
                _unpack(remote, file, into, lambda done, total: progress(done, total, "unpacking"))
            else:
                shutil.copyfile(file, into / file.name)

    with writing_below(root.parent):
        size = sum(remote.size or 0 for remote in remotes)
        if fill_once(root, fill, waiting=lambda: progress(0, size, "downloading")):
            for file in files.values():
                shutil.rmtree(file.parent, ignore_errors=True)


def _require_room_for_all(files: Mapping[Remote, Path], downloads: Path, root: Path) -> None:
    """Checks the room for all files and their content, which takes at least as much as an archive."""
    downloads.mkdir(parents=True, exist_ok=True)
    sizes = {file: remote.size or 0 for remote, file in files.items()}
    missing = sum(max(0, size - _size(file) - _size(_part_of(file))) for file, size in sizes.items())
    same_disk = downloads.stat().st_dev == root.parent.stat().st_dev
    require_room(root.parent, sum(sizes.values()) + missing * same_disk)


def _unpack(remote: Remote, file: Path, into: Path, progress: Progress) -> None:
    try:
        unpack(file, into, most_bytes=remote.unpacked or max(20 * _size(file), 1_000_000_000), progress=progress)
    except DatasetError:
        if remote.checksum is None:
            file.unlink()  # it may be an error page instead of the archive, and would be used again
        raise


def fetch(remote: Remote, folder: Path, *, progress: Progress = unwatched) -> Path:
    """The path of a downloaded file; a download that an earlier call began is continued.

    The checksum tells whether the parts of a file belong together. Without a checksum, the server's strong ETag or date
    of the file tells it; where the server sends neither, or the file has changed, the download starts over.

    Args:
        folder: the folder of all downloads; the file gets a folder of its own there.
        progress: gets the bytes on disk and in all. What it raises ends the call.

    Raises:
        DatasetError: the server cannot be reached or does not have the file, the checksum is wrong, or the disk is
            full.
    """
    file = _place(remote, folder)
    part = _part_of(file)

    def report(total: int = 0) -> None:
        done, total = _size(part), total or remote.size or 0
        require_room(folder, max(0, total - done))
        progress(done, max(total, done))

    with writing_below(folder):
        file.parent.mkdir(parents=True, exist_ok=True)
        with locked(file.parent.with_suffix(".lock"), waiting=report):
            if not file.exists() or _checksum(file, remote) != remote.checksum:
                _complete(remote, part, report)
                _verify(remote, part)
                part.replace(file)
                _validator_file(part).unlink(missing_ok=True)
    return file


def _place(remote: Remote, folder: Path) -> Path:
    """The path of a downloaded file. A file of another checksum has another path, so its parts are never mixed in."""
    address = urlsplit(remote.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise DatasetError(f"cannot download {remote.url}. Only http:// and https:// addresses are supported")
    key = hashlib.sha256(f"{remote.url} {remote.checksum}".encode()).hexdigest()[:24]
    return folder / key / member_path(remote.url, unquote(address.path.rpartition("/")[2]) or "file").name


def _part_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.part")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _checksum(file: Path, remote: Remote) -> str | None:
    """The checksum of a file, written as that of the remote; None where that has none."""
    if remote.checksum is None:
        return None
    algorithm = remote.checksum.partition(":")[0]
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, partial(hashlib.new, algorithm, usedforsecurity=False))
    return f"{algorithm}:{digest.hexdigest()}"


def _complete(remote: Remote, part: Path, report: Callable[..., None]) -> None:
    """Downloads the rest of a part, in as many attempts as bring it forward."""
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    report()
    most, failures, answered = _size(part), 0, False
    while True:
        try:
            _attempt(remote, part, report)
            return
        except (RequestException, HTTPError) as error:
            response = getattr(error, "response", None)
            reason = _cause(error) if response is None else f"the server answers {response.status_code}"
            if not _is_temporary(error, answered):
                problem = f"cannot download {remote.url} ({reason}). Try again later, or download it by hand"
                raise DatasetError(problem, remedy="pass --data-path with its folder") from None
            answered = True
            if _size(part) >= most + _ENOUGH:
                most, failures = _size(part), 0
            if failures == len(_PAUSES):
                raise DatasetError(
                    f"the download of {remote.url} breaks off again and again ({reason}). "
                    f"{size_text(_size(part))} are here. Try again later"
                ) from None
            log.info("%s: %s, trying again", remote.url, reason)
            end = time.monotonic() + _PAUSES[failures]
            failures += 1
            while time.monotonic() < end:
                report()
                time.sleep(0.1)


def _is_temporary(error: Exception, answered: bool) -> bool:
    """Whether another attempt may succeed. A server that has never answered is not tried again."""
    from requests.exceptions import ConnectionError as NoConnectionError
    from requests.exceptions import RequestException, Timeout

    if not isinstance(error, RequestException):  # the connection broke while the file was received
        return True
    if error.response is not None:
        return error.response.status_code in _BUSY
    return answered and isinstance(error, (NoConnectionError, Timeout))


def _verify(remote: Remote, part: Path) -> None:
    if (checksum := _checksum(part, remote)) != remote.checksum:
        part.unlink()
        raise DatasetError(
            f"{remote.url} is not the file that its authors published: its checksum is {checksum}, expected "
            f"{remote.checksum}. It was removed. Try again; if the error stays, do not trust the file"
        )
    if checksum is None:
        checksum = _checksum(part, remote._replace(checksum="sha256:"))
        log.info("no checksum is published for %s; the downloaded file has %s", remote.url, checksum)


def _attempt(remote: Remote, part: Path, report: Callable[..., None]) -> None:
    import requests

    stored = _validator_file(part)
    validator = stored.read_text(encoding="utf-8") if stored.exists() and not remote.checksum else ""
    start = _size(part) if remote.checksum or validator else 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "distrack"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    with requests.get(remote.url, headers=headers, stream=True, timeout=_TIMEOUTS) as response:
        if start and response.status_code in (206, 416):
            if not _continues(response.headers, start, validator):
                part.unlink()
                _attempt(remote, part, report)
                return
            if response.status_code == 416:
                return  # the part is the whole file
        else:
            response.raise_for_status()
            start = 0
        length = response.raw.length_remaining
        total = start + length if length else 0
        with part.open("ab" if start else "wb") as file:
            if not (start or remote.checksum):
                # The part is empty by now: a kill leaves no bytes of one version with the validator of another.
                write_atomically(stored, _validator(response.headers))
            report(total)
            # As it was sent: an archive stays one where a server calls its compression an encoding.
            while data := response.raw.read1(_CHUNK, decode_content=False):
                file.write(data)
                file.flush()
                report(total)


def _continues(headers: Mapping[str, str], start: int, validator: str) -> bool:
    """Whether an answer holds the same file from byte `start` to the end, or says that the file ends there."""
    if validator and _validator(headers) not in ("", validator):
        return False  # the file has changed, and the server ignores If-Range
    content_range = headers.get("Content-Range", "")
    rest = re.fullmatch(rf"bytes {start}-(\d{{1,18}})/(\d{{1,18}})", content_range)
    return content_range == f"bytes */{start}" or (rest is not None and int(rest[1]) + 1 == int(rest[2]))


def _validator(headers: Mapping[str, str]) -> str:
    """The ETag or else the date that identifies a version of a file, as If-Range takes it; empty where there is none.

    A weak ETag is left out: it does not promise that the bytes are the same.
    """
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def _validator_file(part: Path) -> Path:
    """Holds the validator of the version that a part belongs to."""
    return part.with_suffix(".validator")


def _cause(error: BaseException) -> str:
    """The innermost cause of a network error, in one line."""
    while isinstance(cause := error.__cause__ or error.__context__, Exception):
        error = cause
    return (str(error).splitlines() or [type(error).__name__])[0]
