"""The sum of many atoms, compiled: exponentials for one sample in hundreds, multiplications for the others."""

import cmath
import math

import numpy as np

from distrack.arrays import Complex, Doubles, Integers
from distrack.compiled import compiled
from distrack.decompose.pursuit.atoms import GABOR

# Samples that are computed side by side, and samples after which the numbers are computed anew, so that rounding errors
# do not grow; beside that of the time, they stay below 1e-11.
_LANES, _BLOCK = 64, 4096


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

    Each sample is computed from the one `_LANES` before: the ratio of two samples of a decay is constant, and that of
    two samples of a Gaussian falls by a constant factor, which is the same for all samples that are side by side.

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
    re, im, factor_re, factor_im = np.empty(_LANES), np.empty(_LANES), np.empty(_LANES), np.empty(_LANES)
    for number in range(len(starts)):
        gaussian = shapes[number] == GABOR
        time, scale, frequency = atoms[number, 0], atoms[number, 1], atoms[number, 2]
        # Scales and cycles from one sample to the next.
        step, cycles = 1 / (sample_rate * scale), frequency / sample_rate
        turn = cmath.exp(2j * math.pi * cycles)
        far_turn = cmath.exp(2j * math.pi * ((cycles * _LANES) % 1.0))
        for begin in range(starts[number], stops[number], _BLOCK):
            end = min(begin + _BLOCK, stops[number])
            seconds = begin / sample_rate - time
            away = seconds / scale
            turned = cmath.exp(2j * math.pi * ((seconds * frequency) % 1.0)) * amplitudes[number]
            if gaussian:
                value, factor = (
                    math.exp(-0.5 * away * away) * turned,
                    far_turn * math.exp(-_LANES * step * (away + 0.5 * _LANES * step)),
                )
                shrink, shrinking = math.exp(-step * (away + 0.5 * step)), math.exp(-step * step)
                falling = math.exp(-_LANES * step * step)
            else:
                value, factor = math.exp(-away) * turned, far_turn * math.exp(-_LANES * step)
                shrink, shrinking, falling = math.exp(-step), 1.0, 1.0
            for lane in range(_LANES):
                re[lane], im[lane] = value.real, value.imag
                factor_re[lane], factor_im[lane] = factor.real, factor.imag
                value *= turn * shrink
                shrink *= shrinking
                factor *= falling
            size, fallen, falls = 1.0, 1.0, falling**_LANES
            for first in range(begin, end, _LANES):
                # A part of a wave has no negative places, so that its loop is one of wide instructions.
                piece = wave[first - origin : min(first + _LANES, end) - origin]
                for lane in range(len(piece)):
                    piece[lane] += size * re[lane]
                for lane in range(_LANES):
                    old_re, old_im = re[lane], im[lane]
                    re[lane] = old_re * factor_re[lane] - old_im * factor_im[lane]
                    im[lane] = old_re * factor_im[lane] + old_im * factor_re[lane]
                size *= fallen
                fallen *= falls
