"""Downloads from a server that is slow, breaks off, lies and attacks."""

import hashlib
import logging
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack.datasets.download import Remote, fetch
from tests.file_server import FileServer

Content = Callable[[Path], dict[str, bytes]]
Refusal = Callable[[Callable[[], object]], str]

module = sys.modules["distrack.datasets.download"]
DATA = bytes(range(256)) * 1000  # a quarter of a megabyte
HALF = len(DATA) // 2


@pytest.fixture
def server(server: FileServer) -> FileServer:
    """A server of DATA."""
    server.data = DATA
    return server


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def left_in(folder: Path) -> list[str]:
    """Names of the files of all downloads, locks left out."""
    return sorted(path.name for path in folder.glob("*/*"))


class StoppedError(ValueError):
    """Raised by a progress callback to stop."""


# One file


@pytest.mark.parametrize("checksum", [md5(DATA), sha256(DATA), None])
def test_a_file_is_downloaded_once(
    server: FileServer, checksum: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reports: list[tuple[int, int]] = []
    remote = Remote(server.url(), checksum)
    with caplog.at_level(logging.INFO):
        file = fetch(remote, tmp_path, progress=lambda *report: reports.append(report))
    assert file.read_bytes() == DATA
    assert reports[0] == (0, 0)
    assert reports[-1] == (len(DATA), len(DATA))
    assert reports == sorted(reports)
    assert left_in(tmp_path) == ["sounds.zip"]
    assert fetch(remote, tmp_path) == file
    assert server.requests == [None]
    # Where no checksum is published, a person can compare this one.
    assert (f"{server.url()}; the downloaded file has {sha256(DATA)}" in caplog.text) == (checksum is None)


def test_a_file_that_was_damaged_on_this_disk_is_downloaded_again(server: FileServer, tmp_path: Path) -> None:
    remote = Remote(server.url(), md5(DATA))
    fetch(remote, tmp_path).write_bytes(b"damaged")
    assert fetch(remote, tmp_path).read_bytes() == DATA


def test_files_of_the_same_name_from_two_places_are_two_files(server: FileServer, tmp_path: Path) -> None:
    server.files["/two/a.zip"] = b"two"
    one, two = (fetch(Remote(server.url(path)), tmp_path) for path in ("/one/a.zip", "/two/a.zip"))
    assert (one.read_bytes(), two.read_bytes()) == (DATA, b"two")


def test_a_broken_download_continues_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    server.breaks = [HALF, 1000]
    assert fetch(Remote(server.url(), md5(DATA)), tmp_path).read_bytes() == DATA
    assert server.requests == [None, f"bytes={HALF}-", f"bytes={HALF + 1000}-"]


@pytest.mark.parametrize("checksum", [md5(DATA), None])
def test_it_starts_over_where_the_server_knows_no_parts(
    checksum: str | None, server: FileServer, tmp_path: Path
) -> None:
    server.ranges, server.breaks, server.validators = "", [HALF, 1000], {"ETag": '"1"'}
    assert fetch(Remote(server.url(), checksum), tmp_path).read_bytes() == DATA
    assert len(server.requests) == 3


# Without a checksum: the server tells whether the file is still the same.

DATED = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
WEAK = {"ETag": 'W/"1"'}


@pytest.mark.parametrize("validators", [{"ETag": '"1"'}, DATED, {**WEAK, **DATED}])
def test_a_file_without_a_checksum_continues_where_the_server_identifies_it(
    validators: dict[str, str], server: FileServer, tmp_path: Path
) -> None:
    server.validators, server.breaks = validators, [HALF, 1000]
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA
    assert server.requests == [None, f"bytes={HALF}-", f"bytes={HALF + 1000}-"]
    assert server.sent == [HALF, 1000, HALF - 1000]
    assert left_in(tmp_path) == ["sounds.zip"]


def test_a_file_without_a_checksum_is_continued_by_a_later_call(
    server: FileServer, tmp_path: Path, refusal: Refusal
) -> None:
    server.validators, server.breaks = {"ETag": '"1"'}, [HALF, 0, 0, 0]
    refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert left_in(tmp_path) == ["sounds.zip.part", "sounds.zip.validator"]
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA
    assert server.sent == [HALF, 0, 0, 0, HALF]


@pytest.mark.parametrize("ranges", ["served", "unconditional", "other"])
@pytest.mark.parametrize("size", [len(DATA), HALF, HALF - 1])
@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
def test_a_file_without_a_checksum_that_changes_during_the_download_starts_over(
    name: str, size: int, ranges: str, server: FileServer, tmp_path: Path
) -> None:
    """Also where the server does not know If-Range, or sends another part than requested."""
    new = b"n" * size
    server.ranges, server.validators = ranges, {name: '"1"'}
    server.breaks, server.then = [HALF, size // 3], lambda: vars(server).update(data=new, validators={name: '"2"'})
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == new
    assert server.requests[:2] == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize("validators", [{}, WEAK])
def test_a_file_without_a_checksum_starts_over_where_the_server_does_not_identify_its_bytes(
    validators: dict[str, str], server: FileServer, tmp_path: Path
) -> None:
    server.validators, server.breaks = validators, [HALF]
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA
    assert server.requests == [None, None]
    assert server.sent == [HALF, len(DATA)]


def test_a_new_version_that_is_not_identified_starts_over_too(server: FileServer, tmp_path: Path) -> None:
    """The validator of the first version does not outlive it."""
    server.validators, server.breaks = {"ETag": '"1"'}, [HALF, 1000]
    server.then = lambda: vars(server).update(data=DATA[::-1], validators={})
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA[::-1]
    assert server.requests == [None, f"bytes={HALF}-", None]


def test_a_part_without_a_checksum_that_is_complete_is_not_sent_again(server: FileServer, tmp_path: Path) -> None:
    """All bytes arrive, but the first answer announces one more. A kill before the last step leaves the same part."""
    server.validators, server.breaks, server.length = {"ETag": '"1"'}, [len(DATA)], str(len(DATA) + 1)
    server.then = lambda: setattr(server, "length", "")
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA
    assert server.sent == [len(DATA), 0]


# With a checksum: it decides.


def test_a_file_that_changes_during_the_download_is_refused_and_then_downloaded_again(
    server: FileServer, tmp_path: Path, refusal: Refusal
) -> None:
    new = b"n" * len(DATA)
    server.breaks, server.then = [HALF], lambda: setattr(server, "data", new)
    remote = Remote(server.url(), md5(new))
    assert "not the file that its authors published" in refusal(lambda: fetch(remote, tmp_path))
    assert left_in(tmp_path) == []
    assert fetch(remote, tmp_path).read_bytes() == new


def test_a_file_that_becomes_shorter_than_its_part_starts_over(server: FileServer, tmp_path: Path) -> None:
    new = b"n" * (HALF - 1)
    server.breaks, server.then = [HALF], lambda: setattr(server, "data", new)
    assert fetch(Remote(server.url(), md5(new)), tmp_path).read_bytes() == new


def test_another_part_than_requested_is_not_appended(server: FileServer, tmp_path: Path) -> None:
    server.ranges, server.breaks = "other", [HALF]
    assert fetch(Remote(server.url(), md5(DATA)), tmp_path).read_bytes() == DATA
    assert server.requests == [None, f"bytes={HALF}-", None]


def test_a_part_of_another_checksum_is_not_continued(server: FileServer, tmp_path: Path, refusal: Refusal) -> None:
    server.breaks = [HALF, 0, 0, 0]
    refusal(lambda: fetch(Remote(server.url(), md5(b"an older version")), tmp_path))
    assert fetch(Remote(server.url(), md5(DATA)), tmp_path).read_bytes() == DATA
    assert server.requests[-1] is None


def test_it_gives_up_when_nothing_more_arrives_and_continues_later(
    server: FileServer, tmp_path: Path, refusal: Refusal
) -> None:
    remote = Remote(server.url(), md5(DATA))
    server.breaks = [HALF, 10, 10, 10]
    message = refusal(lambda: fetch(remote, tmp_path))
    assert f"{server.url()} breaks off again and again" in message
    assert "128 kB" in message
    assert len(server.requests) == 4
    assert left_in(tmp_path) == ["sounds.zip.part"]
    assert fetch(remote, tmp_path).read_bytes() == DATA
    assert server.requests[-1] == f"bytes={HALF + 30}-"


def test_it_tries_again_as_long_as_enough_arrives(server: FileServer, tmp_path: Path) -> None:
    server.breaks, server.data = [70_000] * 7, DATA * 2
    assert fetch(Remote(server.url(), md5(DATA * 2)), tmp_path).read_bytes() == DATA * 2
    assert len(server.requests) == 8


def test_a_server_that_always_breaks_off_is_given_up(server: FileServer, tmp_path: Path, refusal: Refusal) -> None:
    server.ranges, server.breaks = "", [HALF] * 100
    assert "breaks off" in refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert len(server.requests) == 4


def test_a_server_that_falls_silent_is_given_up(
    server: FileServer, tmp_path: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUTS", (10.0, 0.05))
    server.pause = 1000
    assert "timed out" in refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert len(server.requests) == 4


def test_what_arrives_from_a_slow_server_is_reported(server: FileServer, tmp_path: Path) -> None:
    """The server sends the second half only after the first was reported."""
    server.pause = HALF

    def progress(done: int, _total: int) -> None:
        if done == HALF:
            server.go.set()

    assert fetch(Remote(server.url()), tmp_path, progress=progress).read_bytes() == DATA
    assert len(server.requests) == 1


def test_a_file_that_is_shorter_than_announced_is_refused(server: FileServer, tmp_path: Path, refusal: Refusal) -> None:
    server.length = str(len(DATA) + 100)
    assert "breaks off" in refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert "sounds.zip" not in left_in(tmp_path)


def test_a_file_that_is_longer_than_announced_is_refused(server: FileServer, tmp_path: Path, refusal: Refusal) -> None:
    server.length = str(HALF)
    assert "checksum" in refusal(lambda: fetch(Remote(server.url(), md5(DATA)), tmp_path))


@pytest.mark.parametrize("data", [DATA, b""])
def test_a_file_of_unknown_length_is_downloaded(data: bytes, server: FileServer, tmp_path: Path) -> None:
    server.length, server.data = "none", data
    reports: list[tuple[int, int]] = []
    remote = Remote(server.url(), md5(data), size=1_000_000)
    assert fetch(remote, tmp_path, progress=lambda *report: reports.append(report)).read_bytes() == data
    assert reports[0] == (0, 1_000_000)


def test_a_wrong_checksum_is_refused_and_the_file_removed(server: FileServer, tmp_path: Path, refusal: Refusal) -> None:
    remote = Remote(server.url(), md5(DATA))
    server.data = b"something else"
    message = refusal(lambda: fetch(remote, tmp_path))
    assert all(text in message for text in (server.url(), md5(DATA), md5(server.data)))
    assert left_in(tmp_path) == []
    server.data = DATA
    assert fetch(remote, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (403, 1), (401, 1), (500, 1), (418, 1), (503, 4), (429, 4)])
def test_a_server_that_refuses_is_quoted_and_a_busy_one_asked_again(
    status: int, attempts: int, server: FileServer, tmp_path: Path, refusal: Refusal
) -> None:
    server.status = status
    message = refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert server.url() in message
    assert f"answers {status}" in message
    assert len(server.requests) == attempts
    assert "later" in message


def test_a_host_that_cannot_be_reached_is_reported(tmp_path: Path, refusal: Refusal) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/a.zip"
        message = refusal(lambda: fetch(Remote(url), tmp_path))
    assert message.startswith(f"cannot download {url} ([Errno 111] Connection refused). Try again later, ")


def test_a_server_that_cannot_prove_its_identity_is_refused(
    server: FileServer, tmp_path: Path, refusal: Refusal
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    words += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, *words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    message = refusal(lambda: fetch(Remote(server.url().replace("http:", "https:")), tmp_path / "downloads"))
    assert "self-signed certificate" in message
    assert server.requests == []


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/a.zip", "file:///etc/passwd", "a.zip", "http:///a.zip", "doi:10.5281/1"]
)
def test_only_http_and_https_are_supported(url: str, tmp_path: Path, refusal: Refusal) -> None:
    assert url in refusal(lambda: fetch(Remote(url), tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fevil.zip", "..%5Cevil", "%00"])
def test_a_name_that_leads_out_is_refused(name: str, server: FileServer, tmp_path: Path, refusal: Refusal) -> None:
    refusal(lambda: fetch(Remote(server.url(f"/{name}")), tmp_path))
    assert server.requests == []


def test_room_is_checked_before_anything_is_downloaded(server: FileServer, tmp_path: Path, refusal: Refusal) -> None:
    message = refusal(lambda: fetch(Remote(server.url(), size=10**18), tmp_path))
    assert f"1000000000.0 GB are needed in {tmp_path}" in message
    assert server.requests == []
    server.length = str(10**18)
    assert "are needed" in refusal(lambda: fetch(Remote(server.url()), tmp_path))


def test_a_place_that_cannot_be_written_is_reported(server: FileServer, tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot write in" in refusal(lambda: fetch(Remote(server.url()), tmp_path / "file" / "downloads"))


def test_a_stop_keeps_the_part(server: FileServer, tmp_path: Path) -> None:
    server.pause = HALF
    remote = Remote(server.url(), md5(DATA))

    def stop(done: int, _total: int) -> None:
        if done:
            raise StoppedError

    with pytest.raises(StoppedError):
        fetch(remote, tmp_path, progress=stop)
    (part,) = tmp_path.glob("*/*.part")
    size = part.stat().st_size
    server.pause = None
    assert fetch(remote, tmp_path).read_bytes() == DATA
    assert server.requests[1] == f"bytes={size}-"


def test_a_download_killed_while_its_checksum_was_computed_is_complete(server: FileServer, tmp_path: Path) -> None:
    remote = Remote(server.url(), md5(DATA))
    file = fetch(remote, tmp_path)
    file.rename(file.with_name("sounds.zip.part"))
    assert fetch(remote, tmp_path).read_bytes() == DATA
    assert server.requests == [None, f"bytes={len(DATA)}-"]
    assert left_in(tmp_path) == ["sounds.zip"]
