"""Quality of reconstructions from the strongest events alone, against their number."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from distrack.arrays import Floats
from distrack.decompose.events import Events
from distrack.decompose.quality import Reference
from distrack.decompose.rendering import render, soloed

# Numbers of events at which the quality is measured: of a short clip, and of one of so many samples (half a minute) or
# more. Measuring must not take longer than finding the events.
POINTS, POINTS_OF_LONG, LONG = 10, 5, 1 << 19


class Point(NamedTuple):
    """The quality of a reconstruction from so many events, and that sound, ``[channels, samples]``.

    The array of the sound is that of the next point too.
    """

    events: int
    snr_db: float
    spectral_convergence: float
    sound: Floats


def numbers_of_events(count: int, samples: int) -> list[int]:
    """Numbers of events up to `count` at which a clip of so many samples in all channels is measured.

    They are evenly spread by ratio.

    >>> numbers_of_events(64, 33_075)
    [1, 2, 3, 4, 6, 10, 16, 25, 40, 64]
    >>> numbers_of_events(100_000, 13_230_000)
    [1, 18, 316, 5623, 100000]
    """
    points = POINTS if samples < LONG else POINTS_OF_LONG
    numbers: list[int] = np.unique(np.geomspace(1, count, points).round().astype(int)).tolist()
    return numbers


def curve(events: Events, wave: Floats) -> Iterator[Point]:
    """The quality of the strongest events alone, for numbers of events in rising order; the last is that of all.

    Each event is rendered once: a point adds the events that the one before it lacked to its sound.

    Shape:
        - wave: ``[channels, samples]``, the clip
    """
    reference = Reference(wave)
    order = np.argsort(-events.kind.boxes(events).energy, kind="stable")
    sound, before = np.zeros_like(wave), 0
    for count in numbers_of_events(len(events), wave.size):
        sound += render(soloed(events, order[before:count]))
        yield Point(count, reference.snr_db(sound), reference.spectral_convergence(sound), sound)
        before = count
