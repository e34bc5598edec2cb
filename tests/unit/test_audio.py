"""Reading and writing audio: sounds stay the same, and a hostile file is refused in one sentence."""

import io
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from distrack.audio import SAMPLE_RATE, Wave, decibels, decode_clip, fit_length, flac_bytes, level, loudness
from distrack.errors import AudioError


def tone(frequency: float, *, seconds: float = 1.0, rate: int = SAMPLE_RATE, amplitude: float = 0.5) -> Wave:
    time = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def encoded(wave: Wave, *, rate: int = SAMPLE_RATE, container: str = "WAV", subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def read(path: Path, *, seconds: float = 1.0) -> Wave:
    return decode_clip(path, seconds=seconds).wave


def loudest_frequency(wave: Wave) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(spectrum.argmax()) * SAMPLE_RATE / len(wave)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 96_000])
def test_a_tone_keeps_its_frequency_and_level_at_any_sample_rate(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(encoded(tone(440, rate=rate), rate=rate))
    wave = read(path)
    assert wave.shape == (16_000,)
    assert wave.dtype == np.float32
    assert loudest_frequency(wave) == pytest.approx(440, abs=1)
    # Away from the edges, where a resampler rings.
    assert np.abs(wave[1_000:-1_000]).max() == pytest.approx(0.5, rel=0.01)


def test_frequencies_above_the_lower_rate_are_removed_without_aliases(tmp_path: Path) -> None:
    path = tmp_path / "high.wav"
    path.write_bytes(encoded(tone(440, rate=44_100) + tone(10_000, rate=44_100, amplitude=0.4), rate=44_100))
    wave = read(path)
    assert np.abs(wave - tone(440))[1_000:-1_000].max() < 1e-3


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("FLOAT", 1e-7), ("DOUBLE", 1e-7)]
)
def test_every_sample_format_gives_the_same_wave(tmp_path: Path, subtype: str, step: float) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(encoded(tone(440), subtype=subtype))
    np.testing.assert_allclose(read(path), tone(440), atol=step)


@pytest.mark.parametrize(
    ("name", "container", "subtype"),
    [("a.flac", "FLAC", "PCM_16"), ("a.ogg", "OGG", "VORBIS"), ("a.mp3", "MP3", "MPEG_LAYER_III")],
)
def test_every_extension_is_read(tmp_path: Path, name: str, container: str, subtype: str) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(tone(440, seconds=2.0), container=container, subtype=subtype))
    wave = read(path)
    assert loudest_frequency(wave) == pytest.approx(440, abs=1)
    assert np.abs(wave).max() == pytest.approx(0.5, rel=0.1)


