"""The sound of many atoms together: compiled where that pays and numba is installed, and by NumPy otherwise."""

import numpy as np

from distrack.arrays import Complex, Doubles, Floats, Integers
from distrack.decompose.pursuit.atoms import DAMPED, GABOR, REACH, Atom, pieces

# Samples of all atoms together from which they are added by compiled code, which takes a third of a second to load; and
# what an atom costs beside its samples, in samples.
COMPILED_FROM, OF_AN_ATOM = 1 << 25, 4096


def summed(
    shapes: Integers,
    rows: Doubles,
    amplitudes: Complex,
    sample_rate: int,
    samples: int,
    *,
    first: int = 0,
    last: int | None = None,
) -> Floats:
    """The sum of atoms in the samples of a clip, or in a part of them.

    The sum is computed in float64, in the order of the rows. The two ways to compute it differ by less than 1e-9 of the
    largest amplitude in the first minutes, and by less than 1e-6 after hours; the work in the whole clip alone decides
    which is taken, so that every process gives the same samples, and a part those of the whole.

    Args:
        shapes: `GABOR` or `DAMPED` of each atom.
        rows: time and scale in seconds and frequency in Hz of each atom; the frequency is below half the sample rate.
        first, last: the first sample of the part and the sample after its last one; the whole clip if not given.

    Shape:
        - shapes: ``[atoms]``
        - rows: ``[atoms, 3]``
        - amplitudes: ``[atoms, channels]``
        - returns: ``[channels, last - first]``
    """
    last = samples if last is None else last
    wave = np.zeros((amplitudes.shape[1], last - first))
    starts, stops = supports(shapes, rows, sample_rate, samples)
    is_much = int((stops - starts + OF_AN_ATOM).sum()) >= COMPILED_FROM
    inside = np.flatnonzero((starts < last) & (stops > first))
    shapes, rows, amplitudes = shapes[inside], rows[inside], amplitudes[inside]
    starts, stops = np.maximum(starts[inside], first), np.minimum(stops[inside], last)
    if is_much:
        try:
            from distrack.decompose.pursuit.compiled_sound import add_atoms
        except ImportError:
            pass
        else:
            for channel, sound in enumerate(wave):
                own = np.ascontiguousarray(amplitudes[:, channel])
                add_atoms(sound, first, shapes, starts, stops, rows, own, float(sample_rate))
            return wave.astype(np.float32)
    for shape, row, own, start, stop in zip(
        shapes.tolist(), rows.tolist(), amplitudes, starts.tolist(), stops.tolist(), strict=True
    ):
        atom = Atom(shape, *row)
        for where in pieces(slice(start, stop)):
            wave[:, where.start - first : where.stop - first] += atom.sound(own, where, sample_rate)
    return wave.astype(np.float32)


def supports(shapes: Integers, rows: Doubles, sample_rate: int, samples: int) -> tuple[Integers, Integers]:
    """The first sample of each atom within a clip, and the sample after its last one, as in `Atom.support`.

    Shape:
        - shapes: ``[atoms]``
        - rows: ``[atoms, 3]``
        - returns: ``[atoms]`` each
    """
    time, scale = rows[:, 0], rows[:, 1]
    gaussian = shapes == GABOR
    seconds = np.where(gaussian, REACH[GABOR], REACH[DAMPED]) * scale
    begin = np.where(gaussian, time - seconds, time)
    starts = np.clip(np.ceil(begin * sample_rate), 0, samples).astype(np.int64)
    stops = np.minimum(np.floor((time + seconds) * sample_rate) + 1, samples).astype(np.int64)
    return starts, np.maximum(starts, stops)
