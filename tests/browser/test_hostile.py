"""What comes from strangers: forged headers, paths in addresses, and HTML in every name that a person can give."""

import dataclasses
import shutil
import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from distrack.distill import SyntheticSet
from distrack.jobs.results import synthetic_file, track_file
from distrack.runs import Run
from distrack.runs.about import tell
from distrack.settings import PROJECT, settings
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"


def asked(server: Server, path: str, host: str, origin: str) -> bytes:
    """The beginning of the answer to a request that wants to become a websocket."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        return connection.recv(200)


def test_a_forged_host_or_origin_does_not_open_the_websocket(server: Server) -> None:
    own, stream = f"localhost:{server.port}", "/_stcore/stream"
    assert b" 101 " in asked(server, stream, own, f"http://{own}")
    for host, origin in (
        (f"evil.example:{server.port}", f"http://evil.example:{server.port}"),
        (f"evil.example:{server.port}", f"http://{own}"),
        (own, "http://evil.example"),
        (own, "null"),
        (own, f"http://localhost.evil.example:{server.port}"),
    ):
        assert b" 101 " not in asked(server, stream, host, origin), (host, origin)


@pytest.mark.parametrize("path", ["/media/../config.json", "/media/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd"])
def test_no_file_of_the_computer_is_served(server: Server, path: str) -> None:
    own = f"localhost:{server.port}"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert b"root:" not in answer
    assert b'"kind"' not in answer


@pytest.fixture
def named() -> Iterator[Run]:
    """A finished run whose title, note, tags and classes are HTML."""
    run = Run(settings().runs_path / "hostile-names")
    shutil.copytree(PROJECT / "assets/demo", run.path)
    synthetic = SyntheticSet.load(synthetic_file(run))
    classes = (EVIL, "[link](javascript:window.hacked=1)", "$$\\href{javascript:window.hacked=1}{x}$$", *"3456789")
    evil = dataclasses.replace(synthetic, classes=classes)
    files = {name: track_file(run, name).read_bytes() for name in synthetic.track_names()}
    for name, content in zip(evil.track_names(), files.values(), strict=True):
        track_file(run, name).write_bytes(content)
    run.write("synthetic.safetensors", evil.to_bytes())
    tell(run, title=EVIL[:100], note=f"{EVIL} [x](javascript:window.hacked=1)", tags=["<b>tag</b>"])
    yield run
    shutil.rmtree(run.path)


def test_html_in_a_title_a_note_and_a_class_is_text(server: Server, page: Page, named: Run) -> None:
    for place in ("", "runs", *(f"{name}?run={named.id}" for name in ("distill", "listen", "evaluate", "compare"))):
        page.goto(f"{server.url}/{place}")
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        assert page.evaluate("window.hacked") is None, place
        assert page.locator("img[src=x]").count() == 0, place
        assert page.locator("a[href^=javascript]").count() == 0, place
        expect(page.get_by_test_id("stException")).to_have_count(0)
    page.goto(f"{server.url}/listen?run={named.id}")
    expect(page.get_by_text("<img src=x").first).to_be_attached()


TRICKS = ("../../etc", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "%00", "<script>window.hacked=1</script>", "a" * 3000)


def test_an_address_with_a_path_or_a_script_is_refused_on_every_page(server: Server, page: Page) -> None:
    for name in ("distill", "listen", "evaluate", "compare", "condense", "decompose", "train_events"):
        for trick in TRICKS if name == "listen" else TRICKS[:1]:
            page.goto(f"{server.url}/{name}?run={trick}&sweep={trick}")
            expect(page.get_by_role("heading", level=1).first).to_be_visible()
            expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
            expect(page.get_by_test_id("stException")).to_have_count(0)
            assert page.evaluate("window.hacked") is None
            assert "root:" not in page.content()
    for trick in TRICKS:
        page.goto(f"{server.url}/datasets?dataset=FOLDER&path={trick}")
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert page.evaluate("window.hacked") is None
