"""The real app, served by its own command, and a real Chromium."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PatienceError

from distrack import runs
from distrack.runs.session import HOLD_AT
from distrack.settings import PROJECT, settings
from tests.chromium import of_playwright, on_path

# Long enough beside other work; what is there is seen at once.
PATIENCE = 90_000
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
# A microphone that hears a tone, and leave to use it.
_FLAGS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


# Distillations that the app launches are held at this step until a file `go` lies in their folder.
HELD_AT_STEP = 8


class Server:
    """The app as `python -m distrack app` starts it."""

    command: tuple[str, ...] = ("-m", "distrack", "app")

    def __init__(self, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://localhost:{self.port}"
        self.log = log
        self.start()

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.command],
                cwd=PROJECT,
                env={
                    **os.environ,
                    "PORT": str(self.port),
                    "STREAMLIT_SERVER_PORT": str(self.port),
                    HOLD_AT: f"distill:{HELD_AT_STEP}",
                },
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the app did not start:\n{runs.tail(self.log)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends the server as a closed terminal would."""
        self._process.terminate()
        self._process.wait(20)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture(scope="session")
def server(own_place: Path) -> Iterator[Server]:
    """A running app on runs and data of the tests' own."""
    app = Server(own_place / "app.log")
    yield app
    app.stop()
    for run in runs.all_runs(settings().runs_path):
        if run.status().state in runs.ALIVE:
            runs.stop(run)


@pytest.fixture(scope="session")
def visitor(own_place: Path) -> Iterator[BrowserContext]:
    """A laptop's Chromium, headless, that keeps what it has loaded and compiled; without one the test says how."""
    path = on_path() or of_playwright()
    if path is None:
        pytest.fail("no Chromium: run `make test`, or name one with DISTRACK_CHROMIUM")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            own_place / "chromium", executable_path=path, args=_FLAGS, viewport={"width": 1280, "height": 1000}
        )
        context.set_default_timeout(PATIENCE)
        yield context
        context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A tab of the visitor's."""
    tab = visitor.new_page()
    yield tab
    tab.close()


def choose(menu: Locator, option: str | re.Pattern[str]) -> None:
    """Chooses from a menu; one that closed as the page was drawn anew is opened again, as a person would."""
    choice = menu.page.get_by_role("option", name=option, exact=isinstance(option, str))
    for _ in range(5):
        if menu.get_attribute("aria-expanded") != "true":
            menu.click()
        try:
            return choice.click(timeout=PATIENCE / 5)
        except PatienceError as error:
            missed = error
    raise missed
