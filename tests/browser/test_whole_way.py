"""The whole way in a real browser: press Distill, watch, reload, restart the server, hear, see the accuracy."""

import json
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile
from playwright.sync_api import BrowserContext, Locator, Page, expect
from playwright.sync_api import Error as PlaywrightError

from distrack import runs
from distrack.distill import DistillConfig
from distrack.jobs.contract import title_of
from distrack.jobs.distillation import distillation_job
from distrack.jobs.results import evaluation_report, track_file
from distrack.settings import settings
from distrack.ui.shared.run_in_view import DEMO
from tests.browser.conftest import HELD_AT_STEP, Server, choose

pytestmark = pytest.mark.browser


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    """Waits for something, looking again and again."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def launched(server: Server, visitor: BrowserContext) -> runs.Run:
    """A short run, whose settings were saved, launched on stage and held at an early step; its loss is in view."""
    DistillConfig.model_validate({"duration": 0.5}).material()
    page = visitor.new_page()
    page.goto(f"{server.url}/distill")
    page.get_by_text("Advanced").click()
    for label, value in (("Track length (s)", "0.5"), ("Steps", "60"), ("Evaluation seeds", "1")):
        if label == "Steps":
            page.get_by_role("tab", name="Training and evaluation").click()
        field = page.get_by_label(label, exact=True)
        if label == "Steps":
            # A number out of its bounds says so, and nothing can be launched with the one before.
            field.fill("999999999")
            field.press("Enter")
            expect(page.get_by_test_id("stAlert").filter(has_text="Steps 999999999")).to_be_visible()
            expect(page.get_by_role("button", name="Distill", exact=True)).to_have_count(0)
        field.fill(value)
        field.press("Enter")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Save these settings as").fill("short")
    page.get_by_label("Save these settings as").press("Enter")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="short", exact=True)).to_be_visible()
    page.goto(f"{server.url}/distill?settings=short&stage=1")
    page.get_by_test_id("stMain").get_by_test_id("stBaseButton-primary").click()
    page.wait_for_url(re.compile(r"run="))
    expect(page.locator(STOP)).to_have_text("Distill")
    page.wait_for_url(re.compile(r"stage=1"))
    run = runs.find(settings().runs_path, parse_qs(urlsplit(page.url).query)["run"][0])
    job = distillation_job(run)
    assert (job.steps, job.seconds, job.evaluation and job.evaluation.seeds) == (60, 0.5, 1)
    # The side bar, which is hidden on stage, has the title too.
    expect(page.get_by_test_id("stMain").get_by_text(title_of(run), exact=True).first).to_be_visible(timeout=30_000)
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Matching loss: MMD")).to_be_visible()
    page.close()
    until(lambda: reached(run) >= HELD_AT_STEP, 240, "the step that the run is held at")
    return run


def reached(run: runs.Run) -> int:
    """The last step whose loss is recorded."""
    return max((record["step"] for record in run.metrics() if "loss" in record), default=0)


def go_on(run: runs.Run) -> None:
    """Lets a run that is held go on."""
    (run.path / "go").touch()


def test_reload_second_tab_and_restarted_server_keep_the_run_in_view(
    server: Server, page: Page, visitor: BrowserContext, launched: runs.Run
) -> None:
    page.goto(f"{server.url}/distill?run={launched.id}")
    name = page.get_by_text(title_of(launched), exact=True).first
    expect(name).to_be_visible()
    page.reload()
    expect(name).to_be_visible()
    second = visitor.new_page()
    second.goto(page.url)
    expect(second.get_by_text(title_of(launched), exact=True).first).to_be_visible()
    second.close()
    pid = launched.status().pid
    server.stop()
    server.start()
    page.goto(page.url)
    expect(name).to_be_visible()
    expect(page.get_by_role("link", name="Home")).to_be_visible()
    assert launched.status().pid == pid, "the run went on in its own process"
    assert launched.status().state == "running"


def check_one_frame(page: Page, address: str, *parts: str) -> None:
    """Checks that parts of a page, by their selectors, end above the fold of a projector, plain and on stage."""
    page.set_viewport_size({"width": 1280, "height": 720})
    for view in (address, f"{address}&stage=1"):
        page.goto(view)
        for part in parts:
            expect(page.locator(part).first).to_be_visible()
        until(partial(fits, page.locator(", ".join(parts))), 30, f"one frame of {view}")


def fits(parts: Locator) -> bool:
    """Whether all these parts of a page end above the fold."""
    boxes = [part.bounding_box() for part in parts.all()]
    return all(box is not None and box["y"] + box["height"] <= 720 for box in boxes)


STOP = "[aria-current=page].action"
BAR, LOSS = (f"[data-testid={part}]" for part in ("stProgress", "stVegaLiteChart"))
ACCURACY = ".accuracies li"


def test_bar_loss_and_tracks_of_a_running_run_are_in_one_frame(server: Server, page: Page, launched: runs.Run) -> None:
    check_one_frame(page, f"{server.url}/distill?run={launched.id}", BAR, LOSS, "[data-testid=track-grid]")


def test_the_next_stop_waits_for_the_run_in_view_and_shows_no_other(
    server: Server, page: Page, launched: runs.Run
) -> None:
    page.goto(f"{server.url}/distill?run={launched.id}&stage=1")
    expect(page.locator(STOP)).to_have_text("Distill")
    expect(page.locator(LOSS)).to_be_visible()
    page.keyboard.press("PageDown")
    expect(page.get_by_text(f"{title_of(launched)} has nothing to show here yet.")).to_be_visible()
    assert f"run={launched.id}" in page.url
    expect(page.locator(".tile")).to_have_count(0)
    page.keyboard.press("PageUp")
    expect(page.locator(LOSS)).to_be_visible()
    assert f"run={launched.id}" in page.url


def test_stopped_and_resumed_the_run_goes_on_its_curve_grows_and_the_pictures_change(
    server: Server, page: Page, launched: runs.Run
) -> None:
    page.goto(f"{server.url}/distill?run={launched.id}")
    chart = page.get_by_test_id("stVegaLiteChart")
    expect(chart).to_be_visible()
    tile = page.get_by_test_id("track-grid").locator("img").first
    expect(tile).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    until(lambda: launched.status().state == "stopped", 240, "the run stops")
    resume = page.get_by_role("button", name="Resume")
    expect(resume).to_be_visible()
    step, before, picture = reached(launched), chart.screenshot(), tile.get_attribute("src")
    go_on(launched)
    resume.click()
    until(lambda: reached(launched) > step, 240, "the run goes on")
    until(lambda: chart.screenshot() != before, 240, "the curve moves")
    until(lambda: tile.get_attribute("src") != picture, 240, "the pictures change")


def test_the_finished_run_can_be_heard_and_its_accuracy_is_shown(
    server: Server, page: Page, launched: runs.Run
) -> None:
    page.goto(f"{server.url}/distill?run={launched.id}")
    shares: list[float] = []

    def ended() -> bool:
        with suppress(PlaywrightError):  # the page may be drawn anew at this moment
            shares.append(
                float(page.locator(f"{BAR} [role=progressbar]").get_attribute("aria-valuenow", timeout=200) or 0)
            )
        return launched.status().state not in runs.ALIVE

    until(ended, 480, "the run ends")
    assert shares == sorted(shares), "one bar for the whole run, which never goes back"
    assert launched.status().state == "done", launched.status().error
    expect(page.get_by_text("Synthetic tracks", exact=True)).to_be_visible()
    expect(page.locator(ACCURACY).filter(has_text="Random clips")).to_be_visible()
    report = evaluation_report(launched)
    assert report is not None
    learnt, chosen = report.accuracy("random-cnn", "synthetic"), report.accuracy("random-cnn", "random-selection")
    assert learnt is not None
    assert chosen is not None
    assert learnt > chosen + 0.1
    expect(page.get_by_text(f"{learnt:.1%}", exact=True)).to_be_visible()

    page.get_by_role("link", name="Listen").last.click()
    page.wait_for_url(re.compile(r"/listen\?run="))
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(80)
    wave, rate = soundfile.read(track_file(launched, "7_0"))
    assert (rate, len(wave)) == (16_000, 8_000)
    assert np.sqrt(np.mean(wave**2)) > 0.02, "not silent"
    assert 0.1 < np.abs(wave).max() <= 10 ** (-1 / 20) + 1e-3, "not clipped"
    page.keyboard.press("7")
    expect(page.locator(".board")).to_have_attribute("data-playing", "7_0")
    expect(page.locator(".player")).to_have_attribute("aria-label", "Track 7_0 of class 7")
    # Real clips and means were made with the run.
    for title in ("Nearest clip", "Random clip", "Class mean"):
        expect(page.get_by_role("radio", name=title)).to_be_visible()

    page.get_by_role("link", name="Evaluate").first.click()
    expect(page.get_by_text("unseen clips", exact=False).first).to_be_visible()
    expect(page.get_by_role("heading", name=f"CNN trained on the tracks: {learnt:.1%}")).to_be_visible()
    page.get_by_role("tab", name="Confusion").click()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()


def test_four_and_five_accuracies_of_a_finished_run_are_in_one_frame_with_the_loss(
    server: Server, page: Page, launched: runs.Run
) -> None:
    all_clips_too = runs.Run(shutil.copytree(DEMO, settings().runs_path / "five"))
    for run, accuracies in ((launched, 4), (all_clips_too, 5)):
        check_one_frame(page, f"{server.url}/distill?run={run.id}", LOSS, ACCURACY, ".board")
        expect(page.locator(ACCURACY)).to_have_count(accuracies)
    for text in page.locator(f"{ACCURACY} > *").all():
        assert text.evaluate("one => one.scrollWidth <= one.clientWidth"), "no number is cut"


def test_the_first_network_is_shown_before_the_mean_of_all_and_the_forming_can_be_played(
    server: Server, page: Page
) -> None:
    run = runs.Run(shutil.copytree(DEMO, settings().runs_path / "first-network"))
    report = json.loads((run.path / "report.json").read_text())
    first = {**report["evaluations"][0], "seeds": 3}
    first["accuracy"] = {**first["accuracy"], "mean": 0.979, "runs": [0.979]}
    (run.path / "report.json").write_text(json.dumps({**report, "evaluations": [first]}))
    run.write("status.json", run.status().model_copy(update={"state": "stopped"}).model_dump_json())
    page.goto(f"{server.url}/distill?run={run.id}")
    metric = page.locator(ACCURACY)
    expect(metric).to_contain_text("97.9%")
    expect(metric).to_contain_text("1 of 3 networks")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_text(re.compile("^Step 0"))).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()
    # Tracks form visibly from noise; a preset has that.
    page.goto(f"{server.url}/distill")
    choose(page.get_by_role("combobox", name="Preset"), re.compile("tracks form out of noise"))
    expect(page.get_by_role("button", name="Distill", exact=True)).to_be_visible()
