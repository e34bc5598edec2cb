"""Which events a reconstruction can do without."""

import numpy as np
import torch

from distrack.arrays import Floats, Integers
from distrack.decompose.events import Events
from distrack.decompose.splat.loss import spectrum

SIZE = 1024
# Most events times samples for which all spectrograms fit in memory; beyond it, energy alone decides.
MOST_COMPARED = 1 << 23


def least_important(events: Events, wave: Floats, count: int) -> Integers:
    """The `count` events without which the sum stays nearest to the clip, by the distance of spectrograms.

    They are selected one after another, each without those selected before it: of two events that stand for the same
    sound, only one is selected.

    Shape:
        - wave: ``[channels, samples]``, the clip
        - returns: ``[count]``, numbers of events, the least important first
    """
    if len(events) * wave.size > MOST_COMPARED:
        return np.argsort(events.kind.boxes(events).energy, kind="stable")[:count]
    gains = np.eye(len(events), dtype=np.float32)
    alone = [spectrum(torch.from_numpy(events.kind.synthesise(events, one)), SIZE) for one in gains]
    target = spectrum(torch.from_numpy(wave), SIZE).abs()
    together = spectrum(torch.from_numpy(events.kind.synthesise(events, gains.sum(0))), SIZE)
    remaining, selected = list(range(len(events))), []
    for _ in range(min(count, len(remaining))):
        distances = [float(((together - alone[number]).abs() - target).square().sum()) for number in remaining]
        least = remaining.pop(int(np.argmin(distances)))
        together = together - alone[least]
        selected.append(least)
    return np.array(selected, np.int64)
