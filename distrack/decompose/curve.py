"""Quality of reconstructions from the strongest events alone, against their number."""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from distrack.decompose.events import Events
from distrack.decompose.quality import qualities
from distrack.decompose.rendering import Rendered
from distrack.progress import Progress, unwatched
from distrack.stored_sound import Sound

# Numbers of events at which the quality is measured: of a short clip, and of one of so many samples (half a minute) or
# more. Measuring must not take longer than finding the events.
POINTS, POINTS_OF_LONG, LONG = 10, 5, 1 << 19


class Point(NamedTuple):
    """The quality of a reconstruction from so many events."""

    events: int
    snr_db: float
    spectral_convergence: float


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


def curve(events: Events, wave: Sound, *, progress: Progress = unwatched) -> list[Point]:
    """The quality of the strongest events alone, for numbers of events in rising order; the last is that of all.

    Each event is rendered once: a point adds the events that the one before it lacked to its sound.

    Shape:
        - wave: ``[channels, samples]``, the clip
    """
    order = np.argsort(-events.kind.boxes(events).energy, kind="stable")
    numbers = numbers_of_events(len(events), wave.shape[0] * wave.shape[1])
    layers = []
    for before, count in pairwise([0, *numbers]):
        alone = events.rows(np.sort(order[before:count]))
        layers.append(Rendered(replace(alone, muted=np.zeros(len(alone), np.bool_))))
    measured = qualities(wave, layers, progress=progress)
    return [Point(count, *quality) for count, quality in zip(numbers, measured, strict=True)]
