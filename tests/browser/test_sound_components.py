"""The soundboard and the player by themselves in a real browser; the samples that go to the speakers are measured."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import ConsoleMessage, Locator, Page, Route, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

# Records every block of samples that goes to the speakers, with the number of its first sample.
_RECORDER = """
const processor = `registerProcessor("recorder", class extends AudioWorkletProcessor {
  process([[samples]]) {
    this.port.postMessage([currentFrame, [...(samples ?? new Float32Array(128))]]);
    return true;
  }
})`;
const connect = AudioNode.prototype.connect;
const url = URL.createObjectURL(new Blob([processor], { type: "text/javascript" }));
window.AudioContext = class extends AudioContext {
  constructor(...options) {
    super(...options);
    window.recorded = { rate: this.sampleRate, blocks: [] };
    this.waiting = [];
    this.audioWorklet.addModule(url).then(() => {
      this.recorder = new AudioWorkletNode(this, "recorder");
      this.recorder.port.onmessage = ({ data }) => recorded.blocks.push(data);
      connect.call(this.recorder, this.destination);
      this.waiting.forEach((node) => connect.call(node, this.recorder));
    });
  }
};
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode && this.context.waiting) {
    if (this.context.recorder) connect.call(this, this.context.recorder);
    else this.context.waiting.push(this);
  }
  return connect.call(this, to, ...rest);
};
"""


class Host(Server):
    """A server of a page with nothing but the components."""

    command = ("-m", "streamlit", "run", str(Path(__file__).with_name("sound_page.py")))


@pytest.fixture(scope="module")
def host(own_place: Path) -> Iterator[Host]:
    served = Host(own_place / "sounds.log")
    yield served
    served.stop()


@pytest.fixture(autouse=True)
def errors(page: Page) -> Iterator[None]:
    """Fails a test that leaves errors or warnings in the console."""
    messages: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # Media that an interrupted rerun has dropped are requested again; the browser reports each failure.
        if message.type in ("error", "warning") and "/media/" not in message.location["url"]:
            messages.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: messages.append(str(error)))
    yield
    assert not messages


def opened(page: Page, host: Host, parameters: str) -> tuple[Locator, Locator]:
    """Locators of the board and the player; the page has one of them."""
    page.add_init_script(_RECORDER)
    page.goto(f"{host.url}/?{parameters}")
    return page.locator(".board"), page.locator(".player")


def recorded(page: Page) -> tuple[NDArray[np.float64], int]:
    """The samples that went to the speakers so far, with NaN for lost blocks, and the sample rate."""
    rate, blocks = page.evaluate("[recorded.rate, recorded.blocks]")
    first = blocks[0][0]
    wave = np.full(blocks[-1][0] + 128 - first, np.nan)
    for frame, samples in blocks:
        wave[frame - first : frame - first + 128] = samples
    return wave, rate


def started(player: Locator, *, loop: bool = True) -> None:
    expect(player).to_have_attribute("data-ready", "true")
    player.focus()
    if loop:
        player.press("l")
    player.press(" ")
    expect(player).to_have_attribute("data-playing", "true")


def test_a_switch_keeps_the_position(page: Page, host: Host) -> None:
    _, player = opened(page, host, "show=player")
    started(player)
    page.wait_for_timeout(500)
    lost = np.empty(0)
    # A busy machine loses blocks; a switch counts if the samples on both sides of it were recorded.
    for _ in range(5):
        for key in "2121":
            page.keyboard.press(key)
            page.wait_for_timeout(300)
        wave, rate = recorded(page)
        place = (np.abs(wave) - 0.1) / 0.7
        # The position minus the elapsed time, modulo the loop of a second: constant if no switch changes it.
        origin = (place - np.arange(len(wave)) / rate) % 1.0
        switches = np.flatnonzero(np.sign(wave[1:]) * np.sign(wave[:-1]) < 0)
        switches = switches[switches + rate // 50 < len(wave)]
        lost = (origin[switches + rate // 50] - origin[switches - rate // 50] + 0.5) % 1.0 - 0.5
        if np.isfinite(lost).sum() >= 4:
            break
    assert np.isfinite(lost).sum() >= 4
    assert np.nanmax(np.abs(lost)) < 0.03
    first = switches[np.isfinite(lost)][0]
    assert np.nanmax(np.abs(np.diff(wave[first - 500 : first + 500]))) < 0.05, "a click"


def test_a_tone_is_played_without_aliases(page: Page, host: Host) -> None:
    _, player = opened(page, host, "show=tone")
    started(player)
    page.wait_for_timeout(1500)
    wave, rate = recorded(page)
    begin = int(np.argmax(np.abs(wave) > 0.01)) + rate // 10
    part = np.nan_to_num(wave[begin : begin + rate // 2])
    spectrum = np.abs(np.fft.rfft(part * np.blackman(len(part))))
    frequency = np.fft.rfftfreq(len(part), 1 / rate)
    others = spectrum[np.abs(frequency - 7000) > 100].max()
    assert 20 * np.log10(others / spectrum.max()) < -50


def test_the_player_of_another_track_waits_for_its_sounds(page: Page, host: Host) -> None:
    _, player = opened(page, host, "show=player")
    expect(player).to_have_attribute("data-ready", "true")
    held: list[Route] = []

    # Playwright inspects its callbacks, which a list's method does not allow.
    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/media/**", hold)
    page.get_by_text("Another track").click()
    expect(player).not_to_have_attribute("data-ready", "true")
    for route in held:
        route.continue_()
    page.unroute("**/media/**")
    expect(player).to_have_attribute("data-ready", "true")


def test_the_player_stops_at_the_end_loops_steps_and_matches_loudness(page: Page, host: Host) -> None:
    _, player = opened(page, host, "show=player")
    started(player, loop=False)
    expect(player).to_have_attribute("data-playing", "false", timeout=3_000)
    place = page.get_by_role("slider", name="Playback position")
    place.press("ArrowRight")
    expect(place).to_have_attribute("aria-valuenow", "0.10")
    expect(place).to_have_attribute("aria-valuetext", "0.10 / 1.00 s")
    place.press("ArrowLeft")
    expect(player).to_have_attribute("data-position", re.compile(r"^0\.0"))
    player.press("l")
    player.press(" ")
    page.wait_for_timeout(1300)
    expect(player).to_have_attribute("data-playing", "true")
    page.keyboard.press("3")
    slider = page.locator(".steps input")
    for step in ("step 2", "step 4"):
        slider.press("ArrowRight")
        expect(player).to_have_attribute("data-step", step)
        expect(player).to_have_attribute("data-playing", "true")
    page.keyboard.press("4")
    matched = float(player.get_attribute("data-gain") or 0)
    # 29 dB up to -16 LUFS.
    assert 20 * np.log10(matched) == pytest.approx(29, abs=0.1)
    page.get_by_role("button", name="Match loudness").click()
    expect(player).to_have_attribute("data-gain", "1.0000")


def test_play_all_plays_in_order_and_names_are_text(page: Page, host: Host, until: Callable[..., None]) -> None:
    board, _ = opened(page, host, "show=board&classes=3&tracks=2&seconds=0.3")
    expect(board.locator(".tile")).to_have_count(6)
    expect(board.get_by_role("columnheader").first).to_contain_text("<img src=x onerror=alert(1)> ä/\"0'")
    page.evaluate(
        """board => { window.order = []; new MutationObserver(() => {
             if (board.dataset.playing && order.at(-1) !== board.dataset.playing) order.push(board.dataset.playing);
           }).observe(board, { attributes: true }); }""",
        board.element_handle(),
    )
    page.get_by_role("button", name="Play all").click()
    until(lambda: len(page.evaluate("order")) == 6, 20)
    assert page.evaluate("order") == [f"{label}_{track}" for label in range(3) for track in range(2)]
    expect(page.get_by_role("button", name="Play all")).to_be_visible()
    expect(page.get_by_text("played: None")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_text("played: 2_0")).to_be_visible()


def test_an_interrupted_rerun_leaves_no_tile_empty(page: Page, host: Host) -> None:
    board, _ = opened(page, host, "show=board&classes=40&tracks=2&wait=4")
    tiles = board.locator(".tile")
    expect(tiles).to_have_count(80)
    expect(tiles.first.locator(".picture")).to_have_attribute("style", re.compile("background-image"))
    url = re.search(r'url\("(.*?)"\)', tiles.first.locator(".picture").get_attribute("style") or "")
    assert url is not None
    tiles.first.click()
    expect(board).to_have_attribute("data-playing", "0_0")
    tiles.nth(2).click()
    # The rerun that the second press interrupted has dropped the files; the next one serves them again. On a slow page
    # that moment may have passed; what follows holds before and after it.
    deadline = time.monotonic() + 10
    while page.request.get(host.url + url[1]).status != 404 and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    tiles.last.scroll_into_view_if_needed()
    expect(tiles.last.locator(".picture")).to_have_attribute("style", re.compile("background-image"))
    tiles.last.click()
    expect(board).to_have_attribute("data-playing", "39_1")


def test_many_classes_are_rows_that_load_when_scrolled_near(page: Page, host: Host) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if "/media/" in request.url else None)
    board, _ = opened(page, host, "show=board&classes=50&tracks=10")
    expect(board.locator(".tile")).to_have_count(500)
    expect(board.get_by_role("rowheader")).to_have_count(50)
    page.wait_for_timeout(500)
    near = len(requests)
    assert 0 < near < 30
    board.locator(".tile").first.click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(board).to_have_attribute("data-playing", "1_1")
    board.locator(".tile").last.scroll_into_view_if_needed()
    board.locator(".tile").last.click()
    expect(board).to_have_attribute("data-playing", "49_9")
    assert len(requests) > near


def test_no_media_are_requested_after_the_page_was_left(page: Page, host: Host) -> None:
    requests: list[str] = []

    def refuse(route: Route) -> None:
        requests.append(route.request.url)
        route.fulfill(status=404)

    page.route(f"{host.url}/media/**", refuse)
    board, _ = opened(page, host, "show=board&classes=3&tracks=1")
    expect(board.locator(".tile")).to_have_count(3)
    page.get_by_text("Leave", exact=True).click()
    expect(page.get_by_text("Nothing here")).to_be_visible()
    expect(board).to_have_count(0)
    before = len(requests)
    assert before >= 3
    # The last attempt of a file that is still needed comes 5.8 s after the first.
    page.wait_for_timeout(5_500)
    assert len(requests) == before
