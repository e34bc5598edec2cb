"""Every page can be read and used by everybody: no serious finding of axe-core, in the light and in the dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

PAGES = ("", "datasets", "distill", "listen", "evaluate", "runs", "compare", "condense", "decompose", "glossary")
THEMES = {"light": "rgb(251, 249, 246)", "dark": "rgb(21, 17, 28)"}


def test_no_page_has_a_serious_finding(server: Server, page: Page) -> None:
    serious = []
    for name in PAGES:
        page.goto(f"{server.url}/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        app = page.get_by_test_id("stApp")
        expect(app).to_have_attribute("data-test-script-state", "notRunning")
        for theme, background in THEMES.items():
            page.emulate_media(color_scheme="light" if theme == "light" else "dark")
            expect(app).to_have_css("background-color", background)
            # In the dark only the colours are others.
            rules = {} if theme == "light" else {"runOnly": ["color-contrast"]}
            findings = Axe().run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]
            for finding in findings:
                if finding["impact"] in {"serious", "critical"}:
                    serious.append((name or "home", theme, finding["id"], [node["html"] for node in finding["nodes"]]))
    assert not serious
