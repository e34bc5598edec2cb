"""Which events a clip can do without."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from distrack.decompose.events import Events
from distrack.decompose.splat.loss import spectrum

SIZE = 1024
# Beyond so many, energy alone decides: judging each by what the rest sounds like costs a spectrogram an event.
MOST_JUDGED = 512


def missed_least(events: Events, wave: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The `count` events whose silence changes the distance of spectrograms the least, each judged alone.

    Shape:
        - wave: ``[channels, samples]``, the clip
        - returns: ``[count]``, indices
    """
    if len(events) > MOST_JUDGED:
        return np.argsort(events.how.boxes(events).energy, kind="stable")[:count]
    everything = np.ones(len(events), np.float32)
    whole = events.how.synthesise(events, everything)
    wanted = spectrum(torch.from_numpy(wave), SIZE).abs()
    together = spectrum(torch.from_numpy(whole), SIZE)
    distance = np.zeros(len(events))
    for place in range(len(events)):
        alone = spectrum(
            torch.from_numpy(events.how.synthesise(events, np.eye(1, len(events), place)[0].astype("f4"))), SIZE
        )
        distance[place] = float(((together - alone).abs() - wanted).square().sum())
    return np.argsort(distance, kind="stable")[:count]


def pruned(events: Events, wave: NDArray[np.float32], share: float) -> Events:
    """The events without the share of them that is missed the least."""
    gone = missed_least(events, wave, round(share * len(events)))
    keep = np.setdiff1d(np.arange(len(events)), gone)
    return replace(events, parameters=events.parameters[keep], muted=events.muted[keep], wet=events.wet[keep])
