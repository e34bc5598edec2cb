"""The sum of many atoms, compiled: exponentials for one sample in hundreds, multiplications for the others."""

import cmath
import math

from distrack.arrays import Complex, Doubles, Integers
from distrack.compiled import compiled
from distrack.decompose.pursuit.atoms import GABOR

# Samples after which the numbers are computed anew, so that rounding errors do not grow; they stay below 1e-11.
_BLOCK = 512


@compiled()
def add_atoms(
    wave: Doubles,
    origin: int,
    shapes: Integers,
    starts: Integers,
    stops: Integers,
    atoms: Doubles,
    amplitudes: Complex,
    sample_rate: float,
) -> None:
    """Adds atoms to one channel, in their order.

    Four samples are computed side by side, each from the one four samples before: the ratio of two samples of a
    Gaussian is a ratio that falls by a constant factor, and that of two samples of a decay is constant.

    Args:
        wave: a part of the clip, which is added to.
        origin: sample of the clip that is the first of the part.
        shapes: `GABOR` or `DAMPED` of each atom.
        starts, stops: first sample of each atom, and the sample after its last one, in the clip, within the part.
        atoms: time and scale in seconds and frequency in Hz of each atom.
        amplitudes: complex amplitude of each atom.

    Shape:
        - wave: ``[samples]``
        - shapes, starts, stops, amplitudes: ``[atoms]``
        - atoms: ``[atoms, 3]``
    """
    for number in range(len(starts)):
        gaussian = shapes[number] == GABOR
        time, scale, frequency = atoms[number, 0], atoms[number, 1], atoms[number, 2]
        # Scales from one sample to the next; then what an atom turns by in four samples, and what the ratio falls by.
        step = 1 / (sample_rate * scale)
        turn = cmath.exp(8j * math.pi * frequency / sample_rate)
        falling = math.exp(-16 * step * step) if gaussian else 1.0
        for begin in range(starts[number], stops[number], _BLOCK):
            end = min(begin + _BLOCK, stops[number])
            place, behind = begin - origin, end - origin
            first, first_ratio = _sample(begin, time, scale, frequency, sample_rate, gaussian)
            second, second_ratio = _sample(begin + 1, time, scale, frequency, sample_rate, gaussian)
            third, third_ratio = _sample(begin + 2, time, scale, frequency, sample_rate, gaussian)
            fourth, fourth_ratio = _sample(begin + 3, time, scale, frequency, sample_rate, gaussian)
            first, second = first * amplitudes[number], second * amplitudes[number]
            third, fourth = third * amplitudes[number], fourth * amplitudes[number]
            one, two, three, four = first_ratio * turn, second_ratio * turn, third_ratio * turn, fourth_ratio * turn
            whole = behind - (behind - place) % 4
            for at in range(place, whole, 4):
                wave[at] += first.real
                wave[at + 1] += second.real
                wave[at + 2] += third.real
                wave[at + 3] += fourth.real
                first, second, third, fourth = first * one, second * two, third * three, fourth * four
                one, two, three, four = one * falling, two * falling, three * falling, four * falling
            if whole < behind:
                wave[whole] += first.real
            if whole + 1 < behind:
                wave[whole + 1] += second.real
            if whole + 2 < behind:
                wave[whole + 2] += third.real


@compiled()
def _sample(
    place: int, time: float, scale: float, frequency: float, sample_rate: float, gaussian: bool
) -> tuple[complex, float]:
    """One sample of an atom, and the ratio of its envelope four samples later to that at it."""
    seconds, step = place / sample_rate - time, 1 / (sample_rate * scale)
    distance = seconds / scale
    cycles = seconds * frequency
    turned = cmath.exp(2j * math.pi * (cycles - math.floor(cycles)))
    if gaussian:
        return math.exp(-0.5 * distance * distance) * turned, math.exp(-4 * step * (distance + 2 * step))
    return math.exp(-distance) * turned, math.exp(-4 * step)
