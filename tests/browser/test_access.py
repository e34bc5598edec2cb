"""Every page can be read and used by everybody: no serious finding of axe-core, in the light and in the dark."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PATIENCE, Server

pytestmark = pytest.mark.browser

PAGES = ("", "datasets", "distill", "listen", "evaluate", "compare", "condense", "decompose")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_finding(server: Server, browser: Browser, theme: Literal["light", "dark"]) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme=theme)
    page.set_default_timeout(PATIENCE)
    serious = []
    for name in PAGES:
        page.goto(f"{server.url}/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        for finding in Axe().run(page).response["violations"]:
            if finding["impact"] in {"serious", "critical"}:
                nodes = [node["html"] for node in finding["nodes"]]
                serious.append((name or "home", finding["id"], nodes))
    page.close()
    assert not serious
