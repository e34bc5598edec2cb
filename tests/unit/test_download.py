"""Downloads from a real server that is slow, breaks off, changes its mind, lies and attacks."""

import hashlib
import io
import logging
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from distrack.datasets.download import Remote, download, fetch
from distrack.errors import DatasetError
from distrack.settings import PROJECT

module = sys.modules["distrack.datasets.download"]  # behind the function of that name
DATA = bytes(range(256)) * 2000  # half a megabyte
HALF = len(DATA) // 2


class Server(ThreadingHTTPServer):
    """Serves one file, as well or as badly as it is told to.

    Attributes:
        data, tag, date: the file, its ETag and its date.
        status: answered instead of the file.
        ranges: whether it knows Range; "deaf" to If-Range where it only knows that.
        drops: before how many bytes of the answers to come the connection breaks.
        holds: after how many bytes an answer waits until `go` is set.
        claims: its Content-Length, where it lies; "nothing" where it names none.
        asked: Range and If-Range of each request.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.tag, self.date = DATA, '"one"', ""
        self.status, self.ranges, self.claims = 200, "known", ""
        self.drops: list[int] = []
        self.holds: int | None = None
        self.go = threading.Event()
        self.asked: list[tuple[str | None, str | None]] = []
        self.then: Callable[[], None] = lambda: None

    def url(self, path: str = "/files/sounds.zip?download=1") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what is tested."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing is to be printed."""

    def do_GET(self) -> None:
        server, ranged, condition = self.server, self.headers["Range"], self.headers["If-Range"]
        server.asked.append((ranged, condition))
        if server.status != 200:
            self.send_response(server.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        same = condition in (None, server.tag, server.date) or server.ranges == "deaf"
        start = int(ranged[6:-1]) if ranged and server.ranges and same else 0
        size = len(server.data)
        body = server.data[start:]
        self.send_response(416 if start >= size > 0 else 206 if start else 200)
        if start >= size > 0:
            body = b""
            self.send_header("Content-Range", f"bytes */{size}")
        elif start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        for name, value in (("ETag", server.tag), ("Last-Modified", server.date)):
            if value:
                self.send_header(name, value)
        if server.claims == "nothing":
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", (not start and server.claims) or str(len(body)))
        self.end_headers()
        drop = server.drops.pop(0) if server.drops else None
        if drop is None and server.claims not in ("", "nothing"):
            drop = len(body)
        if server.holds is not None:
            self.wfile.write(body[: server.holds])
            self.wfile.flush()
            server.go.wait(30)
            body = body[server.holds :]
        self.wfile.write(body[:drop])
        if drop is not None:
            self.close_connection = True
            server.then()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0, 0.0))
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.go.set()
        server.shutdown()
        thread.join()


def md5(data: bytes) -> str:
    return "md5:" + hashlib.md5(data, usedforsecurity=False).hexdigest()


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.part"))


def left(folder: Path) -> list[str]:
    """What is kept there, locks aside."""
    return sorted(path.suffix or "own" for path in folder.iterdir() if path.suffix != ".lock")


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(DatasetError) as told:
        call()
    assert "\n" not in str(told.value)
    return str(told.value)


# One file.


