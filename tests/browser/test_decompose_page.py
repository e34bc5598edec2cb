"""The Decompose page in a real browser: a note is taken apart, transposed, heard, taken along, and still there."""

import io
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import FilePayload, Page, Response, expect

from distrack import jobs, runs
from distrack.decompose import Edit, Events, apply, render, storage
from distrack.decompose.pursuit.waveform_kind import WAVEFORMS, main_partials
from distrack.decompose.transforms import move, stretch
from distrack.jobs.decomposition import DecomposeJob, decomposition_report, events_file, history
from distrack.settings import settings
from distrack.ui.sound.media import source
from distrack.validation import from_preset
from tests.browser.conftest import Server, choose

pytestmark = pytest.mark.browser

_RATE = 16_000


@pytest.fixture(scope="module")
def note(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A struck note of 440 Hz, and a softer one of 1,500 Hz half a second later."""
    time = np.arange(_RATE) / _RATE
    wave = 0.5 * np.exp(-4 * time) * np.sin(2 * np.pi * 440 * time)
    wave[_RATE // 2 :] += 0.1 * np.sin(2 * np.pi * 1500 * time[: _RATE // 2]) * np.exp(-9 * time[: _RATE // 2])
    path = tmp_path_factory.mktemp("note") / "note.wav"
    soundfile.write(path, wave, _RATE)
    return path


def pitch(wave: np.ndarray[tuple[int], np.dtype[np.float64]], rate: int) -> float:
    """Frequency of the loudest partial, in Hz."""
    return float(np.abs(np.fft.rfft(wave, 1 << 17)).argmax() * rate / (1 << 17))


def test_a_note_is_decomposed_transposed_played_and_saved(server: Server, page: Page, note: Path) -> None:
    heard: list[Response] = []
    page.on("response", lambda answer: heard.append(answer) if answer.url.endswith(".flac") else None)
    page.goto(f"{server.url}/decompose")
    page.get_by_text("File path", exact=True).click()
    path = page.get_by_label("Path of a recording on this computer")
    path.fill(str(note))
    path.press("Enter")
    expect(page.get_by_text("note.wav: 1.0 s at 16,000 Hz")).to_be_visible()
    page.get_by_role("button", name="Decompose").click()
    page.wait_for_url(re.compile(r"run="))
    run = runs.find(settings().runs_path, page.url.split("run=")[1])
    player = page.locator(".player")
    expect(player).to_have_attribute("data-ready", "true")
    report = decomposition_report(run)
    assert report is not None
    assert report.snr_db > 20
    expect(page.get_by_text(f"of {report.events} selected")).to_be_visible()
    expect(player.get_by_role("radio")).to_have_count(3)

    page.get_by_role("button", name="Loudest").click()
    page.get_by_label("Number", exact=True).fill("4")
    page.get_by_label("Number", exact=True).press("Enter")
    page.get_by_role("button", name="Select", exact=True).click()
    expect(page.get_by_text(f"4 of {report.events} selected")).to_be_visible()
    page.keyboard.press("Escape")
    expect(player.get_by_role("radio")).to_have_count(4)
    choose(page.get_by_role("combobox", name="Edit"), "Transpose")
    expect(page.get_by_label("Semitones")).to_have_value("12")
    page.get_by_role("button", name="Apply to 4 selected").click()
    expect(page.get_by_text("1 edit: Transpose")).to_be_visible()
    expect(player.get_by_role("radio")).to_have_count(5)
    expect(player).to_have_attribute("data-ready", "true")
    # The edit is what is heard next.
    expect(player).to_have_attribute("data-source", "Edited")
    player.focus()
    page.keyboard.press(" ")
    expect(player).to_have_attribute("data-playing", "true")
    pitches = []
    for answer in heard:
        wave, rate = soundfile.read(io.BytesIO(answer.body()))
        pitches.append(pitch(wave, rate))
    assert any(found == pytest.approx(880, rel=0.01) for found in pitches), pitches
    assert any(found == pytest.approx(440, rel=0.01) for found in pitches), pitches
    _check_download_and_reload(page, run)


def _check_download_and_reload(page: Page, run: runs.Run) -> None:
    """The downloaded events sound like the edited ones, and a reload shows the edits again."""
    player = page.locator(".player")
    # The player is ready before the buttons below it are drawn anew.
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    with page.expect_download() as download:
        page.get_by_role("button", name="Events", exact=True).click()
    downloaded = storage.load(download.value.path())
    edited = apply(storage.load(events_file(run)), history(run).done)
    assert np.array_equal(render(downloaded), render(edited))

    page.reload()
    expect(page.get_by_text("1 edit: Transpose")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 edit: Transpose")).to_be_hidden()
    expect(player.get_by_role("radio")).to_have_count(3)
    assert history(run).done == ()
    assert len(history(run).undone) == 1


class PlaneOnPage:
    """The plane of a page, by seconds and hertz."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".plane")
        expect(self.root).to_have_attribute("data-view", re.compile(r"\d"))
        self.root.scroll_into_view_if_needed()

    def place(self, seconds: float, hertz: float) -> tuple[float, float]:
        """Where a time and a frequency lie on the page, in pixels."""
        box = self.root.locator("canvas").bounding_box()
        start, end, bottom, top = map(float, str(self.root.get_attribute("data-view")).split())
        assert box is not None
        left, below = 44, 22
        x = box["x"] + left + (seconds - start) / (end - start) * (box["width"] - left)
        return x, box["y"] + (top - np.log2(hertz)) / (top - bottom) * (box["height"] - below)

    def press(self, seconds: float, hertz: float, *, shift: bool = False) -> None:
        """Presses and releases at a place."""
        x, y = self.place(seconds, hertz)
        self.page.keyboard.down("Shift") if shift else None
        self.page.mouse.click(x, y)
        self.page.keyboard.up("Shift") if shift else None

    def drag(self, start: tuple[float, float], end: tuple[float, float], key: str = "") -> None:
        """Drags from one place to another, each in seconds and hertz, while a key is held."""
        if key:
            self.page.keyboard.down(key)
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=5)
        self.page.mouse.up()
        if key:
            self.page.keyboard.up(key)

    def has(self, **data: object) -> None:
        """Waits until the plane shows these numbers."""
        for name, value in data.items():
            expect(self.root).to_have_attribute(f"data-{name}", str(value))


