"""The kind of event "siam": what is stored of an event of a trained model, how it sounds, and how it changes."""

from functools import partial

import numpy as np
import torch

from distrack.arrays import Doubles, Floats, Mask
from distrack.decompose.events import Box, Column, Events, Kind
from distrack.decompose.siam.rows import COLUMNS, PLACES, random_rows, shapes, sounding, sounds_of_rows, weights_of
from distrack.decompose.synthesis.boxes import boxes_of
from distrack.decompose.synthesis.clip import Clip
from distrack.decompose.synthesis.sounds import PAN, rendered
from distrack.device import one_thread
from distrack.errors import EventsError


class Siam(Kind):
    """A note or a noise whose timbre is ten learnt numbers, which a small network turns into harmonics and noise.

    The network is the same for all events, and is stored with them. The time of an event is exact to a part of a
    period: it is the phase of the first harmonic.
    """

    precision = np.float64
    lengths = ("attack", "decay")
    common = True

    def columns(self, channels: int) -> tuple[Column, ...]:
        """17 numbers, and the pan in stereo."""
        return (*COLUMNS, PAN) if channels == 2 else COLUMNS

    def check(self, events: Events) -> None:
        """Refuses events without a decoder too."""
        for name, shape in shapes().items():
            if name not in events.shared:
                raise EventsError(f"their decoder has no {name}")
            if events.shared[name].shape != shape:
                raise EventsError(f"the {name} of their decoder has the shape {events.shared[name].shape}, not {shape}")
        super().check(events)

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        weights = weights_of(events.shared)
        sounds_of = partial(sounds_of_rows, weights=weights, sample_rate=events.sample_rate)
        return rendered(events, gains, clip_of(events), sounds_of)

    def boxes(self, events: Events) -> Box:
        """Where each event lies; one that is mostly noise has no pitch."""
        rows = torch.from_numpy(events.parameters)
        with torch.no_grad(), one_thread():
            sounds = sounds_of_rows(rows, weights_of(events.shared), sample_rate=events.sample_rate)
        return boxes_of(sounds, events.column("frequency"), clip_of(events))

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        """The decay lasts longer by `factor`, and with it the noise; the attack stays."""
        return self.scaled(events, which, {"decay": factor})

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """Adds to the brightness: harmonic k is multiplied by k to the power of `octaves`, which the noise moves up by.

        The sum of all harmonics stays, so that the event is about as loud as before.
        """
        rows = events.parameters.astype(np.float64)
        rows[which, PLACES["brightness"]] += octaves
        return self.clipped(rows.astype(np.float32))

    def drawn(self, events: Events, which: Mask, draw: np.random.Generator) -> Floats:
        """Parameters after the selected events became random ones, with any timbre that the model knows."""
        rows = random_rows(draw, len(events), channels=events.channels)
        loud = events.column("amplitude")
        rows[:, PLACES["amplitude"]] *= float(np.median(loud)) / 0.2 if len(loud) else 1.0
        rows[:, PLACES["time"]] = events.column("time")
        rows[~which] = events.parameters[~which]
        return self.clipped(rows)

    def vectors(self, events: Events) -> Doubles:
        """The timbre of each event: the levels of its harmonics in units of 20 dB, its noise, attack and decay.

        The phases of the harmonics, which a timbre stores too, do not count, and neither do pitch and level.
        """
        rows, weights = events.parameters, weights_of(events.shared)
        with torch.no_grad(), one_thread():
            levels = sounding(rows, weights).numpy().astype(np.float64) / 20
        noise = rows[:, PLACES["noise"], None].astype(np.float64)
        lasting = np.log2(rows[:, [PLACES["attack"], PLACES["decay"]]].astype(np.float64)) / 4
        return np.concatenate([levels * (1 - noise), 3 * noise, lasting], axis=1)


SIAM = Siam()


def clip_of(events: Events) -> Clip:
    """The clip in which the noise of some events is rendered."""
    return Clip(events.sample_rate, events.samples, events.seed, "gamma")
