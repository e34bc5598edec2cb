"""The kind of event "splat": what is stored of it, how it sounds, and how it changes."""

from functools import partial

import numpy as np
import torch

from distrack.arrays import Doubles, Floats, Mask
from distrack.decompose.events import Box, Column, Events, Kind
from distrack.decompose.splat.parameters import COLUMNS, FIRST, LAST, sounds_of_rows
from distrack.decompose.synthesis.boxes import boxes_of
from distrack.decompose.synthesis.burst import ENDS
from distrack.decompose.synthesis.clip import Clip
from distrack.decompose.synthesis.sounds import PAN, rendered
from distrack.errors import EventsError


class Splat(Kind):
    """A burst of band-limited noise, and the resonance of decaying harmonics that it excites.

    A burst that is short compared with the decay gives each harmonic one amplitude and one phase. These are stored as
    numbers of their own; they are not computed from the noise.
    """

    precision = np.float64
    pitches = ("frequency", "centre")

    def columns(self, channels: int) -> tuple[Column, ...]:
        """19 numbers, and the pan in stereo."""
        return (*COLUMNS, PAN) if channels == 2 else COLUMNS

    def check(self, events: Events) -> None:
        """Refuses unknown envelopes too."""
        envelope = events.settings.get("envelope")
        if envelope not in ENDS:
            raise EventsError(f"envelope {envelope!r}: known are {', '.join(ENDS)}")
        super().check(events)

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        sounds_of = partial(sounds_of_rows, sample_rate=events.sample_rate)
        return rendered(events, gains, clip_of(events), sounds_of)

    def boxes(self, events: Events) -> Box:
        """Where each event lies; one that is mostly noise has no pitch.

        Energy is that within the clip: the sum over harmonics, and the noise's expected energy.
        """
        sounds = sounds_of_rows(torch.from_numpy(events.parameters), sample_rate=events.sample_rate)
        return boxes_of(sounds, events.column("frequency"), clip_of(events))

    def stretched(self, events: Events, which: Mask, factor: float) -> Floats:
        """Attack, decay and burst last longer by `factor`; the damping of harmonics falls by it."""
        return self.scaled(events, which, {"attack": factor, "decay": factor, "burst": factor, "damping": 1 / factor})

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        """Decay and burst last longer by `factor`, and the damping of harmonics falls by it; the attack stays."""
        return self.scaled(events, which, {"decay": factor, "burst": factor, "damping": 1 / factor})

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """Opens the low-pass by `octaves`.

        The noise's band moves up by `octaves`, the damping of higher harmonics falls by a factor of 2 for each, and
        harmonic k is multiplied by k to the power of `octaves`: 6 dB per octave for each. The amplitude and the share
        of the resonance stay, so that the event is about as loud as before.
        """
        rows = self.scaled(events, which, {"centre": 2**octaves, "damping": 2**-octaves})
        for place in range(FIRST, LAST):
            rows[which, place] *= (2 + (place - FIRST) // 2) ** octaves
        return self.clipped(rows)

    def linear(self, first: Doubles, last: Doubles, share: float) -> Doubles:
        return first * (1 - share) + last * share


SPLAT = Splat()


def clip_of(events: Events) -> Clip:
    """The clip of events whose settings are checked."""
    return Clip(events.sample_rate, events.samples, events.seed, events.settings["envelope"])
