"""Headers of sound files that get their own length wrong, and what they should say.

A recorder that was killed leaves a size of zero, a program that wrote to a pipe never knew the size, and an MP3 without
a table of contents tells nothing but the bit rate of its first frame. libsndfile believes all of them, although the
samples are there. `corrected` looks at the content instead.

Sources:
    Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991 (RIFF); EBU Tech 3306
    (RF64); RFC 9639 (FLAC); Apple, "Core Audio Format Specification 1.0"; ISO/IEC 11172-3 and 13818-3 (MPEG audio).
"""

import io
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

# No codec that is read here stores more frames than this in a byte on average, silence included.
FRAMES_PER_BYTE = 5_000
# Bytes at the beginning in which a header is looked for, and bytes that are read at once.
_SEARCHED, _CHUNK = 1 << 18, 1 << 16
_UNKNOWN = 0xFFFFFFFF


class Head(NamedTuple):
    """Bytes that stand for the first `instead_of` bytes of a file; tags in front of its content are left out."""

    content: bytes
    instead_of: int


def corrected(file: BinaryIO) -> Head | None:
    """What the beginning of a sound file should be; None where its length can be trusted or its format is another."""
    size = file.seek(0, io.SEEK_END)
    start = _after_tags(file)
    file.seek(start)
    magic = file.read(4)
    if magic in (b"RIFF", b"RIFX", b"RF64"):
        return _riff(file, start, size, "big" if magic == b"RIFX" else "little")
    if magic == b".snd":
        return _au(file, start)
    if magic == b"caff":
        return _caf(file, start, size)
    if magic == b"fLaC":
        return _flac(file, start, size)
    # A tag may be followed by padding.
    return _mpeg(file, start, size) if start or magic[:1] == b"\xff" else None


def _after_tags(file: BinaryIO) -> int:
    """Where the content begins: behind ID3v2 tags, whose sizes have seven bits in each byte."""
    start = 0
    while True:
        file.seek(start)
        tag = file.read(10)
        if len(tag) < 10 or not tag.startswith(b"ID3") or max(tag[6:]) > 0x7F:
            return start
        footer = 10 if tag[5] & 0x10 else 0
        start += 10 + footer + sum(part << 7 * (3 - place) for place, part in enumerate(tag[6:]))


def _riff(file: BinaryIO, start: int, size: int, order: str) -> Head | None:
    """The data chunk ends with the file where its size is zero, or less than half of what is there.

    Less than that behind it is a trailer, of whatever form, or a byte of padding.
    """
    pack = ">I" if order == "big" else "<I"
    place, ds64 = start + 12, 0
    while True:
        file.seek(place)
        chunk = file.read(8)
        if len(chunk) < 8:
            return None
        length = struct.unpack(pack, chunk[4:])[0]
        if chunk[:4] == b"data":
            break
        if chunk[:4] == b"ds64":
            ds64 = place + 8
        place += 8 + length + length % 2
    data = place + 8
    if ds64 and length == _UNKNOWN:
        file.seek(ds64 + 8)
        length = int.from_bytes(file.read(8), "little")
    behind = size - data - length
    if behind <= length or _chunks_follow(file, data + length + length % 2, size, pack):
        return None
    file.seek(start)
    head = bytearray(file.read(data - start))
    if ds64:
        struct.pack_into("<QQQ", head, ds64 - start, size - start - 8, size - data, 0)
    head[-4:] = struct.pack(pack, min(size - data, _UNKNOWN))
    return Head(bytes(head), data)


def _chunks_follow(file: BinaryIO, place: int, size: int, pack: str) -> bool:
    """Whether the rest of a file, from this place on, is chunks with names and sizes that fit. Empty is no chunk."""
    found = False
    while place + 8 <= size:
        file.seek(place)
        name, length = file.read(4), struct.unpack(pack, file.read(4))[0]
        if not re.fullmatch(rb"[ -~]{4}", name) or place + 8 + length > size:
            return False
        found, place = True, place + 8 + length + length % 2
    return found


def _au(file: BinaryIO, start: int) -> Head | None:
    """A size of zero means that it was never written; libsndfile knows only the official mark for that."""
    file.seek(start)
    head = file.read(12)
    if len(head) < 12 or head[8:] != bytes(4):
        return None
    return Head(head[:8] + struct.pack(">I", _UNKNOWN), start + 12)


def _caf(file: BinaryIO, start: int, size: int) -> Head | None:
    """A data chunk of unknown size (-1) ends with the file; so does one of size zero."""
    place = start + 8
    while True:
        file.seek(place)
        chunk = file.read(12)
        if len(chunk) < 12:
            return None
        length = struct.unpack(">q", chunk[4:])[0]
        if chunk[:4] == b"data":
            break
        if length < 0:
            return None
        place += 12 + length
    if length > 0:
        return None
    file.seek(start)
    return Head(file.read(place + 4 - start) + struct.pack(">q", size - place - 12), place + 12)


def _flac(file: BinaryIO, start: int, size: int) -> Head | None:
    """The last frame of a FLAC has its number, which counts where the total is zero (unknown) or cannot be."""
    file.seek(start)
    head = bytearray(file.read(26))
    if len(head) < 26:
        return None
    block_size = struct.unpack_from(">H", head, 8)[0]
    total = (head[21] & 0xF) << 32 | struct.unpack_from(">I", head, 22)[0]
    if 0 < total <= FRAMES_PER_BYTE * size:
        return None
    counted = _flac_samples(file, size, block_size)
    if not counted:
        return None
    head[21] = head[21] & 0xF0 | counted >> 32
    struct.pack_into(">I", head, 22, counted & _UNKNOWN)
    return Head(bytes(head), start + 26)


