"""From events to sound: all that is heard, dry and through the room."""

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from distrack.decompose.events import Events

Floats = NDArray[np.float32]


def render(events: Events, *, tail: bool = False) -> Floats:
    """What the events sound like together; the same samples on every call and in every process.

    An event is heard dry by 1 - wet, and by wet through the room, whose level is left as it is.

    Args:
        events: all of the same kind.
        tail: go on until the room has died away, instead of ending with the clip.

    Shape:
        - returns: ``[channels, samples]``, as loud as the events are: it may leave [-1, 1]
    """
    heard = (~events.muted).astype(np.float32)
    if events.room is None:
        return events.how.synthesise(events, heard)
    reverberant = in_room(events.how.synthesise(events, heard * events.wet), events.room)
    dry = events.how.synthesise(events, heard * (1 - events.wet))
    reverberant[:, : events.samples] += dry
    return reverberant if tail else reverberant[:, : events.samples]


def in_room(wave: Floats, room: Floats) -> Floats:
    """Convolution with an impulse response, to its end.

    Shape:
        - wave: ``[channels, samples]``
        - room: ``[1 or channels, length]``
        - returns: ``[channels, samples + length - 1]``
    """
    reverberant: Floats = scipy.signal.fftconvolve(wave, room, axes=1).astype(np.float32)
    return reverberant
