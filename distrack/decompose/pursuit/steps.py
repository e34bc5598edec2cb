"""How finely the numbers of an atom are rounded where atoms are stored in few bits."""

import math
from itertools import cycle
from typing import NamedTuple


class Steps(NamedTuple):
    """How finely each number of an atom is rounded, as an exponent of 2.

    An error of the time takes the same share of an atom's energy where it is the same share of the scale, and so does
    an error of the frequency where it is the same share of ``1 / scale``: these steps are relative to the atom.

    Attributes:
        time: the step is ``octave / 2^time``, where `octave` is the scale rounded down to a power of 2.
        frequency: the step is ``1 / octave / 2^frequency``.
        scale: an octave has ``2^scale`` steps.
        amplitude: an octave (6 dB) has ``2^amplitude`` steps.
        phase: a turn has ``2^phase`` steps.
    """

    time: int
    frequency: int
    scale: int
    amplitude: int
    phase: int


# The steps with which music has the most decibels for a number of bits in all: see `benchmarks/pursuit.md`. Each leaves
# about 1 % of an atom's energy, which later atoms repair in part. Finer steps for loud atoms gained nothing.
BEST = Steps(time=1, frequency=4, scale=1, amplitude=1, phase=4)
COARSEST, FINEST = Steps(0, 3, 0, 0, 3), Steps(14, 14, 12, 12, 14)
# The step that is halved first where there are more bits than `BEST` takes; the last is doubled first where there are
# fewer.
ORDER = ("frequency", "phase", "amplitude", "time", "scale")
# Least and most bits of an atom that can be asked for.
MIN_BITS, MAX_BITS = 16, 64
# Bits of an atom with the steps of `BEST` and one place, of its second channel, and of a whole clip until the models of
# its numbers have learned: measured, rounded up.
BITS, BITS_RIGHT, BITS_ONCE = 18.25, 7.0, 120.0


def steps_for(bits: int, *, events: int, samples: int, channels: int) -> Steps:
    """The finest steps with which an atom takes about `bits` bits or less after coding.

    The order of atoms is not stored. That leaves ``log2(e m / n)`` bits for the place of each of n atoms in m places of
    the time-frequency plane, and a clip has ``samples / 2 * 2^(time + frequency)`` of them.

    Args:
        events: the number of atoms.
        samples: length of the clip.

    >>> steps_for(40, events=1000, samples=33_075, channels=1)
    Steps(time=4, frequency=8, scale=4, amplitude=4, phase=8)
    """
    left = bits - BITS - BITS_RIGHT * (channels - 1) - math.log2(max(samples / 2 / events, 1.0)) - BITS_ONCE / events
    finer = left >= 0
    change, limit = (1, FINEST) if finer else (-1, COARSEST)
    steps = BEST
    for name in cycle(ORDER if finer else ORDER[::-1]):
        cost = channels if name in {"phase", "amplitude"} else 1
        if steps == limit or (left < cost if finer else left >= 0):
            break
        if getattr(steps, name) != getattr(limit, name):
            steps = steps._replace(**{name: getattr(steps, name) + change})
            left -= change * cost
    return steps
