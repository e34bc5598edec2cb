"""Which events a clip can do without."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from distrack.decompose.events import Events
from distrack.decompose.splat.loss import spectrum

SIZE = 1024
# Events times samples: beyond so many, all spectrograms would not fit, and energy alone decides.
MOST_JUDGED = 1 << 23


def missed_least(events: Events, wave: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The `count` events without which the sum stays nearest to the clip, by the distance of spectrograms.

    One is taken after another, each from what those before it have left: of two that stand for the same sound only one
    can go.

    Shape:
        - wave: ``[channels, samples]``, the clip
        - returns: ``[count]``, indices, those missed the least first
    """
    if len(events) * wave.size > MOST_JUDGED:
        return np.argsort(events.how.boxes(events).energy, kind="stable")[:count]
    each = np.eye(len(events), dtype=np.float32)
    alone = [spectrum(torch.from_numpy(events.how.synthesise(events, one)), SIZE) for one in each]
    wanted = spectrum(torch.from_numpy(wave), SIZE).abs()
    together = spectrum(torch.from_numpy(events.how.synthesise(events, each.sum(0))), SIZE)
    left, gone = list(range(len(events))), []
    for _ in range(min(count, len(left))):
        distances = [float(((together - alone[place]).abs() - wanted).square().sum()) for place in left]
        least = left.pop(int(np.argmin(distances)))
        together = together - alone[least]
        gone.append(least)
    return np.array(gone, np.int64)


def pruned(events: Events, wave: NDArray[np.float32], share: float) -> Events:
    """The events without the share of them that is missed the least."""
    gone = missed_least(events, wave, round(share * len(events)))
    keep = np.setdiff1d(np.arange(len(events)), gone)
    return replace(events, parameters=events.parameters[keep], muted=events.muted[keep], wet=events.wet[keep])
