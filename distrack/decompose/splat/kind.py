"""The kind of event "splat": what is stored of it, how it sounds, and how it changes."""

from typing import NamedTuple

import numpy as np
import torch

from distrack.arrays import Floats, Mask
from distrack.decompose.events import KINDS, Box, Column, Events, Kind, check_ranges
from distrack.decompose.splat.boxes import boxes_of
from distrack.decompose.splat.burst import ENDS, MOST_NUMBERS, Envelope
from distrack.decompose.splat.parameters import COLUMNS, FIRST, LAST, PAN, PLACES, mixed, sounds_of_rows
from distrack.device import one_thread
from distrack.errors import EventsError


class Range(NamedTuple):
    """Least and greatest value of a stored number."""

    low: float
    high: float


RANGES = {
    "time": Range(-1e5, 1e5),
    "frequency": Range(1e-3, 1e7),
    "amplitude": Range(0, 1e6),
    "mix": Range(0, 1),
    "attack": Range(1e-5, 1e4),
    "decay": Range(1e-5, 1e4),
    "damping": Range(0, 1e6),
    "bend": Range(-0.9, 9.0),
    # The noise of an event is rendered in one piece, so its length is limited.
    "burst": Range(1e-5, 4.0),
    "centre": Range(1e-3, 1e7),
    "width": Range(1e-3, 20),
    "noise": Range(0, MOST_NUMBERS - 1),
    "phase": Range(-1e4, 1e4),
    "pan": Range(-1, 1),
}
# Greatest absolute value of a harmonic relative to the first, which counts as at least a thousandth of all.
RELATIVE = 1e6
# Columns that are interpolated geometrically.
GEOMETRIC = ("frequency", "attack", "decay", "burst", "centre", "width")


class Splat(Kind):
    """A burst of band-limited noise, and the resonance of decaying harmonics that it excites.

    A burst that is short compared with the decay gives each harmonic one amplitude and one phase. These are stored as
    numbers of their own; they are not computed from the noise.
    """

    def columns(self, channels: int) -> tuple[Column, ...]:
        """19 numbers, and the pan in stereo."""
        return (*COLUMNS, PAN) if channels == 2 else COLUMNS

    def check(self, events: Events) -> None:
        """Refuses numbers outside their ranges, and unknown envelopes.

        Raises:
            EventsError: the message names the event, the column and the range.
        """
        envelope = events.settings.get("envelope")
        if envelope not in ENDS:
            raise EventsError(f"envelope {envelope!r}: known are {', '.join(ENDS)}")
        relative = {column.name: Range(-RELATIVE, RELATIVE) for column in COLUMNS[FIRST:LAST]}
        check_ranges(events, RANGES | relative, whole="noise")

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all events, each times its gain: ``[channels, samples]``."""
        audible = np.flatnonzero((gains != 0) & (events.column("amplitude") > 0))
        rows = torch.from_numpy(events.parameters[audible]).double()
        rows[:, PLACES["amplitude"]] *= torch.from_numpy(np.abs(gains[audible])).double()
        with torch.no_grad(), one_thread():
            sounds = sounds_of_rows(rows, sample_rate=events.sample_rate)
            signs = torch.from_numpy(np.sign(gains[audible])).double()[:, None]
            sounds = sounds._replace(
                resonances=sounds.resonances._replace(gains=sounds.resonances.gains * signs),
                bursts=sounds.bursts._replace(gains=sounds.bursts.gains * signs),
            )
            wave = mixed(
                sounds,
                sample_rate=events.sample_rate,
                samples=events.samples,
                seed=events.seed,
                envelope=envelope_of(events),
            )
        sound: Floats = wave.numpy()
        return sound

    def boxes(self, events: Events) -> Box:
        """Where each event lies; an event that is mostly noise has no pitch."""
        return boxes_of(
            sounds_of_rows(torch.from_numpy(events.parameters), sample_rate=events.sample_rate),
            pitches=events.column("frequency"),
            sample_rate=events.sample_rate,
            samples=events.samples,
            envelope=envelope_of(events),
        )

    def stretched(self, events: Events, which: Mask, factor: float) -> Floats:
        """Attack, decay and burst last longer by `factor`; the damping of harmonics falls by it."""
        return _scaled(events, which, {"attack": factor, "decay": factor, "burst": factor, "damping": 1 / factor})

    def transposed(self, events: Events, which: Mask, semitones: float) -> Floats:
        """The resonance and the noise's band move by the same ratio."""
        ratio = 2 ** (semitones / 12)
        return _scaled(events, which, {"frequency": ratio, "centre": ratio})

    def decayed(self, events: Events, which: Mask, factor: float) -> Floats:
        """Decay and burst last longer by `factor`, and the damping of harmonics falls by it; the attack stays."""
        return _scaled(events, which, {"decay": factor, "burst": factor, "damping": 1 / factor})

    def coloured(self, events: Events, which: Mask, octaves: float) -> Floats:
        """Opens the low-pass by `octaves`.

        The noise's band moves up by `octaves`, the damping of higher harmonics falls by a factor of 2 for each, and
        harmonic k is multiplied by k to the power of `octaves`: 6 dB per octave for each. The amplitude and the share
        of the resonance stay, so that the event is about as loud as before.
        """
        rows = _scaled(events, which, {"centre": 2**octaves, "damping": 2**-octaves})
        for place in range(FIRST, LAST):
            rows[which, place] *= (2 + (place - FIRST) // 2) ** octaves
        return _clipped(rows, events.channels)

    def interpolated(self, one: Floats, other: Floats, share: float) -> Floats:
        """Linear in time, amplitude and pan, geometric in pitch and duration; phases turn the short way.

        Noise cannot be interpolated: it is that of the nearer row.

        Shape:
            - all: ``[events, columns]``
        """
        first, last = one.astype(np.float64), other.astype(np.float64)
        rows = first * (1 - share) + last * share
        for name in GEOMETRIC:
            at = PLACES[name]
            rows[:, at] = first[:, at] ** (1 - share) * last[:, at] ** share
        at = PLACES["phase"]
        apart = np.remainder(last[:, at] - first[:, at] + np.pi, 2 * np.pi) - np.pi
        rows[:, at] = first[:, at] + share * apart
        at = PLACES["noise"]
        rows[:, at] = first[:, at] if share < 0.5 else last[:, at]
        if share in (0, 1):
            rows = last if share else first
        return _clipped(rows.astype(np.float32), 2 if one.shape[1] == len(COLUMNS) + 1 else 1)


KINDS.add("splat", Splat())


def envelope_of(events: Events) -> Envelope:
    """The noise envelope, which `Splat.check` has checked."""
    envelope: Envelope = events.settings["envelope"]
    return envelope


def _scaled(events: Events, which: Mask, factors: dict[str, float]) -> Floats:
    rows = events.parameters.astype(np.float64)
    for name, factor in factors.items():
        rows[which, PLACES[name]] *= factor
    return _clipped(rows.astype(np.float32), events.channels)


def _clipped(rows: Floats, channels: int) -> Floats:
    """Rows with each number clipped to its range, so that every change gives events that can be rendered."""
    for name, (low, high) in RANGES.items():
        if name != "pan" or channels == 2:
            rows[:, PLACES[name]] = np.clip(rows[:, PLACES[name]], low, high)
    rows[:, FIRST:LAST] = np.clip(rows[:, FIRST:LAST], -RELATIVE, RELATIVE)
    return rows
