"""The Condense page in a real browser: launch a tiny grid, see it fill, hear both ends, reload."""

import io
import re
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from distrack import jobs
from distrack.jobs.contract import title_of
from distrack.jobs.series import CondenseJob
from distrack.settings import settings
from tests.browser.conftest import Server, choose

pytestmark = pytest.mark.browser


def test_a_grid_is_launched_fills_is_heard_and_is_still_there(server: Server, page: Page, sounds: Path) -> None:
    page.goto(f"{server.url}/condense?dataset=FOLDER&path={quote(str(sounds))}")
    budget = page.get_by_label("Seconds per class", exact=True)
    budget.fill("0.5")
    budget.press("Enter")
    expect(page.get_by_test_id("strips")).to_contain_text("1 track x 0.5 s")
    expect(page.get_by_test_id("strips")).to_contain_text("2 tracks x 0.25 s")
    page.get_by_text("Advanced").click()
    # Its small images are quickly learnt.
    choose(page.get_by_role("combobox", name="Representation"), "MFCC")
    for label, value in (("Steps", "3"), ("Evaluation seeds", "1")):
        field = page.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Enter")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"condensation="))
    run = jobs.find(settings().runs_path, page.url.split("condensation=")[1])
    job = jobs.job_of(run)
    assert isinstance(job, CondenseJob)
    assert [(cell.job.ipc, cell.job.seconds, cell.job.steps) for cell in job.cells("")] == [
        (2, 0.25, 3),
        (1, 0.5, 3),
    ]
    expect(page.get_by_text(title_of(run), exact=True).first).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    # Beside the one in the menu: a cell is done, and the curve begins.
    expect(page.get_by_role("link", name="Evaluate").nth(1)).to_be_visible(timeout=90_000)
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible(timeout=30_000)

    expect(page.get_by_role("heading", name="Listen: shortest and longest")).to_be_visible(timeout=120_000)
    page.reload()
    players = page.locator("audio")
    report = jobs.report_of(run)
    assert report is not None
    expect(players).to_have_count(sum(min(6, row.rendered_per_class or 0) for row in report.rows), timeout=30_000)
    expect(page.get_by_text("Done", exact=True)).to_have_count(3)
    expect(page.get_by_role("link", name="Listen")).to_have_count(3)
    lengths = []
    for player in (players.first, players.last):
        source = player.get_attribute("src")
        assert source is not None
        answer = page.request.get(source if source.startswith("http") else server.url + source)
        wave, rate = soundfile.read(io.BytesIO(answer.body()))
        lengths.append(len(wave) / rate)
        assert np.sqrt(np.mean(wave**2)) > 0.02, "not silent"
    assert lengths == [0.25, 0.5]
    played = players.last.evaluate(
        """async player => {
            await player.play();
            await new Promise(done => player.addEventListener("ended", done, {once: true}));
            return player.currentTime;
        }"""
    )
    assert played == pytest.approx(0.5, abs=0.05)
    page.get_by_role("link", name="Listen").last.click()
    page.wait_for_url(re.compile(r"/listen\?run="))
    expect(page.locator(".tile").first).to_be_visible()
