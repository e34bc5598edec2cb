"""A range coder: the less likely a number is by those before it, the more bits it takes.

It computes with whole numbers alone, so that every machine writes and reads the same bytes.

Source:
    Martin, "Range encoding: an algorithm for removing redundancy from a digitised message", Video & Data Recording
    Conference, 1979, with the carry of Pavlov's LZMA. Probabilities are counts, as in Krichevsky and Trofimov, "The
    performance of universal encoding", IEEE Transactions on Information Theory 27(2), 1981.
"""

from collections import defaultdict
from typing import Protocol

# The greatest range, and the range below which another byte is written or read.
_WHOLE, _LEAST = (1 << 32) - 1, 1 << 24
# Where one of the two counts of a context is greater, both are halved: the model follows a clip that changes.
_MOST = 1 << 11
# The most bits of a number that `growing` codes.
_LONGEST = 47
# What a bit adds to the count of its value. Counts begin with `_BEGIN`.
_BEGIN, _ADDED = 2, 3


class Coder(Protocol):
    """An encoder or a decoder: what is written by some calls is read by the same calls.

    An encoder writes the value that it is given and returns it. A decoder ignores that value and returns the one that
    it reads.
    """

    def bit(self, value: int, context: int) -> int:
        """Codes a 0 or 1 by how often each came before in the same context."""

    def even(self, value: int, total: int) -> int:
        """Codes a number from 0 to `total` - 1, all of them equally likely; `total` is at most 2^16."""


class Encoder:
    """Writes numbers; `content` ends the stream."""

    def __init__(self) -> None:
        self._counts = _no_counts()
        self._low, self._range = 0, _WHOLE
        self._content = bytearray()
        # The last byte that a carry may still change (-1 before the first one), and how many bytes of 255 follow it.
        self._held, self._full = -1, 0

    def bit(self, value: int, context: int) -> int:
        counts = self._counts[context]
        bound = self._range // (counts[0] + counts[1]) * counts[0]
        if value:
            self._low += bound
            self._range -= bound
        else:
            self._range = bound
        _count(counts, value)
        self._widen()
        return value

    def even(self, value: int, total: int) -> int:
        self._range //= total
        self._low += value * self._range
        self._widen()
        return value

    def content(self) -> bytes:
        """All bytes of the stream; nothing can be written after it."""
        # Of the numbers that stand for the stream, the one with the most zeros at its end: a decoder adds zeros itself.
        self._low = (self._low + self._range - 1) & ~(_LEAST - 1)
        self._shift()
        self._shift()
        return bytes(self._content)

    def _widen(self) -> None:
        while self._range < _LEAST:
            self._range <<= 8
            self._shift()

    def _shift(self) -> None:
        """Takes the highest byte off; it is written once no carry can change it."""
        if 0xFF << 24 <= self._low <= _WHOLE:
            self._full += 1
        else:
            carry = self._low >> 32
            if self._held >= 0:
                self._content.append(self._held + carry)
            self._content += bytes([(0xFF + carry) & 0xFF]) * self._full
            self._held, self._full = self._low >> 24 & 0xFF, 0
        self._low = self._low << 8 & _WHOLE


class Decoder:
    """Reads what an encoder wrote. Any bytes can be read; after their end there are zeros."""

    def __init__(self, content: bytes) -> None:
        self._counts = _no_counts()
        self._content, self._place = content, 4
        self._code, self._range = int.from_bytes(content[:4].ljust(4, b"\0"), "big"), _WHOLE

    def bit(self, value: int, context: int) -> int:
        counts = self._counts[context]
        bound = self._range // (counts[0] + counts[1]) * counts[0]
        value = int(self._code >= bound)
        if value:
            self._code -= bound
            self._range -= bound
        else:
            self._range = bound
        _count(counts, value)
        self._widen()
        return value

    def even(self, value: int, total: int) -> int:
        self._range //= total
        value = min(self._code // self._range, total - 1)
        self._code -= value * self._range
        self._widen()
        return value

    def _widen(self) -> None:
        while self._range < _LEAST:
            self._range <<= 8
            following = self._content[self._place] if self._place < len(self._content) else 0
            self._code = (self._code << 8 | following) & _WHOLE
            self._place += 1


def tree(coder: Coder, value: int, bits: int, context: int) -> int:
    """Codes a number of some bits, each bit by those above it.

    Args:
        context: from `context_of`; all numbers of the same context are one model.
    """
    node = 1
    for place in range(bits - 1, -1, -1):
        node = node << 1 | coder.bit(value >> place & 1, context | node)
    return node - (1 << bits)


def growing(coder: Coder, value: int, context: int) -> int:
    """Codes a number from 0 to 2^47 of which small ones are likelier: its length in bits, then the bits.

    The length and the two highest bits are modelled (Elias's gamma code with a model); lower ones are evenly likely.

    Args:
        context: from `context_of`.
    """
    goal, length = (value + 1).bit_length() - 1, 0
    while length < _LONGEST and coder.bit(int(length < goal), context | length):
        length += 1
    modelled = min(length, 2)
    low = length - modelled
    high = tree(coder, value + 1 >> low & (1 << modelled) - 1, modelled, context | 1 << 15 | length << 4)
    return ((1 << modelled | high) << low | spread(coder, value + 1 & (1 << low) - 1, 1 << low)) - 1


def spread(coder: Coder, value: int, total: int) -> int:
    """Codes a number from 0 to `total` - 1, all of them equally likely: the highest 16 bits, then the others."""
    bits = max((total - 1).bit_length() - 16, 0)
    high = coder.even(value >> bits, (total - 1 >> bits) + 1)
    return high << bits | (spread(coder, value & (1 << bits) - 1, 1 << bits) if bits else 0)


def context_of(*numbers: int) -> int:
    """The context that small numbers name together; the last 16 bits are left for `tree` and `growing`."""
    context = 0
    for number in numbers:
        context = context << 8 | number & 0xFF
    return context << 16


def _no_counts() -> defaultdict[int, list[int]]:
    return defaultdict(lambda: [_BEGIN, _BEGIN])


def _count(counts: list[int], value: int) -> None:
    counts[value] += _ADDED
    if counts[value] > _MOST:
        counts[:] = (counts[0] >> 1) + 1, (counts[1] >> 1) + 1
