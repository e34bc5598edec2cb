"""The speech recogniser understands real digits, hears nothing in noise, and says what it cannot judge."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from distrack.audio import SAMPLE_RATE
from distrack.errors import ConfigError
from distrack.evaluate import speech
from distrack.evaluate.speech import Recognised, Speech, recogniser, words_of
from distrack.jobs.speech import SpeechJob, speech_of
from distrack.runs import Run, Session


def test_it_understands_most_real_digits_and_the_order_does_not_matter(real_data: Path) -> None:
    folder = real_data / "fsdd" / "recordings"
    files = [folder / f"{digit}_george_{take}.wav" for digit in range(10) for take in range(3)]
    words = words_of([str(digit) for digit in range(10)])
    name, hear = recogniser(words)
    assert name.startswith("PocketSphinx ")
    waves = []
    for file in files:
        wave, rate = soundfile.read(file, dtype="float32")
        waves.append(soxr.resample(wave, rate, SAMPLE_RATE))
    heard = [hear(wave) for wave in waves]
    right = sum(word == int(file.name[0]) for word, file in zip(heard, files, strict=True))
    assert right >= 18, "it errs, but far less often than by chance"
    assert [hear(wave) for wave in waves[::-1]][::-1] == heard


def test_silence_has_no_word() -> None:
    _, hear = recogniser(words_of(["yes", "no"]))
    assert hear(np.zeros(SAMPLE_RATE, dtype=np.float32)) is None


def test_classes_that_are_no_words_are_refused() -> None:
    assert words_of(["0", "Dog_bark"]) == ("zero", "dog bark")
    for classes, said in (
        (["xqzt", "dog"], "class xqzt"),
        (["7", "seven"], "the same word"),
        (["---", "a"], "class ---"),
    ):
        with pytest.raises(ConfigError, match=said):
            words_of(classes)


def test_without_the_extra_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "is_installed", lambda: False)
    with pytest.raises(ConfigError, match=r"pip install 'distrack\[speech\]'"):
        words_of(["dog"])


def test_a_run_is_judged_and_the_result_stays_in_its_folder(tiny_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "judged"))
    with Session(run, "cpu").working() as session:
        report = SpeechJob(run=run.id, clips=5).work(run, session)
    assert report == speech_of(run)
    assert (report.tracks.sounds, report.clips.sounds) == (3, 5)
    assert report.words == ("chirp", "noise", "tone")
    assert SpeechJob.tables(report, "one")[0].rows[0][:2] == ("tracks", "3")


def test_the_ratio_of_what_was_understood() -> None:
    tracks, clips = Recognised(right=5, sounds=10), Recognised(right=8, sounds=10)
    whole = Speech(synthetic="", recogniser="", words=(), tracks=tracks, clips=clips)
    assert whole.ratio == pytest.approx(0.625)
    assert whole.model_copy(update={"clips": Recognised(right=0, sounds=10)}).ratio is None
