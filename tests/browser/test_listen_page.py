"""The Listen page in a real browser: tiles pressed, typed and played in order, switching, a blind test."""

import re
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect
from playwright.sync_api import Error as PlaywrightError

from distrack import jobs, runs
from distrack.jobs.listening import ListeningJob, listening_of
from distrack.jobs.listening import blind as blind_test
from distrack.settings import PROJECT, settings
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

# Streamlit looks beside the page's own address first, and falls back where nothing is there.
_EXPECTED = "404 (Not Found)"


@pytest.fixture(scope="module")
def heard() -> Iterator[runs.Run]:
    """A copy of the demo with what its tracks are heard beside."""
    folder = settings().runs_path / "heard"
    shutil.copytree(PROJECT / "assets" / "demo", folder)
    run = runs.Run(folder)
    if listening_of(run) is None:
        jobs.work(run, ListeningJob(run=run.id))
    yield run
    shutil.rmtree(folder)


@pytest.fixture
def errors(page: Page) -> list[str]:
    """What the console says meanwhile."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and _EXPECTED not in message.text:
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def state(part: Locator) -> dict[str, Any]:
    """The data attributes of a component, and when they were read."""
    found: dict[str, Any] = part.evaluate("part => ({...part.dataset, at: performance.now() / 1000})")
    return found


def test_tiles_are_pressed_typed_walked_and_played_in_order(
    server: Server, page: Page, heard: runs.Run, errors: list[str]
) -> None:
    page.goto(f"{server.url}/listen?run={heard.id}")
    board, tiles = page.locator(".board"), page.locator(".tile")
    expect(tiles).to_have_count(80, timeout=60_000)
    tiles.nth(13).click()
    name = tiles.nth(13).get_attribute("data-name")
    assert name is not None
    expect(board).to_have_attribute("data-playing", name)
    before = float(state(board)["position"])
    page.wait_for_timeout(200)
    assert float(state(board)["position"]) > before
    expect(page.locator(".player")).to_have_attribute("aria-label", re.compile(f"Track {name} "))
    expect(page).to_have_url(re.compile(f"track={name}"))
    page.keyboard.press("7")
    seven = tiles.nth(17)
    expect(board).to_have_attribute("data-playing", str(seven.get_attribute("data-name")))
    expect(seven).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(board).to_have_attribute("data-playing", str(tiles.nth(26).get_attribute("data-name")))
    page.keyboard.press("Escape")
    expect(board).not_to_have_attribute("data-playing", re.compile(".*"))
    page.get_by_role("button", name="Play all").click()
    for number in (0, 10):
        expect(board).to_have_attribute("data-playing", str(tiles.nth(number).get_attribute("data-name")))
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Play all")).to_be_visible()
    assert not errors


def test_switching_keeps_the_place_loops_and_matches_loudness(
    server: Server, page: Page, heard: runs.Run, errors: list[str]
) -> None:
    page.goto(f"{server.url}/listen?run={heard.id}")
    player = page.locator(".player")
    expect(player).to_have_attribute("data-ready", "true", timeout=60_000)
    player.focus()
    page.keyboard.press("l")
    page.keyboard.press(" ")
    expect(player).to_have_attribute("data-playing", "true")
    page.wait_for_timeout(200)
    for key, title in (("2", "Nearest clip"), ("3", "Random clip"), ("5", "History"), ("1", "Synthetic")):
        before = state(player)
        page.keyboard.press(key)
        expect(player).to_have_attribute("data-source", title)
        page.wait_for_timeout(100)
        after = state(player)
        # The second's loop may have begun again meanwhile; a frame or two of the screen lies between the two clocks.
        lost = (float(after["position"]) - float(before["position"]) - (after["at"] - before["at"])) % 1.0
        assert min(lost, 1 - lost) < 0.06
    page.keyboard.press("5")
    first = state(player)["step"]
    player.get_by_role("slider", name="step").press("ArrowRight")
    assert state(player)["step"] != first
    page.keyboard.press("2")
    matched = float(state(player)["gain"])
    page.get_by_role("button", name="Match loudness").click()
    assert float(state(player)["gain"]) == 1.0 != matched
    time.sleep(1.2)
    assert state(player)["playing"] == "true", "it began again at its end"
    page.get_by_role("button", name="Pause").click()
    held = state(player)["position"]
    page.wait_for_timeout(100)
    assert state(player)["position"] == held
    assert not errors


def test_a_blind_test_is_taken_by_keys_on_stage_in_one_frame_and_answered_only_once_all_was_heard(
    server: Server, page: Page, heard: runs.Run, errors: list[str]
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{server.url}/listen?run={heard.id}&view=Blind+test&stage=1")
    page.get_by_role("slider", name="Questions").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Start", exact=True).click(timeout=60_000)
    page.wait_for_url(re.compile("blind="))
    (test,) = blind_test.all_tests(heard)
    assert len(test.trials) == 4
    pads = page.locator(".test")
    page.get_by_role("button", name="Tell me after each answer").click()
    for number, trial in enumerate(test.trials):
        expect(pads).to_have_attribute("data-number", str(number))
        digit = str(trial.truth + 1 if trial.task == "synthetic" else trial.truth)
        page.keyboard.press(digit)
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight <= innerHeight")
        for key in "ab"[: len(trial.sounds)]:
            expect(pads).to_have_attribute("data-open", "false")
            page.keyboard.press(key)
            expect(page.locator(".pad .heard").nth("ab".index(key))).to_have_text("heard")
        expect(page.locator("[data-blank]")).to_be_hidden()
        page.keyboard.press(digit)
        expect(page.locator(".verdict")).to_have_text("Right.")
        page.get_by_role("button", name="Next").press("Enter")
    expect(page.get_by_text("You found the synthetic one 2 of 2 times.")).to_be_visible()
    (again,) = blind_test.all_tests(heard)
    assert again.answers == tuple(trial.truth for trial in again.trials)
    assert not errors


def test_an_audience_answers_on_phones_in_the_same_network_and_is_counted(
    server: Server, page: Page, visitor: BrowserContext, errors: list[str]
) -> None:
    page.goto(f"{server.url}/listen?run=demo&view=Blind+test")
    page.get_by_role("slider", name="Questions").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Let an audience answer").click()
    address = page.get_by_text(re.compile(r"Scan, or open")).locator("strong")
    expect(page.get_by_text("0 listeners, 0 finished.")).to_be_visible()
    phone = visitor.new_page()
    phone.set_viewport_size({"width": 390, "height": 844})
    phone.goto(str(address.text_content()))
    phone.get_by_role("button", name="Start").click()
    for number in range(1, 5):
        expect(phone.get_by_text(f"Question {number} of 4")).to_be_visible()
        answers = phone.locator("#answers button")
        expect(answers.first).to_be_disabled()
        for pad in phone.locator("#sounds button").all():
            pad.click()
            expect(pad).to_have_class(re.compile("heard"))
        if number == 2:
            phone.reload()
            expect(phone.get_by_text("Question 2 of 4")).to_be_visible()
            for pad in phone.locator("#sounds button").all():
                pad.click()
                expect(pad).to_have_class(re.compile("heard"))
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
        answers.first.click()
    expect(phone.get_by_text(re.compile(r"You found the synthetic one \d of 2 times"))).to_be_visible()
    expect(page.get_by_text("1 listener, 1 finished.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"The audience named the class \d of 2 times"))).to_be_visible()
    page.get_by_role("button", name="End audience mode").click()
    expect(address).to_have_count(0)
    with pytest.raises(PlaywrightError, match="ERR_CONNECTION_REFUSED"):
        phone.reload()
    phone.close()
    assert not errors


@pytest.mark.parametrize(("width", "height", "beside"), [(1280, 720, True), (430, 900, False)])
def test_all_tiles_are_in_view_without_scrolling_inside_and_the_player_is_where_there_is_room(
    server: Server, page: Page, heard: runs.Run, width: int, height: int, *, beside: bool
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{server.url}/listen?run={heard.id}")
    expect(page.locator(".tile")).to_have_count(80, timeout=60_000)
    expect(page.locator(".player")).to_have_attribute("data-ready", "true")
    sizes = page.locator(".grid").evaluate(
        "grid => [grid.scrollHeight - grid.clientHeight, grid.scrollWidth - grid.clientWidth]"
    )
    assert max(sizes) <= 1, sizes
    board, player = page.locator(".board").bounding_box(), page.locator(".player").bounding_box()
    assert board is not None
    assert player is not None
    assert (board["x"] + board["width"] < player["x"]) == beside
    assert (board["y"] + board["height"] < player["y"]) != beside
    if beside:
        assert board["y"] + board["height"] <= height


def test_on_stage_keys_go_through_the_stops_with_the_run_in_view(
    server: Server, page: Page, heard: runs.Run, errors: list[str]
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{server.url}/distill?run={heard.id}")
    page.get_by_role("button", name="Presentation mode").click(timeout=60_000)
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()

    def at(stop: str, url: str) -> None:
        expect(page.get_by_role("button", name=stop, exact=True)).to_have_attribute("aria-current", "page")
        page.wait_for_url(re.compile(url))
        # One frame: nothing has to be scrolled.
        page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollHeight <= innerHeight + 1")

    at("Distill", "/distill")
    page.keyboard.press("PageUp")
    at("Title", r"/\?")
    page.keyboard.press("PageDown")
    at("Distill", "/distill")
    stops = [("Listen", "/listen"), ("Real or synthetic?", "/listen.*view=Blind"), ("Accuracy", "/evaluate")]
    for key, (stop, url) in zip(("PageDown", "ArrowRight", "PageDown"), stops, strict=True):
        page.keyboard.press(key)
        at(stop, url)
        assert f"run={heard.id}" in page.url
    for key in ("PageDown", "PageDown"):
        # The last stop is the end: it does not lead to the first one.
        page.keyboard.press(key)
        at("Decompose", "/decompose")
    page.keyboard.press("PageUp")
    at("Accuracy", f"/evaluate.*run={heard.id}")
    expect(page.locator("[data-blank]")).to_be_hidden()
    page.keyboard.press("b")
    expect(page.locator("[data-blank]")).to_be_visible()
    page.keyboard.press("PageDown")
    expect(page.locator("[data-blank]")).to_be_hidden()
    at("Accuracy", "/evaluate")
    # A link stays on stage.
    page.goto(f"{server.url}/distill?run={heard.id}&stage=1")
    at("Distill", "/distill")
    page.get_by_role("link", name="Listen").click()
    at("Listen", "/listen.*stage=1")
    page.get_by_role("button", name="Exit presentation").click()
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    assert not errors
