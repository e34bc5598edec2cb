"""Makes the pictures of the README anew, from the app in Chromium. `make pictures` runs it.

A run from noise is launched and watched: what its page shows becomes an animated picture; the tracks, the scores and a
decomposition become still ones.
"""

import re
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.app_times import app, open_first_page, settled
from distrack.distill import DistillConfig
from tests.chromium import of_playwright, on_path

HERE = Path(__file__).parent
_SCREEN = {"width": 1280, "height": 720}
# The animated picture: its width in pixels, its seconds, and the seconds of the run between two of its frames.
_WIDTH, _SECONDS, _EVERY = 800, 20.0, 1.0
_MINUTES = 10 * 60_000


def forming(page: Page, url: str) -> list[Image.Image]:
    """What the page of a run from noise shows, from its launch until it is done."""
    page.goto(f"{url}/distill")
    settled(page)
    page.get_by_role("combobox", name="Preset").click()
    page.get_by_role("option", name=re.compile("^Show")).click()
    settled(page)
    page.get_by_role("button", name="Distill", exact=True).click()
    page.wait_for_url(re.compile("run="))
    frames, done = [], page.get_by_text("Done", exact=True)
    while not done.is_visible():
        frames.append(shrunk(page.screenshot()))
        time.sleep(_EVERY)
    settled(page)
    return [*frames, shrunk(page.screenshot())]


def taken(page: Page, name: str) -> None:
    """Writes a still picture of the page once all of it is there."""
    settled(page)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=HERE / f"{name}.png")


def shrunk(screenshot: bytes) -> Image.Image:
    """A screenshot in the size of the animated picture."""
    image = Image.open(BytesIO(screenshot)).convert("RGB")
    return image.resize((_WIDTH, round(_WIDTH * image.height / image.width)), Image.Resampling.LANCZOS)


def main() -> None:
    """Writes `forming.webp` and the still pictures beside this file."""
    DistillConfig().material()
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=on_path() or of_playwright(), args=["--no-sandbox"])
        page = browser.new_page(viewport=_SCREEN, color_scheme="light")  # type: ignore[arg-type]
        page.set_default_timeout(_MINUTES)
        with app(Path(place)) as url:
            open_first_page(page, url)
            frames = forming(page, url)
            for name in ("listen", "evaluate"):
                page.goto(f"{url}/{name}?run=demo")
                taken(page, name)
            page.goto(f"{url}/decompose")
            page.get_by_role("button", name="A melody", exact=True).click()
            page.locator(".player[data-ready=true]").wait_for()
            taken(page, "decompose")
        browser.close()
    each = round(1000 * _SECONDS / len(frames))
    # The end stays for a moment before it begins again.
    times = [each] * (len(frames) - 1) + [3000]
    frames[0].save(HERE / "forming.webp", save_all=True, append_images=frames[1:], duration=times, loop=0, quality=60)


if __name__ == "__main__":
    main()