def _decomposed(clip: Path, name: str, **settings_of_job: Any) -> tuple[runs.Run, Events]:
    run = from_preset(DecomposeJob, {"file": clip, **settings_of_job}).create(settings().runs_path, name)
    jobs.work(run)
    return run, storage.load(events_file(run))


def _done(run: runs.Run, count: int) -> Edit:
    """The last of this many edits, once the app has stored it."""
    deadline = time.monotonic() + 60
    while len(history(run).done) != count:
        assert time.monotonic() < deadline, history(run)
        time.sleep(0.05)
    return history(run).done[-1]


def test_events_are_pressed_added_boxed_and_released_on_the_plane(server: Server, page: Page, note: Path) -> None:
    method = {"name": "matching-pursuit", "atoms": "damped", "orthogonal": False}
    run, events = _decomposed(note, "boxed", events=8, method=method)
    page.goto(f"{server.url}/decompose?run={run.id}")
    plane = PlaneOnPage(page)
    box = events.kind.boxes(events)
    low = int(np.argmin(np.abs(box.pitch - 440) - box.energy))
    high = int(np.argmin(np.abs(box.pitch - 1500) - box.energy))
    plane.press(float(box.onset[low]) + 0.05, float(box.pitch[low]))
    plane.has(selected=1)
    expect(plane.root).to_have_attribute("data-sounded", re.compile(r"\d"))
    expect(page.get_by_text("1 of 8 selected")).to_be_visible()
    plane.press(float(box.onset[high]) + 0.05, float(box.pitch[high]), shift=True)
    expect(page.get_by_text("2 of 8 selected")).to_be_visible()
    _, end, bottom, top = map(float, str(plane.root.get_attribute("data-view")).split())
    plane.press(0.02, 2 ** (top - 0.05))
    expect(page.get_by_text("0 of 8 selected")).to_be_visible()
    # An edit of the selection cannot be applied to nothing, which would not mean everything.
    expect(page.get_by_role("button", name="Apply to 0 selected")).to_be_disabled()
    plane.drag((0.005, 2 ** (top - 0.02)), (end - 0.005, 2 ** (bottom + 0.02)))
    # A box takes what is in view, which is where the energy is.
    expect(page.get_by_text(re.compile(r"^[2-8] of 8 selected"))).to_be_visible()
    page.get_by_role("button", name="None", exact=True).click()
    plane.has(selected=0)
    assert history(run).done == ()


