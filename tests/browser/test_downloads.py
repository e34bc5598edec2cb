"""Downloads in a real browser: each press gives its file, however quickly one follows the other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Download, Page, expect

from distrack import jobs, runs
from distrack.jobs.decomposition import DecomposeJob
from distrack.settings import PROJECT, settings
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

# What Streamlit logs, with a traceback, for a press of a button whose file it has forgotten.
_FORGOTTEN = "Deferred file"


@pytest.fixture(scope="module")
def decomposition(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    """Four events of a tone of half a second."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    time = np.arange(8_000) / 16_000
    soundfile.write(path, 0.5 * np.exp(-4 * time) * np.sin(2 * np.pi * 440 * time), 16_000)
    run = DecomposeJob.validated({"file": path, "method": {"name": "matching-pursuit"}, "events": 4}).create(
        settings().runs_path, "downloads"
    )
    jobs.work(run)
    return run


@pytest.fixture
def log(server: Server) -> Callable[[], str]:
    """What the server logs during the test."""
    begin = len(server.log.read_text())
    return lambda: server.log.read_text()[begin:]


def pressed(page: Page, names: list[str], until: Callable[..., None]) -> list[str]:
    """Presses buttons one right after the other and returns the names of the files that arrived."""
    files: list[str] = []

    def note(download: Download) -> None:
        files.append(download.suggested_filename)

    page.on("download", note)
    expect(page.get_by_role("button", name=names[-1], exact=True)).to_be_visible()
    page.wait_for_load_state("networkidle")
    for name in names:
        page.get_by_role("button", name=name, exact=True).click()

    def arrived() -> bool:
        page.wait_for_timeout(100)  # Playwright hands events on only while it is called
        return len(files) == len(names)

    until(arrived, 30)
    return files


def test_quick_presses_on_the_decompose_page_give_all_files(
    server: Server, page: Page, decomposition: runs.Run, log: Callable[[], str], until: Callable[..., None]
) -> None:
    page.goto(f"{server.url}/decompose?run={decomposition.id}")
    files = pressed(page, 2 * ["Events", "JSON", "MIDI", "FLAC"], until)
    assert {Path(file).suffix for file in files} == {".safetensors", ".json", ".mid", ".flac"}
    assert _FORGOTTEN not in log()


def test_quick_presses_on_the_compare_page_give_all_files(
    server: Server, page: Page, log: Callable[[], str], until: Callable[..., None]
) -> None:
    page.goto(f"{server.url}/compare?run=demo&tab=Export")
    files = pressed(page, ["Report", "CSV", "LaTeX", "PNG", "SVG"], until)
    assert {Path(file).suffix for file in files} == {".html", ".csv", ".tex", ".png", ".svg"}
    assert _FORGOTTEN not in log()


def test_no_page_makes_a_download_button_of_its_own() -> None:
    sources = [PROJECT / "app.py", *(PROJECT / "pages").glob("*.py"), *(PROJECT / "distrack" / "ui").rglob("*.py")]
    own = [path.name for path in sources if "st.download_button" in path.read_text()]
    assert own == ["page.py"]
    assert (PROJECT / "distrack" / "ui" / "shared" / "page.py").is_file()
