"""The range coder reads what it wrote, whatever it is, and takes about as many bits as the numbers hold."""

import math

import numpy as np
import pytest

from distrack.decompose.range_coder import Coder, Decoder, Encoder, context_of, growing, spread, tree

# Numbers of every kind, with the function that codes them and its last argument.
Call = tuple[str, int, int]


def mixed(count: int, seed: int) -> list[Call]:
    draw = np.random.default_rng(seed)
    calls: list[Call] = []
    for _ in range(count):
        match int(draw.integers(0, 4)):
            case 0:
                calls.append(("bit", int(draw.random() < 0.02), int(draw.integers(0, 3))))
            case 1:
                total = int(draw.integers(1, 1 << int(draw.integers(1, 48))))
                calls.append(("spread", int(draw.integers(0, total)), total))
            case 2:
                calls.append(("growing", int(draw.integers(0, 1 << int(draw.integers(1, 47)))), context_of(1, 2)))
            case _:
                calls.append(("tree", int(draw.integers(0, 1 << 7)), 7))
    return calls


def coded(coder: Coder, calls: list[Call], *, known: bool) -> list[int]:
    """Codes numbers; a decoder is given zeros in their place."""
    values = []
    for name, value, extra in calls:
        given = value if known else 0
        if name == "bit":
            values.append(coder.bit(given, context_of(9, extra)))
        elif name == "spread":
            values.append(spread(coder, given, extra))
        elif name == "growing":
            values.append(growing(coder, given, extra))
        else:
            values.append(tree(coder, given, extra, context_of(3)))
    return values


@pytest.mark.parametrize("seed", range(20))
def test_numbers_are_read_as_they_were_written(seed: int) -> None:
    calls = mixed(seed * 40, seed)
    encoder = Encoder()
    coded(encoder, calls, known=True)
    content = encoder.content()
    assert coded(Decoder(content), calls, known=False) == [value for _, value, _ in calls]
    # Zeros after the end are read in any case.
    assert coded(Decoder(content + bytes(9)), calls, known=False) == [value for _, value, _ in calls]


@pytest.mark.parametrize("value", [0, 1])
def test_carries_and_their_absence_pass_through_long_rows_of_equal_bytes(value: int) -> None:
    """Values at either edge of the range make rows of 0 and of 255, which a carry runs through."""
    calls: list[Call] = [("spread", value * 65_535, 65_536)] * 200 + [("bit", 1 - value, 0), ("spread", 7, 10)] * 50
    encoder = Encoder()
    coded(encoder, calls, known=True)
    assert coded(Decoder(encoder.content()), calls, known=False) == [value for _, value, _ in calls]


def test_a_rare_bit_takes_few_bits_and_even_numbers_take_their_logarithm() -> None:
    draw = np.random.default_rng(0)
    encoder = Encoder()
    for value in draw.random(10_000) < 0.05:
        encoder.bit(int(value), context_of(0))
    entropy = -(0.05 * math.log2(0.05) + 0.95 * math.log2(0.95))
    assert 8 * len(encoder.content()) == pytest.approx(10_000 * entropy, rel=0.05)
    encoder = Encoder()
    for value in draw.integers(0, 1000, 10_000):
        spread(encoder, int(value), 1000)
    assert 8 * len(encoder.content()) == pytest.approx(10_000 * math.log2(1000), rel=0.002)


def test_any_bytes_can_be_read() -> None:
    draw = np.random.default_rng(1)
    for _ in range(50):
        content = draw.integers(0, 256, int(draw.integers(0, 40)), dtype=np.uint8).tobytes()
        values = coded(Decoder(content), mixed(60, 3), known=False)
        limits = {"bit": 2, "growing": 1 << 48, "tree": 1 << 7}
        for (name, _, extra), value in zip(mixed(60, 3), values, strict=True):
            assert 0 <= value < limits.get(name, extra)