def test_an_event_is_moved_transposed_copied_and_stretched_by_hand(server: Server, page: Page, note: Path) -> None:
    run, events = _decomposed(note, "dragged", events=2, method={"name": "matching-pursuit", "atoms": "damped"})
    page.goto(f"{server.url}/decompose?run={run.id}")
    plane = PlaneOnPage(page)
    box = events.kind.boxes(events)
    number = int(np.argmin(np.abs(box.pitch - 1500)))
    onset, pitch_before = float(box.onset[number]), float(box.pitch[number])
    here = (onset + 0.03, pitch_before)
    plane.drag(here, (here[0] - 0.25, pitch_before * 2 ** (-3.1 / 12)))
    moved = _done(run, 1)
    assert (moved.name, moved.which, moved.arguments["semitones"]) == ("move", (number,), -3)
    assert moved.arguments["seconds"] == pytest.approx(-0.25, abs=0.01)
    there = (here[0] - 0.25, pitch_before * 2 ** (-3 / 12))
    plane.drag(there, (there[0] + 0.4, there[1] * 2), key="Alt")
    copied = _done(run, 2)
    assert (copied.name, copied.which, copied.arguments["semitones"]) == ("copy", (number,), 12)
    plane.has(events=3, selected=1)
    # By keys: the copy is still selected.
    for key in ("Shift+ArrowUp", "Shift+ArrowUp", "Shift+ArrowRight", "."):
        page.keyboard.press(key)
    assert (_done(run, 6).name, history(run).done[-1].which) == ("stretch", (2,))
    assert [one.arguments.get("semitones") for one in history(run).done[2:5]] == [1, 1, 0]
    page.keyboard.press("Control+z")
    assert _done(run, 5).name == "move"
    page.keyboard.press("Control+Shift+Z")
    assert _done(run, 6).name == "stretch"
    page.keyboard.press("Control+a")
    plane.has(selected=3)
    page.keyboard.press("Delete")
    plane.has(events=0)
    assert (_done(run, 7).name, history(run).done[-1].which) == ("remove", None)
    page.reload()
    plane.has(events=0)
    page.get_by_role("button", name="Undo").click()
    plane.has(events=3)
    current = apply(events, history(run).done)
    assert float(current.kind.boxes(current).pitch[2]) == pytest.approx(pitch_before * 2 ** ((9 + 2) / 12), rel=1e-4)


def test_a_section_is_moved_on_the_overview_and_its_events_keep_their_numbers(
    server: Server, page: Page, tmp_path: Path
) -> None:
    rate, path = 4_000, tmp_path / "long.wav"
    seconds = np.arange(150 * rate) / rate
    # Ten notes, one every 15 s, each softer than the one before.
    notes = [
        0.8**note * np.exp(-(((seconds - 5 - 15 * note) / 0.2) ** 2)) * np.sin(2 * np.pi * (200 + 40 * note) * seconds)
        for note in range(10)
    ]
    soundfile.write(path, 0.5 * np.sum(notes, axis=0), rate)
    run, events = _decomposed(path, "sections", events=10)
    box = events.kind.boxes(events)
    number = int(np.abs(box.pitch - 200 - 40 * 6).argmin())
    page.goto(f"{server.url}/decompose?run={run.id}&start=30")
    plane, overview = PlaneOnPage(page), page.get_by_role("slider", name="Section of the clip")
    plane.has(events=2)
    # In the middle of the clip, then two sections of 30 s on.
    overview.click()
    expect(page.get_by_text("1:00 to 1:30 of 2:30")).to_be_visible()
    overview.press("ArrowRight")
    expect(page.get_by_text("1:30 to 2:00 of 2:30")).to_be_visible()
    expect(page).to_have_url(re.compile(r"start=90"))
    expect(plane.root).to_have_attribute("data-view", re.compile(r"^90\.0000 120\.0000"))
    plane.has(events=2)
    plane.press(95, float(box.pitch[number]))
    expect(page.get_by_text("1 of 10 selected")).to_be_visible()
    expect(plane.root.get_by_role("status")).to_contain_text(f"Event {number}:")
    player = page.locator(".player")
    expect(player).to_have_attribute("data-ready", "true")
    expect(player.locator(".time")).to_have_text("90.00 / 120.00 s")
    page.get_by_role("button", name="All", exact=True).click()
    plane.has(selected=2)
    for count in (9, 10):
        plane.press(95, float(box.pitch[number]), shift=True)
        expect(page.get_by_text(f"{count} of 10 selected")).to_be_visible()
    # By hand: all that are selected, also those outside of the section.
    plane.root.locator("canvas").press("Shift+ArrowUp")
    assert (_done(run, 1).name, history(run).done[-1].which) == ("move", None)
    plane.root.locator("canvas").press("Escape")
    plane.root.locator("canvas").press("Escape")
    plane.has(selected=0)
    plane.press(95, float(box.pitch[number]) * 2 ** (1 / 12))
    expect(page.get_by_text("1 of 10 selected")).to_be_visible()
    page.keyboard.press("Control+d")
    assert (_done(run, 2).name, history(run).done[-1].which) == ("copy", (number,))
    plane.has(events=3, selected=1)
    page.keyboard.press("Delete")
    assert (_done(run, 3).name, history(run).done[-1].which) == ("remove", (10,))
    plane.has(events=2, selected=0)
    # The plane is drawn before the buttons below it.
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    with page.expect_download() as download:
        page.get_by_role("button", name="FLAC of the section").click()
    assert soundfile.info(download.value.path()).frames == 30 * rate
    # An edit brings the edited sound to the front, another section does not.
    expect(player).to_have_attribute("data-source", "Edited")
    player.get_by_role("radio", name="Original").click()
    overview.press("ArrowLeft")
    expect(player.locator(".time")).to_have_text("60.00 / 90.00 s")
    expect(player).to_have_attribute("data-ready", "true")
    expect(player).to_have_attribute("data-source", "Original")