def test_stereo_is_the_mean_of_its_channels(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    path.write_bytes(encoded(np.stack([tone(440), tone(880)], axis=1), subtype="FLOAT"))
    np.testing.assert_allclose(read(path), (tone(440) + tone(880)) / 2, atol=1e-6)


@pytest.mark.parametrize("channels", [2, 3, 8])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_of_channels_that_cancel_each_other_the_loudest_is_taken_and_said(
    tmp_path: Path, channels: int, noise: float
) -> None:
    random = np.random.default_rng(0)
    wave = tone(440)
    shares = np.linspace(1, 0.8, channels)
    shares[1::2] *= -1
    shares[0] = -(shares[1:].sum())
    both = wave[:, None] * shares / np.abs(shares).max() + noise * random.standard_normal((len(wave), channels))
    path = tmp_path / "opposite.wav"
    path.write_bytes(encoded(both, subtype="FLOAT"))
    decoded = decode_clip(path, seconds=len(wave) / SAMPLE_RATE)
    loudest = int(np.square(both).sum(0).argmax())
    assert decoded.channel == loudest + 1
    np.testing.assert_allclose(decoded.wave, both[:, loudest], atol=1e-5)


def test_one_silent_channel_or_another_sound_in_each_is_no_cancellation(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number, both in enumerate(
        (np.stack([tone(440), 0 * tone(440)], 1), 0.1 * random.standard_normal((16_000, 8)), tone(440)[:, None])
    ):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(encoded(both, subtype="FLOAT"))
        decoded = decode_clip(path, seconds=1.0)
        assert decoded.channel is None
        np.testing.assert_allclose(decoded.wave[: len(both)], both.mean(1)[:16_000], atol=1e-5)


@pytest.mark.parametrize("scale", [1.5, 32_767.0, 3e38])
def test_a_float_file_beyond_full_scale_keeps_its_shape(tmp_path: Path, scale: float) -> None:
    path = tmp_path / "loud.wav"
    wave = tone(440, amplitude=1.0) * np.float32(scale)
    path.write_bytes(encoded(np.stack([wave, wave], axis=1), subtype="FLOAT"))
    np.testing.assert_allclose(read(path), tone(440, amplitude=1.0), atol=1e-5)


def test_a_short_clip_is_padded_with_zeros_and_a_long_one_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(encoded(tone(440, seconds=0.5), subtype="FLOAT"))
    short = read(path)
    np.testing.assert_allclose(short[:8_000], tone(440, seconds=0.5), atol=1e-6)
    assert not short[8_000:].any()
    np.testing.assert_allclose(read(path, seconds=0.25), tone(440, seconds=0.25), atol=1e-6)


def test_a_truncated_file_gives_its_existing_part(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(encoded(tone(440))[: 44 + 2 * 4_000])
    wave = read(path)
    np.testing.assert_allclose(wave[:4_000], tone(440)[:4_000], atol=1e-4)
    assert not wave[4_000:].any()


def nan_at(position: int) -> bytes:
    wave = tone(440)
    wave[position] = np.nan
    return encoded(wave, subtype="FLOAT")


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (lambda: b"these are my notes, not a recording\n" * 100, "cannot be read"),
    "zero-length": (lambda: b"", "cannot be read"),
    "cut-in-the-header": (lambda: encoded(tone(440))[:20], "cannot be read"),
    "header-only": (lambda: encoded(tone(440)[:0]), "no audio"),
    "nan": (lambda: nan_at(100), "not numbers"),
    "infinite": (lambda: encoded(np.full(16_000, np.inf, dtype=np.float32), subtype="FLOAT"), "not numbers"),
    "silent": (lambda: encoded(np.zeros(16_000, dtype=np.float32)), "silent"),
    "silent-in-its-first-second": (
        lambda: encoded(np.concatenate([np.zeros(16_000, np.float32), tone(440)])),
        "silent",
    ),
    "constant": (lambda: encoded(np.full(16_000, 0.5, dtype=np.float32)), "silent"),
    "short-constant": (lambda: encoded(np.full(8_000, 0.5, dtype=np.float32)), "silent"),
    "constant-to-resample": (lambda: encoded(np.full(30_000, 0.5, dtype=np.float32), rate=44_100), "silent"),
    "slow": (lambda: encoded(tone(10, rate=100), rate=100), "sample rate is 100 Hz"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    make, reason = HOSTILE[name]
    path = tmp_path / "hostile.wav"
    path.write_bytes(make())
    with pytest.raises(AudioError, match=reason) as refused:
        read(path)
    assert "\n" not in str(refused.value)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read"):
        read(tmp_path / "absent.wav")
    with pytest.raises(AudioError, match="cannot be read"):
        read(tmp_path)


def sparse_wav(path: Path, *, seconds: int) -> None:
    """A WAV of any length that takes no room: a second of tone, then a hole."""
    size = 2 * SAMPLE_RATE * seconds
    header = bytearray(encoded(tone(440)))
    header[4:8] = struct.pack("<I", 36 + size)
    header[40:44] = struct.pack("<I", size)
    path.write_bytes(header)
    with path.open("r+b") as file:
        file.truncate(44 + size)


def peak_memory(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_hour_is_refused_without_decoding_it(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    sparse_wav(path, seconds=3_600)

    def refused() -> None:
        with pytest.raises(AudioError, match="too long: 3600 s"):
            read(path)

    assert peak_memory(refused) < 1_000_000


def test_only_the_first_seconds_of_a_long_clip_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "minutes.wav"
    sparse_wav(path, seconds=590)
    np.testing.assert_allclose(read(path), tone(440), atol=1e-4)
    assert peak_memory(lambda: read(path)) < 2_000_000


@pytest.mark.parametrize(
    ("container", "honest"), [("W64", struct.pack("<Q", 2_024)), ("RF64", struct.pack("<Q", 2_000))]
)
def test_a_header_that_claims_2_60_frames_gets_no_memory_for_them(
    tmp_path: Path, container: str, honest: bytes
) -> None:
    path = tmp_path / "claims.wav"
    content = encoded(tone(440)[:1_000], container=container)
    assert content.count(honest) == 1
    path.write_bytes(content.replace(honest, struct.pack("<Q", 2**61)))
    # libsndfile believes the file, not its header: there are a thousand frames.
    wave = read(path)
    np.testing.assert_allclose(wave[:1_000], tone(440)[:1_000], atol=1e-4)
    assert peak_memory(lambda: read(path)) < 1_000_000


def test_fit_length_cuts_and_pads_at_the_end_only() -> None:
    wave = np.arange(1, 6, dtype=np.float32)
    assert fit_length(wave, 3).tolist() == [1, 2, 3]
    assert fit_length(wave, 7).tolist() == [1, 2, 3, 4, 5, 0, 0]
    assert fit_length(wave, 5).tolist() == wave.tolist()


def test_level_removes_the_constant_and_sets_the_rms() -> None:
    levelled = level(tone(440, amplitude=0.01) + np.float32(0.3), rms_db=-20.0)
    assert abs(float(levelled.mean())) < 1e-4
    assert 20 * np.log10(np.sqrt(np.mean(levelled**2))) == pytest.approx(-20, abs=0.01)
    assert levelled.dtype == np.float32


def test_level_keeps_a_click_below_the_peak_and_in_shape() -> None:
    click = np.zeros(16_000, dtype=np.float32)
    click[5_000:5_004] = [0.1, -0.2, 0.2, -0.1]
    levelled = level(click, rms_db=-20.0, peak_db=-1.0)
    assert np.abs(levelled).max() == pytest.approx(10 ** (-1 / 20), rel=1e-4)
    np.testing.assert_allclose(levelled / levelled[5_002], click / click[5_002], atol=1e-5)


def test_level_leaves_silence_silent() -> None:
    assert np.abs(level(np.full(100, 0.2, dtype=np.float32))).max() < 1e-6


@pytest.mark.parametrize("seconds", [0.03, 0.1, 0.39999, 0.4, 1.0, 3.0])
def test_loudness_follows_the_recommendation_for_less_than_a_block_too(seconds: float) -> None:
    """A full-scale sine of 997 Hz in one channel is at -3.01 LUFS."""
    loud = tone(997, seconds=seconds, amplitude=1.0)
    assert loudness(loud) == pytest.approx(-3.01, abs=0.1 if seconds > 0.1 else 0.6)
    difference = (loudness(loud) or 0) - (loudness(0.1 * loud) or 0)
    assert difference == pytest.approx(20, abs=0.05)


@pytest.mark.parametrize("samples", [1, 1_601, 6_399, 6_400, 6_401, 16_000])
def test_loudness_of_silence_is_none(samples: int) -> None:
    assert loudness(np.zeros(samples, np.float32)) is None
    assert loudness(np.full(samples, 1e-6, np.float32)) is None


def test_silence_around_a_sound_does_not_change_its_loudness() -> None:
    sound = tone(997, seconds=1.0)
    assert loudness(np.pad(sound, 32_000)) == pytest.approx(loudness(sound), abs=1.5)
    assert decibels(np.pad(sound, 32_000)) < decibels(sound) - 6


def test_flac_keeps_a_wave_to_16_bit_and_does_not_wrap_at_full_scale() -> None:
    wave = np.concatenate([tone(440), np.array([1.0, -1.0], dtype=np.float32)])
    samples, rate = soundfile.read(io.BytesIO(flac_bytes(wave)), dtype="float32")
    assert rate == SAMPLE_RATE
    np.testing.assert_allclose(samples, wave, atol=2**-14)


@pytest.mark.parametrize("wrong", [1.001, -1.5, np.nan, np.inf])
def test_flac_refuses_a_wave_that_would_clip_or_crackle(wrong: float) -> None:
    wave = tone(440)
    wave[7] = wrong
    with pytest.raises(ValueError, match="level"):
        flac_bytes(wave)


def test_a_quiet_sound_has_the_level_the_loudness_and_the_samples_of_a_loud_one() -> None:
    loud = tone(440) * np.linspace(1, 0.1, 16_000, dtype=np.float32)
    quiet = loud * np.float32(1e-4)
    assert decibels(quiet) == pytest.approx(decibels(loud) - 80, abs=0.01)
    of_loud, of_quiet = loudness(loud), loudness(quiet)
    assert of_loud is not None
    assert of_quiet == pytest.approx(of_loud - 80, abs=0.01)
    assert loudness(loud * np.float32(1e-6)) is None
    decoded, _ = soundfile.read(io.BytesIO(flac_bytes(quiet)), dtype="float32")
    assert np.abs(decoded - quiet).max() < 0.01 * np.abs(quiet).max()
