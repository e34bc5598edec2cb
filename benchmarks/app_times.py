"""What a user waits for in the app, in Chromium at 1280 x 720, and whether a run stays in one frame.

    python -m benchmarks.app_times

The app is started by its own command on an empty folder of runs; the embedded dataset is prepared before, in a folder
of its own. Prints the seconds and writes them beside this file; ends with an error where the loss, the bar or the
accuracy of a run is not in the window.
"""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from distrack.distill import DistillConfig
from distrack.runs import Run
from distrack.runs.about import tell
from distrack.settings import PROJECT, settings
from tests.chromium import of_playwright, on_path

_TABLE = Path(__file__).with_suffix(".md")
_WIDTH, _HEIGHT = 1280, 720
_PAGES = ("Datasets", "Distill", "Listen", "Evaluate", "Runs", "Compare", "Track length", "Decompose")
_MINUTES = 10 * 60_000
_MANY = 500
_LAUNCHES = _EDITS = 5
# Seconds between the opening of a page and the press of its button.
_LOOKING = 10
# Whether the table has one row and its text is drawn. Its cells for screen readers follow 0.2 s later.
_ONE_ROW = """() => {
  const canvas = document.querySelector("[data-testid=data-grid-canvas]");
  if (!canvas?.width || canvas.clientHeight > 150) return false;
  const pixels = canvas.getContext("2d").getImageData(0, 40 * devicePixelRatio, canvas.width, 20).data;
  return new Set(pixels).size > 8;
}"""


class Times:
    """Seconds by what was waited for."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def add(self, what: str, value: str) -> None:
        """Prints and keeps one line."""
        self.lines.append((what, value))
        print(f"{what:<60} {value}", flush=True)

    def since(self, start: float, what: str, *, digits: int = 1) -> None:
        """Keeps the seconds since a start."""
        self.add(what, f"{time.perf_counter() - start:.{digits}f} s")


@contextmanager
def app(place: Path) -> Iterator[str]:
    """The URL of the app, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "DISTRACK_RUNS_PATH": str(place), "STREAMLIT_SERVER_PORT": port, "PORT": port}
    with (place / "app.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "distrack", "app"], cwd=PROJECT, env=environment, stdout=log, stderr=log
        )
    try:
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(30)


def open_first_page(page: Page, url: str) -> None:
    """Opens the app as soon as its server answers."""
    while True:
        try:
            page.goto(url)
            break
        except Exception as error:
            if "ERR_CONNECTION_REFUSED" not in str(error) and "chrome-error" not in str(error):
                raise
            time.sleep(0.05)
    page.get_by_role("heading", level=1).wait_for()


