"""Sound files whose header, name or neighbours mislead: what is read is what is there."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from distrack.audio import decode_clip
from distrack.datasets.upload import length_and_rate
from distrack.errors import AudioError
from distrack.recording import read_segment
from distrack.sound_file import EXTENSIONS, opened

RATE = 16_000
SECONDS = 4


def sweep(rate: int = RATE, *, seconds: float = SECONDS) -> NDArray[np.float32]:
    """A tone whose pitch rises, with noise in its second half: no second of it is like another."""
    now = np.arange(round(rate * seconds)) / rate
    wave = 0.3 * np.sin(2 * np.pi * (300 + 100 * now) * now)
    wave[len(wave) // 2 :] += np.random.default_rng(0).uniform(-0.2, 0.2, len(wave) - len(wave) // 2)
    return wave.astype(np.float32)


def encoded(container: str, subtype: str | None = None, **options: object) -> bytearray:
    buffer = io.BytesIO()
    soundfile.write(buffer, sweep(), RATE, format=container, subtype=subtype, **options)
    return bytearray(buffer.getvalue())


def written(content: bytearray, place: int, pack: str, *values: int) -> bytearray:
    struct.pack_into(pack, content, place, *values)
    return content


def riff(size: int, container: str = "WAV") -> bytearray:
    wav = encoded(container)
    return written(wav, wav.find(b"data") + 4, "<I", size)


def caf(size: int) -> bytearray:
    content = encoded("CAF")
    return written(content, content.find(b"data") + 4, ">q", size)


def rf64() -> bytearray:
    content = encoded("RF64")
    return written(content, content.find(b"ds64") + 8, "<QQQ", 0, 0, 0)


def flac(total: int) -> bytearray:
    content = encoded("FLAC")
    content[21] = content[21] & 0xF0 | total >> 32
    return written(content, 22, ">I", total & 0xFFFFFFFF)


def tagged(content: bytearray) -> bytearray:
    """With an ID3 tag of 200 bytes in front."""
    return bytearray(b"ID3\x03\0\0\0\0\x01\x48" + bytes(200)) + content


def without_table(bitrate_mode: str) -> bytearray:
    """An MP3 without its first frame, which tells the number of frames."""
    mp3 = encoded("MP3", bitrate_mode=bitrate_mode, compression_level=0.1)
    return mp3[mp3.find(mp3[:2], 4) :]


def with_table(frames: int) -> bytearray:
    mp3 = encoded("MP3", bitrate_mode="VARIABLE", compression_level=0.1)
    place = mp3.find(b"Xing")
    return written(mp3, place + 8, ">I", frames)


# Each holds four seconds; the bytes differ from those that a program in order writes in what they say of their length.
MISLEADING: dict[str, Callable[[], bytearray]] = {
    "wav-of-size-0": lambda: riff(0),
    "wav-of-an-earlier-size": lambda: riff(100),
    "wav-of-unknown-size": lambda: riff(0xFFFFFFFF),
    "wav-of-a-greater-size": lambda: riff(10**8),
    "wavex-of-size-0": lambda: riff(0, "WAVEX"),
    "tagged-wav-of-size-0": lambda: tagged(riff(0)),
    "rf64-of-size-0": rf64,
    "au-of-size-0": lambda: written(encoded("AU"), 8, ">I", 0),
    "au-of-unknown-size": lambda: written(encoded("AU"), 8, ">I", 0xFFFFFFFF),
    "caf-of-size-0": lambda: caf(0),
    "caf-of-unknown-size": lambda: caf(-1),
    "flac-of-unknown-length": lambda: flac(0),
    "flac-of-2^36-samples": lambda: flac(2**36 - 1),
    "tagged-flac-of-unknown-length": lambda: tagged(flac(0)),
    "vbr-mp3-without-a-table": lambda: without_table("VARIABLE"),
    "cbr-mp3-without-a-table": lambda: without_table("CONSTANT"),
    "tagged-vbr-mp3-without-a-table": lambda: tagged(without_table("VARIABLE")),
    "mp3-with-text-behind-it": lambda: without_table("CONSTANT") + b"TAG" + bytes(50_000),
    "mp3-whose-table-has-fewer-frames": lambda: with_table(5),
    "mp3-whose-table-has-more-frames": lambda: with_table(10**6),
}


@pytest.mark.parametrize("name", MISLEADING)
@pytest.mark.parametrize("by", ["path", "file"])
def test_its_length_is_that_of_its_content(name: str, by: str, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(MISLEADING[name]())
    source = tmp_path / "x.bin" if by == "path" else io.BytesIO(MISLEADING[name]())
    seconds, rate = length_and_rate(name, source)
    # An MP3 has up to two frames of silence around its sound.
    assert rate == RATE
    assert seconds == pytest.approx(SECONDS, abs=0.16 if "mp3" in name else 1e-9)
    with opened(source) as sound:
        wave = sound.read(dtype="float32")
    assert len(wave) == round(seconds * rate)
    lossy = "mp3" in name
    best = min(float(np.abs(wave[at : at + 1_000] - sweep()[:1_000]).max()) for at in range(2_400 if lossy else 1))
    assert best < (0.05 if lossy else 1e-3)


@pytest.mark.parametrize("name", MISLEADING)
def test_a_clip_and_a_segment_of_it_are_its_sound(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(MISLEADING[name]())
    clip = decode_clip(path, seconds=3.0)
    assert clip.seconds == pytest.approx(SECONDS, abs=0.16 if "mp3" in name else 1e-9)
    whole = read_segment(path).wave[0]
    segment = read_segment(path, start=2.5, seconds=1.0).wave[0]
    # After a jump an MP3 sounds as if it had been read from its beginning.
    np.testing.assert_allclose(segment, whole[round(2.5 * RATE) :][:RATE], atol=1e-3)


def test_a_wav_with_another_chunk_behind_its_sound_ends_where_it_says(tmp_path: Path) -> None:
    wav = riff(2 * RATE)
    place = wav.find(b"data") + 8 + 2 * RATE
    path = tmp_path / "x.wav"
    path.write_bytes(wav[:place] + b"LIST" + struct.pack("<I", 20) + b"INFOISFT" + bytes(12))
    assert length_and_rate(path.name, path) == (1.0, RATE)


TRAILERS = {
    "a byte of padding": b"\0",
    "an ID3v1 tag": b"TAG" + bytes(125),
    "bytes of no form": b"\x93\x01\xfe" * 700,
    "a chunk that is cut off": b"LIST" + struct.pack("<I", 500) + b"INFO",
}


@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("subtype", ["PCM_U8", "ULAW", "PCM_16"])
def test_what_is_behind_the_sound_of_a_wav_is_not_heard(trailer: str, subtype: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, sweep()[:15_001], RATE, format="WAV", subtype=subtype)
    path = tmp_path / "x.wav"
    path.write_bytes(buffer.getvalue() + TRAILERS[trailer])
    with opened(path) as sound:
        wave = sound.read(dtype="float32")
    assert len(wave) == 15_001
    assert np.abs(wave - sweep()[:15_001]).max() < 0.03


def test_an_mp3_that_is_cut_off_begins_where_it_began() -> None:
    whole = encoded("MP3", bitrate_mode="CONSTANT")
    with opened(io.BytesIO(whole)) as one, opened(io.BytesIO(whole[:-1])) as other:
        np.testing.assert_allclose(other.read(20_000), one.read(20_000), atol=1e-5)


def test_a_file_that_claims_more_than_it_can_hold_has_no_length(tmp_path: Path) -> None:
    """The last page of an Ogg file tells the number of its samples."""
    ogg = encoded("OGG", "OPUS")
    page = ogg.rfind(b"OggS")
    written(ogg, page + 6, "<q", 2**50)
    ogg[page + 22 : page + 26] = struct.pack(
        "<I", _checksum(bytes(ogg[page : page + 22]) + bytes(4) + ogg[page + 26 :])
    )
    path = tmp_path / "x.opus"
    path.write_bytes(ogg)
    with pytest.raises(AudioError, match=r"its length is unknown: .* bytes cannot hold"):
        decode_clip(path, seconds=1.0)


def _checksum(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x104C11DB7 if crc & 0x80000000 else 0)) & 0x1FFFFFFFF
    return crc


def test_an_mp3_without_a_tag_is_read_beside_a_file_of_macos(tmp_path: Path) -> None:
    """libsndfile takes the file with the dot for a part of the other where it is given a path."""
    path = tmp_path / "x.mp3"
    path.write_bytes(without_table("CONSTANT"))
    (tmp_path / "._x.mp3").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(60))
    with pytest.raises(soundfile.SoundFileError):
        soundfile.SoundFile(path)
    assert decode_clip(path, seconds=1.0).seconds == pytest.approx(SECONDS, abs=0.16)


WRITABLE = {
    "AIFF": (".aif", ".aiff", ".aifc"),
    "AU": (".au", ".snd"),
    "CAF": (".caf",),
    "FLAC": (".flac",),
    "MP3": (".mp3", ".mp2"),
    "NIST": (".sph", ".nist"),
    "OGG": (".ogg", ".oga", ".opus"),
    "RF64": (".rf64",),
    "SVX": (".8svx", ".iff"),
    "VOC": (".voc",),
    "W64": (".w64",),
    "WAV": (".wav", ".wave"),
}


def test_every_ending_has_a_format() -> None:
    assert {ending for endings in WRITABLE.values() for ending in endings} == EXTENSIONS


@pytest.mark.parametrize("container", WRITABLE)
def test_every_format_is_read(container: str, tmp_path: Path) -> None:
    for ending in WRITABLE[container]:
        path = tmp_path / f"x{ending}"
        path.write_bytes(encoded(container, "OPUS" if ending == ".opus" else None))
        assert decode_clip(path, seconds=1.0).seconds == pytest.approx(SECONDS, abs=0.16), ending