@pytest.mark.parametrize("checksum", [md5(DATA), sha256(DATA), sha256(DATA).upper().replace("SHA", "sha"), None])
def test_a_file_is_fetched_once(server: Server, tmp_path: Path, checksum: str | None) -> None:
    told: list[tuple[int, int]] = []
    remote = Remote(server.url(), checksum)
    file = fetch(remote, tmp_path, progress=lambda done, total: told.append((done, total)))
    assert file.read_bytes() == DATA
    assert file.name == "sounds.zip"
    assert told[0] == (0, len(DATA))
    assert told[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert left(tmp_path) == ["own"]
    assert fetch(remote, tmp_path) == file
    assert server.asked == [(None, None)]


def test_the_checksum_of_what_has_none_is_logged(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        fetch(Remote(server.url()), tmp_path)
    assert sha256(DATA) in caplog.text
    assert server.url() in caplog.text


def test_a_file_that_was_spoiled_on_this_disk_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    remote = Remote(server.url(), md5(DATA))
    fetch(remote, tmp_path).write_bytes(b"spoiled")
    assert fetch(remote, tmp_path).read_bytes() == DATA
    assert len(server.asked) == 2


def test_files_of_the_same_name_from_two_places_are_kept_apart(server: Server, tmp_path: Path) -> None:
    one = fetch(Remote(server.url("/one/a.zip")), tmp_path)
    server.data = b"two"
    two = fetch(Remote(server.url("/two/a.zip")), tmp_path)
    assert (one.read_bytes(), two.read_bytes()) == (DATA, b"two")


@pytest.mark.parametrize(("tag", "date"), [('"one"', ""), ("", "Mon, 01 Jan 2024 00:00:00 GMT"), ('W/"one"', "today")])
def test_a_broken_connection_is_resumed_where_it_broke(server: Server, tmp_path: Path, tag: str, date: str) -> None:
    server.tag, server.date, server.drops = tag, date, [HALF, 1000]
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA
    validator = date if tag.startswith("W/") or not tag else tag
    assert server.asked == [(None, None), (f"bytes={HALF}-", validator), (f"bytes={HALF + 1000}-", validator)]


def test_a_slow_server_is_waited_for_and_what_came_is_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends the second half when the first was told of."""
    monkeypatch.setattr(module, "_TELL_SECONDS", 0.0)
    server.holds = HALF

    def progress(done: int, _total: int) -> None:
        if done == HALF:
            server.go.set()

    assert fetch(Remote(server.url()), tmp_path, progress=progress).read_bytes() == DATA
    assert len(server.asked) == 1


def test_a_file_that_changed_in_between_starts_over(server: Server, tmp_path: Path) -> None:
    """By a server that knows If-Range, and by one that hands out the rest of the new file for the rest of the old."""
    for place, ranges in enumerate(("known", "deaf")):
        new = bytes([place + 1]) * len(DATA)

        def change(new: bytes = new) -> None:
            server.data, server.tag = new, '"two"'

        server.data, server.tag, server.drops, server.ranges, server.then = DATA, '"one"', [HALF], ranges, change
        assert fetch(Remote(server.url(f"/{ranges}")), tmp_path).read_bytes() == new


def test_a_file_that_changed_unnoticed_but_for_its_length_starts_over(server: Server, tmp_path: Path) -> None:
    """A server without ETag or date; a checksum is known, so that it may be resumed at all."""
    new = b"n" * (len(DATA) + 1)
    server.tag, server.drops = "", [HALF]
    server.then = lambda: setattr(server, "data", new)
    assert fetch(Remote(server.url(), md5(new)), tmp_path).read_bytes() == new
    assert server.asked[1] == (f"bytes={HALF}-", None)


def test_a_file_that_shrank_starts_over(server: Server, tmp_path: Path) -> None:
    server.tag, server.drops = "", [HALF]
    server.then = lambda: setattr(server, "data", DATA[:100])
    assert fetch(Remote(server.url(), md5(DATA[:100])), tmp_path).read_bytes() == DATA[:100]


def test_what_nothing_vouches_for_is_not_resumed(server: Server, tmp_path: Path) -> None:
    server.tag, server.drops = "", [HALF]
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA
    assert server.asked == [(None, None), (None, None)]


def test_a_rest_that_comes_without_its_length_is_compared_with_the_whole(server: Server, tmp_path: Path) -> None:
    server.drops, server.then = [HALF, 1000], lambda: setattr(server, "claims", "nothing")
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA
    assert server.asked[2] == (f"bytes={HALF + 1000}-", '"one"')


def test_a_server_that_ignores_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges, server.drops = "", [HALF, 1000]
    assert fetch(Remote(server.url(), md5(DATA)), tmp_path).read_bytes() == DATA


def test_it_gives_up_where_nothing_more_comes_and_goes_on_later(server: Server, tmp_path: Path) -> None:
    remote = Remote(server.url(), md5(DATA))
    server.drops = [HALF, 10, 10, 10]
    message = refusal(lambda: fetch(remote, tmp_path))
    assert "breaks off again and again" in message
    assert server.url() in message
    assert "256 kB" in message
    assert len(server.asked) == 4
    assert left(tmp_path) == [".json", ".part", "own"]
    assert parts(tmp_path)[0].read_bytes() == DATA[: HALF + 30]
    server.drops.clear()
    assert fetch(remote, tmp_path).read_bytes() == DATA
    assert server.asked[-1] == (f"bytes={HALF + 30}-", '"one"')


def test_as_many_attempts_are_made_as_bring_it_forward(server: Server, tmp_path: Path) -> None:
    server.drops = [70_000] * 7
    assert fetch(Remote(server.url()), tmp_path).read_bytes() == DATA
    assert len(server.asked) == 8


def test_a_server_that_ignores_ranges_and_breaks_off_is_given_up(server: Server, tmp_path: Path) -> None:
    server.ranges, server.drops = "", [HALF] * 100
    assert "breaks off" in refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert len(server.asked) < 10


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.status = 503
    message = refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert "503" in message
    assert len(server.asked) == 4


def test_a_length_that_is_claimed_but_does_not_come_is_refused(server: Server, tmp_path: Path) -> None:
    server.claims = str(len(DATA) + 100)
    assert "breaks off" in refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert not list(tmp_path.rglob("sounds.zip"))


def test_a_length_that_is_too_short_is_found_by_the_checksum(server: Server, tmp_path: Path) -> None:
    server.claims = str(HALF)
    assert "checksum" in refusal(lambda: fetch(Remote(server.url(), md5(DATA)), tmp_path))


def test_a_file_whose_length_is_not_told_is_fetched(server: Server, tmp_path: Path) -> None:
    server.claims = "nothing"
    told: list[tuple[int, int]] = []
    remote = Remote(server.url(), size=1_000_000)
    assert fetch(remote, tmp_path, progress=lambda *at: told.append(at)).read_bytes() == DATA
    assert told[0] == (0, 1_000_000)


def test_an_empty_file_is_fetched(server: Server, tmp_path: Path) -> None:
    server.data = b""
    assert fetch(Remote(server.url(), md5(b"")), tmp_path).read_bytes() == b""


def test_a_wrong_checksum_is_refused_and_what_came_removed(server: Server, tmp_path: Path) -> None:
    remote = Remote(server.url(), md5(DATA))
    server.data = b"something else"
    message = refusal(lambda: fetch(remote, tmp_path))
    assert md5(DATA) in message
    assert md5(b"something else")[4:] in message
    assert server.url() in message
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    server.data = DATA
    assert fetch(remote, tmp_path).read_bytes() == DATA
    assert server.asked == [(None, None), (None, None)]


@pytest.mark.parametrize(
    ("status", "advice"), [(404, "home page"), (403, "by hand"), (401, "account"), (500, "later"), (418, "by hand")]
)
def test_a_server_that_refuses_is_quoted_with_what_to_do(
    server: Server, tmp_path: Path, status: int, advice: str
) -> None:
    server.status = status
    message = refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert server.url() in message
    assert str(status) in message
    assert advice in message
    assert len(server.asked) == 1


def test_a_host_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/a.zip"
        message = refusal(lambda: fetch(Remote(url), tmp_path))
    assert message == (
        f"cannot download {url}: 127.0.0.1 cannot be reached (Connection refused). Check the network and try again"
    )


def test_a_server_that_falls_silent_is_not_waited_for_without_end(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_READ_SECONDS", 0.05)
    server.holds = 1000
    message = refusal(lambda: fetch(Remote(server.url()), tmp_path))
    assert "timed out" in message
    assert len(server.asked) == 4


def test_a_server_that_is_not_what_it_claims_is_told(server: Server, tmp_path: Path) -> None:
    message = refusal(lambda: fetch(Remote(server.url().replace("http:", "https:")), tmp_path))
    assert "who it claims to be" in message


def test_a_certificate_that_nobody_vouches_for_is_refused(server: Server, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    words += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([openssl, *words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    message = refusal(lambda: fetch(Remote(server.url().replace("http:", "https:")), tmp_path / "downloads"))
    assert "self-signed certificate" in message
    assert server.asked == []


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/a.zip", "file:///etc/passwd", "a.zip", "http:///a.zip", "doi:10.5281/1"]
)
def test_only_http_and_https_are_fetched(url: str, tmp_path: Path) -> None:
    assert url in refusal(lambda: fetch(Remote(url), tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fevil.zip", "..%5Cevil", "%00"])
def test_a_name_that_leads_out_is_refused(name: str, server: Server, tmp_path: Path) -> None:
    refusal(lambda: fetch(Remote(server.url(f"/{name}")), tmp_path))
    assert server.asked == []


def test_room_is_asked_for_before_anything_is_fetched(server: Server, tmp_path: Path) -> None:
    message = refusal(lambda: fetch(Remote(server.url(), size=10**18), tmp_path))
    assert "1000000000.0 GB are needed" in message
    assert str(tmp_path) in message
    assert server.asked == []
    server.claims = str(10**18)
    assert "are needed" in refusal(lambda: fetch(Remote(server.url()), tmp_path))


def test_a_place_that_cannot_be_written_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in refusal(lambda: fetch(Remote(server.url()), tmp_path / "file" / "downloads"))


class StoppedError(ValueError):
    """What a person's stop raises; a ValueError is what pooch raises for a wrong checksum."""


def test_a_stop_keeps_what_came(server: Server, tmp_path: Path) -> None:
    server.holds = HALF
    remote = Remote(server.url(), md5(DATA))

    def stop(done: int, _total: int) -> None:
        if done:
            raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", 1000)
        patch.setattr(module, "_TELL_SECONDS", 0.0)
        with pytest.raises(StoppedError):
            fetch(remote, tmp_path, progress=stop)
    there = parts(tmp_path)[0].stat().st_size
    assert there >= 1000
    server.holds = None
    assert fetch(remote, tmp_path).read_bytes() == DATA
    assert server.asked[1] == (f"bytes={there}-", '"one"')


# Processes.

CHILD = """
import os, signal, sys
import pooch.core
from pathlib import Path
from distrack.datasets.download import Remote, download, fetch

url, checksum, folder, root = sys.argv[1:]
remote = Remote(url, checksum)
if root == "die while it is checked":
    pooch.core.hash_matches = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    fetch(remote, Path(folder))
elif root:
    download([remote], Path(root), downloads=Path(folder))
else:
    print(fetch(remote, Path(folder)))
"""


def child(server: Server, folder: Path, *, data: bytes = DATA, root: str = "") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", CHILD, server.url(), md5(data), str(folder), root]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.Popen(
        words, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_a_killed_download_goes_on_where_it_was(server: Server, tmp_path: Path, until: Callable[..., None]) -> None:
    server.holds = HALF
    with child(server, tmp_path) as process:
        until(lambda: parts(tmp_path) and parts(tmp_path)[0].stat().st_size == HALF, 60)
        process.kill()
    server.holds = None
    assert fetch(Remote(server.url(), md5(DATA)), tmp_path).read_bytes() == DATA
    assert server.asked == [(None, None), (f"bytes={HALF}-", '"one"')]
    assert left(tmp_path) == ["own"]


def test_a_download_killed_while_it_was_checked_is_not_lost(server: Server, tmp_path: Path) -> None:
    with child(server, tmp_path, root="die while it is checked") as process:
        assert process.wait(60) == -signal.SIGKILL
    assert len(list(tmp_path.glob("*/tmp*"))) == 1  # which pooch was about to check
    server.asked.clear()
    file = fetch(Remote(server.url(), md5(DATA)), tmp_path)
    assert file.read_bytes() == DATA
    assert server.asked == [(f"bytes={len(DATA)}-", '"one"')]  # which the server answers with: there is no more
    assert list(file.parent.iterdir()) == [file]


def test_nothing_is_printed(server: Server, tmp_path: Path) -> None:
    with child(server, tmp_path) as process:
        printed = process.communicate(timeout=60)
    assert printed == (f"{fetch(Remote(server.url(), md5(DATA)), tmp_path)}\n", "")


def test_two_processes_fetch_a_file_once(server: Server, tmp_path: Path, until: Callable[..., None]) -> None:
    server.holds = HALF
    waited: list[tuple[int, int]] = []
    with child(server, tmp_path) as process:
        until(lambda: parts(tmp_path) and parts(tmp_path)[0].stat().st_size == HALF, 60)

        def progress(done: int, total: int) -> None:
            waited.append((done, total))
            server.go.set()

        file = fetch(Remote(server.url(), md5(DATA)), tmp_path, progress=progress)
        assert process.wait(60) == 0
    assert file.read_bytes() == DATA
    assert waited[0] == (HALF, len(DATA))  # of what the other does
    assert len(server.asked) == 1


# A whole dataset.


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def found(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """The folder to make and that of the downloads."""
    return tmp_path / "data" / "esc50", tmp_path / "data" / "downloads"


def nothing_there(root: Path, downloads: Path) -> bool:
    """Neither the dataset nor its archives, nor anything beside them but locks."""
    here = {path.name for path in root.parent.iterdir() if path.suffix != ".lock"} - {downloads.name}
    return not here and not left(downloads)


class Files(dict[str, bytes]):
    """What a server has at its paths."""


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> Files:
    """Lets the server serve many files instead of one."""
    files, plain = Files(), Handler.do_GET

    def do_get(self: Handler) -> None:
        self.server.data = files[self.path]
        plain(self)

    monkeypatch.setattr(Handler, "do_GET", do_get)
    return files


def test_a_dataset_of_several_files_is_put_together(server: Server, several: Files, places: tuple[Path, Path]) -> None:
    root, downloads = places
    several["/a.zip"] = zipped(("dogs/1.wav", b"one"))
    several["/b.zip"] = zipped(("2.wav", b"two" * 1000))
    several["/meta.csv"] = b"name,class"
    remotes = [
        Remote(server.url("/a.zip"), md5(several["/a.zip"]), len(several["/a.zip"])),
        Remote(server.url("/b.zip"), size=len(several["/b.zip"]), path="cats/deep"),
        Remote(server.url("/meta.csv"), archive=False, path="meta"),
    ]
    told: list[tuple[str, int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        assert not root.exists()
        told.append((what, done, total))

    download(remotes, root, downloads=downloads, progress=progress)
    assert found(root) == {"dogs/1.wav": b"one", "cats/deep/2.wav": b"two" * 1000, "meta/meta.csv": b"name,class"}
    total = sum(map(len, several.values()))
    assert [at for at in told if at[0] == "downloading"][-1] == ("downloading", total, total)
    assert told[-1] == ("unpacking", total, total)
    for what in ("downloading", "unpacking"):
        done = [at[1] for at in told if at[0] == what]
        assert done == sorted(done)
    shutil.rmtree(root)
    assert nothing_there(root, downloads)


def test_a_dataset_that_is_there_is_not_touched(server: Server, places: tuple[Path, Path]) -> None:
    root, downloads = places
    root.mkdir(parents=True)
    message = refusal(lambda: download([Remote(server.url())], root, downloads=downloads))
    assert f"{root} is there already" in message
    assert server.asked == []


def tarred(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("fine.wav"))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, to
        archive.addfile(info)
    return buffer.getvalue()


def lying_bomb() -> bytes:
    """Twenty megabytes of nothing in a small zip that claims ten bytes."""
    data = bytearray(zipped(("bomb.wav", bytes(20_000_000))))
    central = data.index(b"PK\1\2")
    data[22:26] = data[central + 24 : central + 28] = (10).to_bytes(4, "little")
    return bytes(data)


ATTACKS = {
    "climbs out": tarred("../../evil.wav"),
    "absolute": tarred("/tmp/distrack-evil.wav"),
    "symbolic link": tarred("link", tarfile.SYMTYPE, "../../.."),
    "hard link": tarred("link", tarfile.LNKTYPE, "../../../outside"),
    "zip that climbs out": zipped(("../../evil.wav", b"x")),
    "bomb": zipped(("bomb.wav", bytes(20_000_000))),
    "bomb that lies": lying_bomb(),
    "cut off": tarred("1.wav")[:-20],
    "error page": b"<!DOCTYPE html><title>Sorry</title>",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_archive_that_attacks_leaves_nothing(attack: str, server: Server, places: tuple[Path, Path]) -> None:
    root, downloads = places
    (root.parent.parent / "outside").write_text("mine")
    server.data = ATTACKS[attack]
    remote = Remote(server.url(), unpacked=1_000_000)
    assert "sounds.zip" in refusal(lambda: download([remote], root, downloads=downloads))
    assert nothing_there(root, downloads)
    assert {path.name for path in root.parent.parent.iterdir()} == {"data", "outside"}
    assert not Path("/tmp/distrack-evil.wav").exists()
    server.data = zipped(("1.wav", b"x"))
    download([remote], root, downloads=downloads)
    assert found(root) == {"1.wav": b"x"}


def test_an_archive_of_a_known_checksum_is_kept_where_it_cannot_be_unpacked(
    server: Server, places: tuple[Path, Path]
) -> None:
    """The disk may have been full: it is not the file's fault."""
    root, downloads = places
    server.data = zipped(("1.wav", bytes(100_000)))
    remote = Remote(server.url(), md5(server.data))
    refusal(lambda: download([remote._replace(unpacked=1000)], root, downloads=downloads))
    assert not root.exists()
    download([remote], root, downloads=downloads)
    assert len(server.asked) == 1


def test_an_archive_may_hold_much_more_than_its_size_unless_said_otherwise(
    server: Server, places: tuple[Path, Path]
) -> None:
    root, downloads = places
    server.data = zipped(("silence.wav", bytes(20_000_000)))
    download([Remote(server.url())], root, downloads=downloads)
    assert (root / "silence.wav").stat().st_size == 20_000_000


def test_a_stop_while_unpacking_leaves_nothing_to_be_seen_and_the_archive(
    server: Server, places: tuple[Path, Path]
) -> None:
    root, downloads = places
    server.data = zipped(("1.wav", b"x"), ("2.wav", b"x"))
    remote = Remote(server.url(), md5(server.data))

    def stop(what: str, _done: int, _total: int) -> None:
        if what == "unpacking":
            raise StoppedError

    with pytest.raises(StoppedError):
        download([remote], root, downloads=downloads, progress=stop)
    assert [path.name for path in root.parent.iterdir() if path.suffix != ".lock"] == ["downloads"]
    download([remote], root, downloads=downloads)
    assert len(found(root)) == 2
    assert len(server.asked) == 1


def test_what_a_killed_process_left_unpacked_is_not_taken_over(server: Server, places: tuple[Path, Path]) -> None:
    root, downloads = places
    partial = root.with_name("esc50.partial")
    partial.mkdir(parents=True)
    (partial / "half.wav").write_bytes(b"x")
    server.data = zipped(("1.wav", b"x"))
    download([Remote(server.url())], root, downloads=downloads)
    assert found(root) == {"1.wav": b"x"}
    assert not partial.exists()


def test_a_killed_process_leaves_a_dataset_that_can_be_gone_on_with(
    server: Server, places: tuple[Path, Path], until: Callable[..., None]
) -> None:
    root, downloads = places
    server.data = zipped(*((f"{number}.wav", os.urandom(10_000)) for number in range(30)))
    server.holds = 100_000
    with child(server, downloads, data=server.data, root=str(root)) as process:
        until(lambda: downloads.is_dir() and parts(downloads) and parts(downloads)[0].stat().st_size == 100_000, 60)
        process.kill()
    assert not root.exists()
    server.holds = None
    download([Remote(server.url(), md5(server.data))], root, downloads=downloads)
    assert len(found(root)) == 30
    assert server.asked[1] == ("bytes=100000-", '"one"')


def test_two_processes_that_want_a_dataset_fetch_it_once(
    server: Server, places: tuple[Path, Path], until: Callable[..., None]
) -> None:
    root, downloads = places
    server.data = zipped(("1.wav", os.urandom(10_000)))
    server.holds = 5000
    with child(server, downloads, data=server.data, root=str(root)) as process:
        until(lambda: downloads.is_dir() and parts(downloads) and parts(downloads)[0].stat().st_size == 5000, 60)
        download(
            [Remote(server.url(), md5(server.data))], root, downloads=downloads, progress=lambda *_: server.go.set()
        )
        assert process.wait(60) == 0
    assert list(found(root)) == ["1.wav"]
    assert len(server.asked) == 1


def test_room_is_asked_for_what_is_unpacked(server: Server, places: tuple[Path, Path]) -> None:
    root, downloads = places
    root.parent.mkdir()
    remote = Remote(server.url(), size=shutil.disk_usage(root.parent).free * 2 // 3)  # fits once, but not twice
    assert "are needed at" in refusal(lambda: download([remote], root, downloads=downloads))
    assert server.asked == []


@pytest.mark.parametrize("path", ["../elsewhere", "/tmp/elsewhere"])
def test_a_folder_outside_is_refused(path: str, server: Server, places: tuple[Path, Path]) -> None:
    root, downloads = places
    refusal(lambda: download([Remote(server.url(), archive=False, path=path)], root, downloads=downloads))
    assert not root.exists()
