"""The Datasets page in a real browser: prepare, hear, look; upload; download from a server that is not theirs."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import FilePayload, Page, expect

from distrack.settings import settings
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser


def tone(pitch: float) -> bytes:
    """A tenth of a second of a tone, as a WAV."""
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(2 * np.pi * pitch * np.arange(1_600) / 16_000), 16_000, format="WAV")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of tones, ten each, and a file that is none."""
    root = tmp_path_factory.mktemp("recordings")
    draw = np.random.default_rng(0)
    for name, pitch in (("high", 1760), ("low", 220)):
        (root / name).mkdir()
        for take in range(20):
            time = np.arange(16_000) / 16_000
            wave = 0.3 * np.sin(2 * np.pi * pitch * draw.uniform(0.95, 1.05) * time)
            soundfile.write(root / name / f"take {take}.wav", wave, 16_000)
    (root / "low" / "broken.wav").write_text("this is no sound")
    return root


def upload(page: Page, name: str, file: FilePayload) -> None:
    """Names a dataset and chooses a file for it, again where the page was drawn anew at that moment."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Name", exact=True).press("Enter")
    for _ in range(4):
        page.locator("input[type=file]").first.set_input_files(file)
        try:
            expect(page.get_by_test_id("stFileUploader").get_by_text(file["name"]).first).to_be_visible(timeout=8_000)
        except AssertionError:
            continue
        return
    raise AssertionError(f"{file['name']} was not taken")


def test_a_folder_is_prepared_seen_and_heard(server: Server, page: Page, recordings: Path) -> None:
    page.goto(f"{server.url}/datasets")
    expect(page.get_by_role("heading", name="Medley-solos-DB")).to_be_visible()
    page.goto(f"{server.url}/datasets?dataset=FOLDER")
    folder = page.get_by_role("textbox", name="Folder", exact=True)
    folder.fill(str(recordings))
    folder.press("Enter")
    page.wait_for_url(re.compile(r"path="))
    page.get_by_role("button", name="Prepare", exact=True).click()
    expect(page.get_by_role("heading", name="Class balance")).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("stMetric").filter(has_text="Skipped files")).to_contain_text("1")
    expect(page.get_by_role("heading", name="Skipped files")).to_be_attached()
    expect(page.locator(".js-plotly-plot")).to_have_count(4, timeout=30_000)
    players = page.locator("audio")
    expect(players).to_have_count(13)
    source = players.first.get_attribute("src")
    assert source is not None
    answer = page.request.get(source if source.startswith("http") else server.url + source)
    wave, rate = soundfile.read(io.BytesIO(answer.body()))
    spectrum = np.abs(np.fft.rfft(wave))
    heard = float(np.argmax(spectrum)) * rate / len(wave)
    assert 1600 < heard < 1900, "a clip of the first class"
    page.reload()
    expect(page.get_by_role("heading", name="Class balance")).to_be_visible(timeout=30_000)
    # From now on the folder is known: it need not be typed again.
    page.goto(f"{server.url}/distill?dataset=FOLDER")
    expect(page.get_by_role("textbox", name="Dataset folder")).to_have_value(str(recordings))


def test_a_page_of_an_absent_dataset_has_a_button_in_place_of_a_command(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/datasets?dataset=FSDD")
    expect(page.get_by_role("button", name="Download")).to_be_visible()
    assert "python -m" not in page.get_by_test_id("stMain").inner_text()


def zipped(root: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(root.rglob("*.wav")):
            archive.write(path, Path("mine") / path.relative_to(root))
    return buffer.getvalue()


def test_a_zip_becomes_a_dataset(server: Server, page: Page, recordings: Path) -> None:
    page.goto(f"{server.url}/datasets?dataset=FOLDER")
    page.get_by_text("Upload recordings").click()
    upload(page, "from-a-zip", FilePayload(name="mine.zip", mimeType="application/zip", buffer=zipped(recordings)))
    button = page.get_by_role("button", name="Create dataset")
    expect(button).to_be_enabled(timeout=30_000)
    button.click()
    page.wait_for_url(re.compile(r"from-a-zip"), timeout=30_000)
    stored = settings().data_path / "uploads" / "from-a-zip"
    assert len(list((stored / "high").glob("*.wav"))) == 20
    page.get_by_role("button", name="Prepare", exact=True).click()
    expect(page.get_by_role("heading", name="Class balance")).to_be_visible(timeout=60_000)


def test_a_zip_that_climbs_out_is_refused_and_leaves_nothing(server: Server, page: Page) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../climbed/1.wav", b"RIFF")
    page.goto(f"{server.url}/datasets?dataset=FOLDER")
    page.get_by_text("Upload recordings").click()
    upload(page, "climber", FilePayload(name="bad.zip", mimeType="application/zip", buffer=buffer.getvalue()))
    expect(page.get_by_test_id("stAlert").filter(has_text="climbed")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Create dataset")).to_have_count(0)
    assert not (settings().data_path / "uploads" / "climber").exists()


def test_a_zip_of_another_country_is_shown_before_it_is_stored_and_splits_are_recognised(
    server: Server, page: Page
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for side, count in (("train", 3), ("test", 2)):
            for place in range(2 * count):
                archive.writestr(f"{side}/0{place % 2}00/{place}.wav", tone(200 + 10 * place + count))
    # Two classes whose names of four bytes are Japanese, unmarked.
    data = buffer.getvalue().replace(b"/0000/", "/\u72ac\u58f0/".encode("cp932"))
    data = data.replace(b"/0100/", "/\u9ce5\u58f0/".encode("cp932"))
    page.goto(f"{server.url}/datasets?dataset=FOLDER")
    page.get_by_text("Upload recordings").click()
    upload(page, "birds", FilePayload(name="sounds.zip", mimeType="application/zip", buffer=data))
    expect(page.get_by_text("2 folders: test (4), train (6).")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("combobox", name="Language of the names")).to_have_value("Japanese")
    page.get_by_role("button", name="Create dataset").click()
    page.get_by_text("The folders are").wait_for()
    page.get_by_role("button", name="Prepare", exact=True).click()
    expect(page.get_by_text("Split by folders: test, train.")).to_be_visible(timeout=60_000)
    stored = settings().data_path / "uploads" / "birds"
    assert sorted(path.name for path in (stored / "train").iterdir()) == ["\u72ac\u58f0", "\u9ce5\u58f0"]
