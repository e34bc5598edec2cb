"""The soundboard and the player alone, in a real browser; what they play is measured where it leaves the context."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import ConsoleMessage, Locator, Page, Route, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

# Keeps every block of samples that goes to the speakers, and the number of its first.
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
  constructor(...asked) {
    super(...asked);
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
    """A page that holds nothing but the components."""

    command = ("-m", "streamlit", "run", str(Path(__file__).with_name("sound_page.py")))


@pytest.fixture(scope="module")
def host(own_place: Path) -> Iterator[Host]:
    served = Host(own_place / "sounds.log")
    yield served
    served.stop()


@pytest.fixture(autouse=True)
def errors(page: Page) -> Iterator[None]:
    """Fails a test in which the console had something to say."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # Media are asked for again where a rerun had let go of them; the browser notes each time.
        if message.type in ("error", "warning") and "/media/" not in message.location["url"]:
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    yield
    assert not found


def opened(page: Page, host: Host, asked: str) -> tuple[Locator, Locator]:
    """Board and player of the page; the one that is not there is not looked for."""
    page.add_init_script(_RECORDER)
    page.goto(f"{host.url}/?{asked}")
    return page.locator(".board"), page.locator(".player")


def recorded(page: Page) -> tuple[NDArray[np.float64], int]:
    """What went to the speakers so far, and its sample rate; blocks that were lost are not numbers."""
    rate, blocks = page.evaluate("[recorded.rate, recorded.blocks]")
    first = blocks[0][0]
    wave = np.full(blocks[-1][0] + 128 - first, np.nan)
    for frame, samples in blocks:
        wave[frame - first : frame - first + 128] = samples
    return wave, rate


def started(player: Locator, *, loop: bool = True) -> None:
    expect(player).to_have_attribute("data-ready", "true", timeout=60_000)
    player.focus()
    if loop:
        player.press("l")
    player.press(" ")
    expect(player).to_have_attribute("data-playing", "true")


def test_a_switch_keeps_the_place_as_the_samples_tell(page: Page, host: Host) -> None:
    _, player = opened(page, host, "show=player")
    started(player)
    page.wait_for_timeout(500)
    for key in "2121":
        page.keyboard.press(key)
        page.wait_for_timeout(300)
    wave, rate = recorded(page)
    place = (np.abs(wave) - 0.1) / 0.7
    # Where it would be had it never been switched: constant, as far as a second's loop goes.
    origin = (place - np.arange(len(wave)) / rate) % 1.0
    switches = np.flatnonzero(np.sign(wave[1:]) * np.sign(wave[:-1]) < 0)
    before, after = origin[switches - rate // 50], origin[switches + rate // 50]
    lost = (after - before + 0.5) % 1.0 - 0.5
    assert np.isfinite(lost).sum() >= 4
    assert np.nanmax(np.abs(lost)) < 0.03
    assert np.nanmax(np.abs(np.diff(wave[switches[0] - 500 : switches[0] + 500]))) < 0.05, "a click"


def test_a_tone_stays_one_tone(page: Page, host: Host) -> None:
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


def test_another_track_is_ready_only_with_its_own_sounds(page: Page, host: Host) -> None:
    _, player = opened(page, host, "show=player")
    expect(player).to_have_attribute("data-ready", "true", timeout=60_000)
    held: list[Route] = []

    # Playwright looks into what it calls, which a list's own method does not allow.
    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/media/**", hold)
    page.get_by_text("Another track").click()
    expect(player).not_to_have_attribute("data-ready", "true")
    for route in held:
        route.continue_()
    page.unroute("**/media/**")
    expect(player).to_have_attribute("data-ready", "true")


def test_it_loops_stops_at_its_end_steps_and_matches(page: Page, host: Host) -> None:
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


def test_a_board_plays_all_in_order_and_names_are_text(page: Page, host: Host, until: Callable[..., None]) -> None:
    board, _ = opened(page, host, "show=board&classes=3&tracks=2&seconds=0.3")
    expect(board.locator(".tile")).to_have_count(6, timeout=60_000)
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
    expect(page.get_by_text("heard: None")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_text("heard: 2_0")).to_be_visible()


def test_a_rerun_that_is_cut_short_leaves_no_tile_empty(page: Page, host: Host) -> None:
    board, _ = opened(page, host, "show=board&classes=40&tracks=2&wait=1")
    tiles = board.locator(".tile")
    expect(tiles).to_have_count(80, timeout=60_000)
    gone: list[str] = []
    page.on("response", lambda answer: gone.append(answer.url) if answer.status == 404 else None)
    tiles.first.click()
    page.wait_for_timeout(400)
    tiles.nth(2).click()
    page.wait_for_timeout(800)
    tiles.last.scroll_into_view_if_needed()
    expect(tiles.last.locator(".picture")).to_have_attribute("style", re.compile("background-image"))
    tiles.last.click()
    expect(board).to_have_attribute("data-playing", "39_1")
    assert gone, "nothing was let go of: this tests nothing"


def test_many_classes_are_rows_that_load_as_they_come_near(page: Page, host: Host) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/media/" in request.url else None)
    board, _ = opened(page, host, "show=board&classes=50&tracks=10")
    expect(board.locator(".tile")).to_have_count(500, timeout=60_000)
    expect(board.get_by_role("rowheader")).to_have_count(50)
    page.wait_for_timeout(500)
    near = len(asked)
    assert 0 < near < 30
    board.locator(".tile").first.click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(board).to_have_attribute("data-playing", "1_1")
    board.locator(".tile").last.scroll_into_view_if_needed()
    board.locator(".tile").last.click()
    expect(board).to_have_attribute("data-playing", "49_9")
    assert len(asked) > near
