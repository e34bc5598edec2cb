"""The clip that events are rendered in, and the shapes that a burst of noise can have."""

from typing import Literal, NamedTuple

Envelope = Literal["gamma", "gaussian"]


class Clip(NamedTuple):
    """The clip that bursts are rendered in: its rate in Hz, its length, and the seed and envelope of all bursts."""

    sample_rate: int
    samples: int
    seed: int
    envelope: Envelope
