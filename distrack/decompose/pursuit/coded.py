"""Gabor atoms as a stream of few bits: rounded numbers, sorted so that neighbours are alike, and range coded.

Atoms are sorted by the octave of their scale, then by frequency, then by time: a partial that goes on is a run of equal
frequencies. The order in which they came is not stored. A checksum refuses damaged streams.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from distrack.arrays import Floats
from distrack.decompose.events import MOST_EVENTS
from distrack.decompose.pursuit.atoms import GABOR, Atom
from distrack.decompose.pursuit.rounding import LONGEST, LOUDEST, SHORTEST, SILENT, BitRounding
from distrack.decompose.pursuit.steps import COARSEST, FINEST, Steps
from distrack.decompose.range_coder import Coder, Decoder, Encoder, context_of, growing, spread, tree
from distrack.errors import EventsError

VERSION = 1
# Bytes of the version and the five steps, half a byte each, and of the checksum of all other bytes.
_HEAD, _CHECK = 3, 4
# Bounds of the times are stored in units of 2^-4 s, and lie within 10^5 s.
_UNIT, _LATEST = 4, 1 << 21
# No number of an atom is greater.
_GREATEST = 10**7
# What a context is of.
_BOUND, _COUNT, _SCALE, _FREQUENCY, _AGAIN, _LEVEL = range(6)


class Codes(NamedTuple):
    """The codes of one atom; they are sorted in the order of these fields.

    Attributes:
        octave: of the scale.
        loudness: codes of the amplitude and of the phase in each channel.
    """

    octave: int
    frequency: int
    time: int
    scale: int
    loudness: tuple[tuple[int, int], ...]


class Bounds(NamedTuple):
    """What the numbers of a clip lie between.

    Attributes:
        times: in units of 2^-4 s.
        levels: the level of the energy, and of the right channel relative to the left one.
    """

    times: tuple[int, int]
    levels: tuple[tuple[int, int], ...]


def codes_of(rows: Floats, rounding: BitRounding) -> list[Codes] | None:
    """The codes of atoms, in their order; None if one of them is not rounded in this way.

    Shape:
        - rows: ``[atoms, 3 + 2 * channels]``
    """
    codes = []
    for row in rows.tolist():
        time, length, hertz, *pairs = row
        if not length > 0:
            return None
        scale, frequency, when = rounding.place(Atom(GABOR, time, length, hertz))
        loudness = tuple(rounding.loudness(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=True))
        one = Codes(scale >> rounding.steps.scale, frequency, when, scale, loudness)
        if _row(one, rounding) != row:
            return None
        codes.append(one)
    return codes


def to_stream(codes: Sequence[Codes], steps: Steps) -> bytes:
    """The stream of atoms, whatever their order."""
    head = bytes([VERSION << 4 | steps[0], steps[1] << 4 | steps[2], steps[3] << 4 | steps[4]])
    encoder, in_order = Encoder(), sorted(codes)
    counts = dict.fromkeys(range(SHORTEST, LONGEST + 1), 0)
    for one in in_order:
        counts[one.octave] += 1
    _counts(encoder, list(counts.values()))
    bounds = _bounds(encoder, _bounds_of(in_order, steps), len(in_order[0].loudness) if in_order else 1)
    previous = None
    for one in in_order:
        previous = _code(encoder, one, previous, bounds, steps)
    content = head + encoder.content()
    return content[:_HEAD] + zlib.crc32(content).to_bytes(_CHECK, "little") + content[_HEAD:]


def from_stream(content: bytes, *, channels: int, sample_rate: int) -> tuple[Floats, Steps]:
    """The atoms of a stream, ``[atoms, 3 + 2 * channels]``, in the order of their codes, and their steps.

    Raises:
        EventsError: damaged, of a newer version, or with more atoms than events may have.
    """
    if len(content) < _HEAD + _CHECK:
        raise EventsError(f"coded: {len(content)} bytes are too few for events")
    head, stream = content[:_HEAD], content[_HEAD + _CHECK :]
    if head[0] >> 4 != VERSION:
        raise EventsError(f"coded: it has version {head[0] >> 4}, and this program reads version {VERSION}")
    if zlib.crc32(head + stream).to_bytes(_CHECK, "little") != content[_HEAD : _HEAD + _CHECK]:
        raise EventsError("coded: it is damaged: its checksum is wrong")
    steps = Steps(head[0] & 15, head[1] >> 4, head[1] & 15, head[2] >> 4, head[2] & 15)
    if not all(low <= step <= high for low, step, high in zip(COARSEST, steps, FINEST, strict=True)):
        raise EventsError(f"coded: steps {tuple(steps)} are not between {tuple(COARSEST)} and {tuple(FINEST)}")
    decoder = Decoder(stream)
    counts = _counts(decoder, [0] * (LONGEST + 1 - SHORTEST))
    # The phases alone take so many bits: a short stream cannot claim many atoms.
    if sum(counts) > min(MOST_EVENTS, 8 * (len(stream) + _CHECK) // steps.phase):
        raise EventsError(f"coded: {len(content)} bytes claim {sum(counts)} events, of at most {MOST_EVENTS}")
    rounding = BitRounding(steps, sample_rate)
    rows = np.zeros((sum(counts), 3 + 2 * channels), np.float32)
    for number, one in enumerate(_decoded(decoder, counts, channels, steps)):
        try:
            row = _row(one, rounding)
        except OverflowError:
            row = [math.inf]
        if max(map(abs, row)) > _GREATEST:
            raise EventsError(f"coded: event {number} has a number above {_GREATEST:,}")
        rows[number] = row
    return rows, steps


def _row(codes: Codes, rounding: BitRounding) -> list[float]:
    atom = rounding.placed(codes.scale, codes.frequency, codes.time)
    pairs = [number for pair in codes.loudness for number in rounding.loud(*pair)]
    return [atom.time, atom.scale, atom.frequency, *pairs]


def _decoded(decoder: Decoder, counts: Sequence[int], channels: int, steps: Steps) -> Iterator[Codes]:
    bounds = _bounds(decoder, Bounds((0, 0), ((0, 0),) * channels), channels)
    previous = None
    for octave, count in enumerate(counts, SHORTEST):
        for _ in range(count):
            previous = _code(decoder, Codes(octave, 0, 0, 0, ((0, 0),) * channels), previous, bounds, steps)
            yield previous


def _counts(coder: Coder, counts: Sequence[int]) -> list[int]:
    """Codes how many atoms there are of each octave."""
    return [growing(coder, count, context_of(_COUNT)) for count in counts]


def _bounds_of(codes: Sequence[Codes], steps: Steps) -> Bounds:
    if not codes:
        return Bounds((0, 0), ((0, 0),))
    shifts = [_UNIT + one.octave - steps.time for one in codes]
    times = [one.time << shift if shift >= 0 else one.time >> -shift for one, shift in zip(codes, shifts, strict=True)]
    levels = zip(*(_levels(one, steps) for one in codes), strict=True)
    return Bounds((min(times), max(times)), tuple((min(each), max(each)) for each in levels))


def _bounds(coder: Coder, bounds: Bounds, channels: int) -> Bounds:
    """Codes the bounds; those that are read lie within what numbers can be, whatever the stream holds."""
    most = 2 * ((LOUDEST + LONGEST - SILENT - SHORTEST + 2) << FINEST.amplitude)
    times = _pair(coder, bounds.times, _LATEST)
    return Bounds(times, tuple(_pair(coder, bounds.levels[channel], most) for channel in range(channels)))


def _pair(coder: Coder, pair: tuple[int, int], most: int) -> tuple[int, int]:
    """Codes the least and the greatest of some numbers between ``-most`` and ``most``."""
    low, high = pair
    folded = growing(coder, 2 * low if low >= 0 else -2 * low - 1, context_of(_BOUND))
    low = -(folded + 1) // 2 if folded & 1 else folded // 2
    span = growing(coder, high - low, context_of(_BOUND, 1))
    return max(low, -most), min(max(low, -most) + span, most)


def _code(coder: Coder, one: Codes, previous: Codes | None, bounds: Bounds, steps: Steps) -> Codes:
    """Codes an atom by the one before it and returns it; of an atom that is read, only the octave is known."""
    octave, fine = one.octave, steps.scale
    before = previous if previous is not None and previous.octave == octave else None
    detail = one.scale - (octave << fine)
    if fine:
        upper = coder.bit(detail >> (fine - 1) & 1, context_of(_SCALE, octave))
        detail = upper << (fine - 1) | spread(coder, detail & (1 << (fine - 1)) - 1, 1 << (fine - 1))
    else:
        detail = 0
    least = 0 if before is None else before.frequency
    frequency = least + growing(coder, one.frequency - least, context_of(_FREQUENCY, octave))
    if before is not None and frequency == least:
        time = before.time + growing(coder, one.time - before.time, context_of(_AGAIN, octave))
    else:
        first, last = (_ticks(bound, octave, steps) for bound in (bounds.times[0], bounds.times[1] + 1))
        time = first + spread(coder, one.time - first, last - first + 1)
    scale = (octave << fine) + detail
    return Codes(octave, frequency, time, scale, _loudness(coder, one._replace(scale=scale), bounds, steps))


def _ticks(time: int, octave: int, steps: Steps) -> int:
    """A bound of the times in steps of an octave."""
    shift = steps.time - octave - _UNIT
    return time << shift if shift >= 0 else time >> -shift


def _levels(one: Codes, steps: Steps) -> list[int]:
    """What is modelled of the amplitudes: the energy of the left channel, and how much more the right one has."""
    left = one.loudness[0][0]
    return [left + _length(one, steps), *(level - left for level, _ in one.loudness[1:])]


def _length(one: Codes, steps: Steps) -> int:
    """What the scale adds to the level of an energy: half of its octaves, in steps of the amplitude."""
    return (one.scale << steps.amplitude) >> (steps.scale + 1)


def _loudness(coder: Coder, one: Codes, bounds: Bounds, steps: Steps) -> tuple[tuple[int, int], ...]:
    # All but the highest bits of a level are evenly likely: what is modelled is in steps of 3 dB.
    low = max(steps.amplitude - 1, 0)
    levels: list[int] = []
    for channel, (level, (least, most)) in enumerate(zip(_levels(one, steps), bounds.levels, strict=True)):
        bits = (most - least >> low).bit_length()
        upper = tree(coder, level - least >> low, bits, context_of(_LEVEL, channel))
        value = least + (upper << low | spread(coder, level - least & (1 << low) - 1, 1 << low))
        levels.append(value - _length(one, steps) if channel == 0 else value + levels[0])
    turns = [spread(coder, turn, 1 << steps.phase) for _, turn in one.loudness]
    return tuple(zip(levels, turns, strict=True))
