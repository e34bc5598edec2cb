"""A sound in a file: a part of it is what the whole has there, and reading it takes the memory of that part."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distrack import stored_sound
from distrack.arrays import Floats
from distrack.errors import AudioError
from distrack.stored_sound import StoredSound, blocks, write_blocks

RATE = 16_000


def noise(*, channels: int = 2, samples: int = 50_000) -> Floats:
    return np.random.default_rng(0).normal(size=(channels, samples)).astype(np.float32)


def stored(wave: Floats, path: Path) -> StoredSound:
    write_blocks(path, blocks(wave), shape=(len(wave), wave.shape[1]), sample_rate=RATE)
    return StoredSound(path)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_part_is_what_the_whole_has_there(channels: int, tmp_path: Path) -> None:
    wave = noise(channels=channels)
    sound = stored(wave, tmp_path / "a.wav")
    assert (sound.shape, sound.sample_rate) == ((channels, 50_000), RATE)
    for part in (slice(0, 10), slice(777, 20_001), slice(49_990, 60_000), slice(60_000, 70_000), slice(None)):
        read = sound[:, part]
        assert read.flags.c_contiguous
        np.testing.assert_array_equal(read, wave[:, part])
    np.testing.assert_array_equal(sound[:1, :5], wave[:1, :5])
    with pytest.raises(ValueError, match="without gaps"):
        sound[:, ::2]


def test_a_part_takes_the_memory_of_that_part(tmp_path: Path) -> None:
    sound = stored(noise(samples=500_000), tmp_path / "a.wav")
    tracemalloc.start()
    try:
        sound[:, 400_000:401_000]
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_sound_that_no_wav_can_count_is_written_as_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_sound, "_MOST_OF_WAV", 4 * 2 * 50_000 - 1)
    sound = stored(noise(), tmp_path / "a.wav")
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    np.testing.assert_array_equal(sound[:, :], noise())


def test_a_file_that_is_missing_or_damaged_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(AudioError, match=r"a\.wav is missing or damaged"):
        StoredSound(path)
    sound = stored(noise(), path)
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(AudioError, match=r"a\.wav is damaged: it ends after 2\d,?\d+ of 50000"):
        sound[:, :]
    path.unlink()
    with pytest.raises(AudioError, match=r"a\.wav is missing or damaged"):
        sound[:, :]
