"""The Decompose page in a real browser: a note is taken apart, transposed, heard, taken along, and still there."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, Response, expect

from distrack import jobs, runs
from distrack.decompose import apply, render, storage
from distrack.jobs.decomposition import DecomposeJob, decomposition_report, events_file, history
from distrack.settings import settings
from tests.browser.conftest import Server

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
    page.get_by_label("Number").fill("4")
    page.get_by_label("Number").press("Enter")
    page.get_by_role("button", name="Select", exact=True).click()
    expect(page.get_by_text(f"4 of {report.events} selected")).to_be_visible()
    page.keyboard.press("Escape")
    expect(player.get_by_role("radio")).to_have_count(4)
    page.get_by_role("combobox", name="Edit").click()
    page.get_by_role("option", name="Transpose", exact=True).click()
    expect(page.get_by_label("Semitones")).to_have_value("12")
    page.get_by_role("button", name="Apply to 4 selected").click()
    expect(page.get_by_text("1 edit: Transpose")).to_be_visible()
    expect(player.get_by_role("radio")).to_have_count(5)
    expect(player).to_have_attribute("data-ready", "true")
    player.focus()
    page.keyboard.press("4")
    expect(player).to_have_attribute("data-source", "Edited")
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


def test_a_box_on_the_plane_selects_the_events_it_touches(server: Server, page: Page, note: Path) -> None:
    job = DecomposeJob(file=note, events=8)
    run = job.create(settings().runs_path, "boxed")
    jobs.work(run)
    page.goto(f"{server.url}/decompose?run={run.id}")
    expect(page.locator(".player")).to_have_attribute("data-ready", "true")
    plane = page.locator(".js-plotly-plot .nsewdrag").first
    plane.scroll_into_view_if_needed()
    place = plane.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 2, place["y"] + 2)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] - 2, place["y"] + place["height"] - 2, steps=5)
    page.mouse.up()
    expect(page.get_by_text(re.compile(r"^8 of 8 selected"))).to_be_visible()
    page.get_by_role("button", name="Invert").click()
    expect(page.get_by_text(re.compile(r"^0 of 8 selected"))).to_be_visible()