def _flac_samples(file: BinaryIO, size: int, fixed: int) -> int:
    """Samples up to the end of the last frame; 0 where no frame is found."""
    begin = max(0, size - _SEARCHED)
    file.seek(begin)
    tail = file.read()
    for match in reversed(list(re.finditer(rb"\xff[\xf8\xf9]", tail))):
        header = tail[match.start() : match.start() + 16]
        if len(header) < 16:
            continue
        by_sample = header[1] & 1
        ones = 8 - (header[4] ^ 0xFF).bit_length()
        length = max(ones, 1)
        if ones == 1 or length > 7:
            continue
        number = header[4] & (0x7F >> ones)
        for byte in header[5 : 4 + length]:
            number = number << 6 | byte & 0x3F
        code, place = header[2] >> 4, 4 + length
        wide = {6: 1, 7: 2}.get(code, 0)
        samples = int.from_bytes(header[place : place + wide], "big") + 1 if wide else _flac_block(code)
        place += wide + {12: 1, 13: 2, 14: 2}.get(header[2] & 0xF, 0)
        if samples and _crc8(header[:place]) == header[place]:
            return (number if by_sample else number * fixed) + samples
    return 0


def _flac_block(code: int) -> int:
    if code == 1:
        return 192
    return 576 << code - 2 if 2 <= code <= 5 else 256 << code - 8 if code >= 8 else 0


def _crc8(content: bytes) -> int:
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x107 if crc & 0x80 else 0)) & 0x1FF
    return crc


# Kilobits a second of layer III by the code in the header: of version 1, and of versions 2 and 2.5.
_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)


class _Frame(NamedTuple):
    """Header of a frame of MPEG audio; `length` in bytes, `table` is where a table of contents would be in it."""

    start: int
    header: bytes
    length: int
    table: int

    @property
    def stream(self) -> tuple[int, int]:
        """Version, layer and sample rate, which all frames of one stream have in common."""
        return self.header[1] & 0xFE, self.header[2] & 0x0C


def _frame(header: bytes, start: int) -> _Frame | None:
    """The frame that begins with these four bytes, of layer III and a bit rate of the table; else None."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2 or header[1] & 0x18 == 0x08:
        return None
    version_2 = not header[1] & 0x08
    code, rate_code = header[2] >> 4, header[2] >> 2 & 3
    if code in (0, 15) or rate_code == 3:
        return None
    rate = (44_100, 48_000, 32_000)[rate_code] >> (0 if not version_2 else 1 if header[1] & 0x10 else 2)
    length = (72 if version_2 else 144) * 1000 * _RATES[version_2][code] // rate + (header[2] >> 1 & 1)
    mono = header[3] & 0xC0 == 0xC0
    table = 4 + ((9 if mono else 17) if version_2 else (17 if mono else 32))
    return _Frame(start, header, length, table)


def _mpeg(file: BinaryIO, start: int, size: int) -> Head | None:
    """Counts the frames and puts a table of contents in front that has their number, unless the file's own has it."""
    frames = _frames(file, start, size)
    first = next(frames, None)
    if first is None:
        return None
    file.seek(first.start)
    content = file.read(first.length)
    named = content[first.table : first.table + 4] in (b"Xing", b"Info")
    count = 0 if named or content[36:40] == b"VBRI" else 1
    begin = first.start if count else first.start + first.length
    count += sum(1 for _ in frames)
    if not count:
        return None
    if named and content[first.table + 7] & 1:
        claimed = struct.unpack_from(">I", content, first.table + 8)[0]
        if claimed == count:
            return None
        # Its own table also tells how much silence the encoder put around the sound.
        own = bytearray(content)
        struct.pack_into(">I", own, first.table + 8, count)
        return Head(bytes(own), first.start + first.length)
    # The highest bit rate, no checksum, no padding: a frame with room for the table.
    header = bytes([0xFF, first.header[1] | 1, 0xE0 | first.header[2] & 0x0C, first.header[3]])
    table = _frame(header, 0)
    assert table is not None
    filled = header.ljust(table.table, b"\0") + b"Xing" + struct.pack(">II", 1, count)
    return Head(filled.ljust(table.length, b"\0"), begin)


def _frames(file: BinaryIO, start: int, size: int) -> Iterator[_Frame]:
    """The frames of a file; what is between them is passed over. The first must be followed by another."""
    place, buffer, base = start, b"", start
    known = None
    while place + 4 <= size:
        if not base <= place <= base + len(buffer) - 4:
            file.seek(place)
            base, buffer = place, file.read(_CHUNK)
        frame = _frame(buffer[place - base : place - base + 4], place)
        if frame is not None and known in (None, frame.stream) and frame.start + frame.length <= size:
            if known is None:
                after = frame.start + frame.length
                file.seek(after)
                if after < size and _frame(file.read(4), after) is None:
                    place += 1
                    continue
                known = frame.stream
            yield frame
            place += frame.length
            continue
        if known is None and place - start > _SEARCHED:
            return
        found = buffer.find(b"\xff", place - base + 1)
        place = base + found if found >= 0 else base + len(buffer)
