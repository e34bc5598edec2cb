"""The Compare page in a real browser: thirty runs, a link that keeps what was chosen, files that are downloaded."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from distrack.settings import PROJECT, settings
from tests.browser.conftest import Server, choose

pytestmark = pytest.mark.browser

# Streamlit looks beside the page's own address first, and falls back where nothing is there.
_EXPECTED = "404 (Not Found)"


@pytest.fixture
def thirty() -> Iterator[list[str]]:
    """As many copies of the demo, each with a seed and an accuracy of its own; two of another number of tracks."""
    names = [f"copy-{number:02}" for number in range(30)]
    folders = [settings().runs_path / name for name in names]
    for number, folder in enumerate(folders):
        shutil.copytree(PROJECT / "assets" / "demo", folder)
        ipc = 10 if number < 2 else 1
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "seed": number, "ipc": ipc}))
        report = json.loads((folder / "report.json").read_text())
        report["tracks_per_class"] = ipc
        for evaluation in report["evaluations"]:
            evaluation["accuracy"]["mean"] -= number / 100
        (folder / "report.json").write_text(json.dumps(report))
    yield names
    for folder in folders:
        shutil.rmtree(folder)


def test_thirty_runs_are_compared_filtered_linked_and_exported(
    server: Server, page: Page, thirty: list[str], tmp_path: Path
) -> None:
    errors: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and _EXPECTED not in message.text:
            errors.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.url}/compare?run={thirty[3]}&run={thirty[7]}&tab=Budget")
    expect(page.get_by_role("heading", name="Spoken digits: 600 test clips of 1 s")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    chips = page.get_by_role("group", name="Selected values").first.locator("[data-tag]")
    expect(chips).to_have_count(2)

    choose(page.get_by_role("combobox", name="Tracks per class", exact=True), "10")
    page.wait_for_url(re.compile(r"ipc=10"))
    expect(chips).to_have_count(2)
    expect(chips.first).to_contain_text(re.compile("copy-0[01]"))
    page.reload()
    expect(page.get_by_text("Circled: selected runs").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"^2 of 2 runs")).first).to_be_visible()

    page.get_by_role("tab", name="Export").click()
    with page.expect_download() as report:
        page.get_by_role("button", name="Report", exact=True).click()
    report.value.save_as(tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text()
    assert "copy-00" in html
    assert "data:audio/flac" in html
    with page.expect_download() as figure:
        page.get_by_role("button", name="SVG", exact=True).click()
    figure.value.save_as(tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").read_text().startswith("<svg")
    assert errors == []

    # The report opens by itself, without the app, and plays.
    page.goto((tmp_path / "report.html").as_uri())
    player = page.locator("audio").first
    expect(player).to_be_attached()
    assert player.evaluate(
        "player => new Promise(done => { player.onloadedmetadata = () => done(player.duration); player.load(); })"
    ) == pytest.approx(1.0, abs=0.05)