def settled(page: Page) -> None:
    """Waits until the page's script has ended."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def in_window(what: str, *parts: Locator) -> None:
    """Ends the measurement where a part is not wholly in the window."""
    for part in parts:
        box = part.bounding_box()
        if box is None or box["y"] < 0 or box["y"] + box["height"] > _HEIGHT:
            raise SystemExit(f"{what}: {part} is not in the window: {box}")


def change_pages(page: Page, times: Times) -> None:
    """From a press in the menu to the page, without what it loads later."""
    for title in _PAGES:
        start = time.perf_counter()
        page.get_by_role("link", name=title, exact=True).first.click()
        page.locator("h1", has_text=title).wait_for()
        settled(page)
        times.since(start, f"page: {title}")


def form_of_a_run(page: Page, url: str) -> Locator:
    """The button that launches a run, once its page is open and a person has looked at it for a while."""
    page.goto(f"{url}/distill")
    button = page.get_by_role("button", name="Distill", exact=True)
    button.wait_for()
    settled(page)
    time.sleep(_LOOKING)
    return button


def launch(page: Page, url: str, times: Times) -> None:
    """Several launches, one after the other, each stopped once its first loss is drawn."""
    seconds = []
    for _ in range(_LAUNCHES):
        button = form_of_a_run(page, url)
        start = time.perf_counter()
        button.click()
        page.get_by_text("Matching loss:").wait_for()
        seconds.append(time.perf_counter() - start)
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_text("Stopped", exact=True).wait_for()
    times.add(f"press to first loss, {_LAUNCHES} launches", ", ".join(f"{each:.2f}" for each in seconds) + " s")


def distill(page: Page, url: str, times: Times) -> None:
    """The default run, from the press to its end."""
    button = form_of_a_run(page, url)
    in_window("idle", button)
    start = time.perf_counter()
    button.click()
    page.wait_for_url(re.compile("run="))
    times.since(start, "press to run in view")
    page.get_by_text("Matching loss:").wait_for()
    times.since(start, "press to first loss")
    chart, bar = page.get_by_test_id("stVegaLiteChart").first, page.get_by_test_id("stProgress").first
    score = page.get_by_test_id("stMetric").first
    score.wait_for(timeout=_MINUTES)
    times.since(start, "press to first score (nearest track)")
    in_window("running", bar, chart, score)
    page.locator(".board .tile").first.wait_for(timeout=_MINUTES)
    times.since(start, "press to first sound")
    page.get_by_test_id("stMetric").filter(has_text="Synthetic").wait_for(timeout=_MINUTES)
    times.since(start, "press to first accuracy of a network")
    in_window("evaluating", bar, chart, score)
    page.get_by_text("Done", exact=True).wait_for(timeout=_MINUTES)
    times.since(start, "press to done")
    settled(page)
    in_window("done", chart, *page.get_by_test_id("stMetric").all())


def estimate(page: Page, url: str, times: Times) -> None:
    """A second run with another seed: the time that the form says beforehand, and the time it takes."""
    page.goto(f"{url}/distill")
    page.get_by_text("Advanced", exact=True).click()
    page.get_by_role("tab", name="Training and evaluation").click()
    about = page.get_by_text(re.compile(r"About \d+ (s|min)"))
    # The same run again would find all its networks in the cache.
    before, seed = about.inner_text(), page.get_by_label("Seed", exact=True)
    seed.fill("1")
    seed.press("Enter")
    about.filter(has_not_text=before).wait_for()
    settled(page)
    found = re.search(r"About (\d+ (?:s|min))", about.inner_text())
    start = time.perf_counter()
    page.get_by_role("button", name="Distill", exact=True).click()
    page.get_by_text("Done", exact=True).wait_for(timeout=_MINUTES)
    times.since(start, f"second run, another seed, estimated as {found and found[1]}")


def edit(page: Page, url: str, times: Times) -> None:
    """An example of Decompose: a press on the plane, a drag, an edit by the form."""
    page.goto(f"{url}/decompose")
    start = time.perf_counter()
    page.get_by_role("button", name="A melody", exact=True).click()
    plane = page.locator(".plane")
    page.locator(".player[data-ready=true]").wait_for()
    times.since(start, "press on an example to its player")
    settled(page)
    plane.scroll_into_view_if_needed()
    box = plane.locator("canvas").first.bounding_box()
    assert box is not None
    # A press may miss an event: along a line one is met.
    for share in range(1, 20):
        place = (box["x"] + box["width"] * share / 20, box["y"] + box["height"] * 0.55)
        page.mouse.click(*place)
        if plane.get_attribute("data-sounded"):
            break
    times.add("press on an event to its sound", f"{plane.get_attribute('data-sounded')} ms")
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.move(place[0] + 40, place[1], steps=4)
    page.mouse.up()
    times.add("dragged event to its sound", f"{plane.get_attribute('data-sounded')} ms")
    page.get_by_text("1 edit: Move").wait_for()
    page.locator(".player[data-ready=true]").wait_for()
    settled(page)
    page.get_by_role("button", name="All", exact=True).click()
    apply = page.get_by_role("button", name=re.compile("^Apply to [1-9]"))
    seconds = []
    for number in range(_EDITS):
        apply.wait_for()
        settled(page)
        start = time.perf_counter()
        with page.expect_event("requestfinished", lambda request: ".flac" in request.url):
            apply.click()
        page.get_by_text(f"{number + 2} edits:").wait_for()
        page.locator(".player[data-ready=true]").wait_for()
        seconds.append(time.perf_counter() - start)
    edits = ", ".join(f"{each:.2f}" for each in seconds)
    times.add(f"edit of all events to the new sound, {_EDITS} edits", f"{edits} s")


def many_runs(page: Page, url: str, place: Path, times: Times) -> None:
    """The table of 500 more runs: copies of the included one, with titles of their own."""
    for number in range(_MANY):
        folder = place / f"copy-{number:03}"
        folder.mkdir()
        for name in ("config.json", "status.json", "report.json", "metrics.jsonl"):
            shutil.copy(PROJECT / "assets" / "demo" / name, folder)
        tell(Run(folder), title=f"Copy number {number:03}")
    cells = page.locator("[role=gridcell]")
    for what in ("first", "second"):
        start = time.perf_counter()
        page.goto(f"{url}/runs")
        cells.filter(has_text="Copy number").first.wait_for(state="attached")
        times.since(start, f"{_MANY} runs: the page with the table, {what} time")
    settled(page)
    search = page.get_by_role("textbox", name="Search")
    search.fill("number 123")
    start = time.perf_counter()
    search.press("Enter")
    page.wait_for_function(_ONE_ROW, polling=20)
    times.since(start, f"{_MANY} runs: search to its row", digits=2)


def main() -> None:
    """Measures, prints and writes the table."""
    times = Times()
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        # Data of its own: no figure is in the cache.
        os.environ["DISTRACK_DATA_PATH"] = str(Path(place) / ".data")
        settings.cache_clear()
        DistillConfig().material()
        browser = playwright.chromium.launch(executable_path=on_path() or of_playwright(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.set_default_timeout(60_000)
        start = time.perf_counter()
        with app(Path(place)) as url:
            open_first_page(page, url)
            times.since(start, "start of the app to the first page")
            settled(page)
            change_pages(page, times)
            launch(page, url, times)
            distill(page, url, times)
            estimate(page, url, times)
            edit(page, url, times)
            many_runs(page, url, Path(place), times)
        browser.close()
    lines = [f"Chromium at {_WIDTH} x {_HEIGHT}; {platform.machine()}, {os.cpu_count()} cores.", "", "| what | time |"]
    lines += ["|---|---|", *(f"| {what} | {value} |" for what, value in times.lines)]
    _TABLE.write_text("\n".join([f"# {_TABLE.stem}", "", *lines, ""]))


if __name__ == "__main__":
    main()