def test_text_under_the_name_of_a_recording_is_refused_in_one_sentence(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/decompose")
    text: FilePayload = {"name": "text.wav", "mimeType": "audio/wav", "buffer": b"no sound"}
    page.locator("input[type=file]").first.set_input_files(text)
    error = page.get_by_test_id("stAlert")
    expect(error).to_have_text("text.wav is not an audio file we can read. Use WAV, FLAC, OGG or MP3.")
    expect(page.get_by_role("button", name="Decompose", exact=True)).to_have_count(0)


def test_the_microphone_records_as_much_as_is_heard(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/decompose")
    page.get_by_text("Record", exact=True).click()
    page.get_by_role("button", name="Record", exact=True).last.click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_text(re.compile(r"s at 48,000 Hz"))).to_be_visible()


def test_an_edit_applies_as_it_is_offered_and_its_sound_is_in_front(server: Server, page: Page, note: Path) -> None:
    run, _ = _decomposed(note, "offered", events=4, method={"name": "matching-pursuit", "atoms": "damped"})
    page.goto(f"{server.url}/decompose?run={run.id}")
    expect(page.locator(".player")).to_have_attribute("data-ready", "true")
    choose(page.get_by_role("combobox", name="Edit", exact=True), "Quantise")
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_role("button", name="Apply to 4 selected").click()
    assert _done(run, 1).name == "quantise"
    expect(page.locator(".player")).to_have_attribute("data-source", "Edited")
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


@pytest.mark.parametrize(
    "method",
    [
        {"name": "matching-pursuit", "atoms": "both"},
        {"name": "matching-pursuit", "atoms": "learned", "waveforms": 2},
        {"name": "splat", "iterations": 5},
        {"name": "siam", "refine": 5},
    ],
    ids=["atoms", "waveforms", "splats", "model"],
)
@pytest.mark.parametrize("stereo", [False, True], ids=["mono", "stereo"])
def test_the_browser_renders_events_as_the_engine_does(
    page: Page, tmp_path: Path, method: dict[str, Any], stereo: bool
) -> None:
    rate, random = 8_000, np.random.default_rng(0)
    seconds = np.arange(rate) / rate
    wave = 0.4 * np.exp(-6 * seconds) * np.sin(2 * np.pi * 330 * seconds) + 0.02 * random.standard_normal(rate)
    wave[3_000:3_400] += 0.2 * random.standard_normal(400)
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.stack([wave, 0.3 * wave[::-1]], axis=1) if stereo else wave, rate)
    _, events = _decomposed(path, f"rendered-{method.get('atoms', method['name'])}-{stereo}", events=6, method=method)
    if method.get("atoms") != "learned":
        events = stretch(move(events, seconds=0.0113, semitones=2.5), factor=1.2)
    page.goto("about:blank")
    page.add_script_tag(content=source("synthesis.js"))
    waveforms = events.shared.get(WAVEFORMS, np.zeros((0, 1), np.float32))
    own = main_partials(waveforms) if len(waveforms) else ()
    clip = {
        "kind": events.kind_name,
        "columns": {column.name: place for place, column in enumerate(events.kind.columns(events.channels))},
        "rate": rate,
        "samples": events.samples,
        "channels": events.channels,
        "seed": str(events.seed),
        "settings": dict(events.settings),
        "waveforms": [{"samples": one.tolist(), "own": float(f)} for one, f in zip(waveforms, own, strict=True)],
        "layers": [
            {
                "weights": events.shared[f"weight {layer}"].ravel().tolist(),
                "biases": events.shared[f"bias {layer}"].tolist(),
            }
            for layer in (1, 2, 3)
            if events.kind_name == "siam"
        ],
    }
    script = "([clip, row]) => { const s = synthesised(clip, [row]); return [s.first, s.waves.map((w) => [...w])]; }"
    for number, row in enumerate(events.parameters):
        first, waves = page.evaluate(script, [clip, row.tolist()])
        here = np.zeros((events.channels, events.samples))
        here[:, first : first + len(waves[0])] = waves
        there = render(events.rows(np.array([number])))
        assert np.abs(there).max() > 1e-4
        assert np.abs(here - there).max() < 1e-3 * np.abs(there).max()
