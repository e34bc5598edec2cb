"""The Runs page in a real browser: runs are found, deleted and brought back."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from distrack import runs
from distrack.runs.about import tell
from distrack.settings import settings
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser


@pytest.fixture
def three(tiny_run: runs.Run) -> list[runs.Run]:
    """Three finished runs with titles and tags of their own."""
    made = []
    for name in ("alpha", "beta", "gamma"):
        path = settings().runs_path / f"listed-{name}"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(tiny_run.path, path)
        tell(runs.Run(path), title=f"Listed {name}", tags=("listed", name))
        made.append(runs.Run(path))
    return made


def test_runs_are_found_deleted_and_brought_back(server: Server, page: Page, three: list[runs.Run]) -> None:
    page.goto(f"{server.url}/runs?search=listed")
    cells = page.locator("[role=gridcell]")
    expect(cells.filter(has_text="Listed alpha")).to_have_count(1)
    expect(cells.filter(has_text="Listed gamma")).to_have_count(1)
    grid = page.get_by_test_id("stDataFrame")
    # The first cells of two rows.
    for number, y in enumerate((52, 87), 1):
        expect(grid).to_have_count(1)
        grid.click(position={"x": 20, "y": y})
        expect(page.get_by_text(f"{number} selected")).to_be_visible()
    compare = page.get_by_test_id("stMain").get_by_role("link", name="Compare")
    expect(compare).to_have_attribute("href", re.compile(r"compare\?run=listed-\w+&run=listed-\w+$"))
    search = page.get_by_role("textbox", name="Search")
    search.fill("listed beta")
    search.press("Enter")
    expect(cells.filter(has_text="Listed alpha")).to_have_count(0)
    expect(cells.filter(has_text="Listed beta")).to_have_count(1)
    # A link to the page opens the search, and no table before it is left. Then the first cell of the first row.
    page.reload()
    expect(cells.filter(has_text="Listed beta")).to_have_count(1)
    expect(grid).to_have_count(1)
    grid.click(position={"x": 20, "y": 52})
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    undo = page.get_by_role("button", name="Undo delete (1)")
    expect(undo).to_be_visible()
    assert not three[1].path.exists()
    undo.click()
    expect(cells.filter(has_text="Listed beta")).to_have_count(1)
    assert Path(three[1].path).is_dir()
