"""The kind of event "splat": how it sounds, where it is, and how it is changed."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from distrack.decompose.decomposer import KINDS, Box, Column, Kind
from distrack.decompose.events import Events
from distrack.decompose.splat.burst import ENDS, MOST_NUMBERS, Envelope
from distrack.decompose.splat.extent import extents
from distrack.decompose.splat.parameters import COLUMNS, FIRST, LAST, PAN, PLACES, add_up, sounds
from distrack.decompose.splat.threads import one_thread
from distrack.errors import EventsError

Floats = NDArray[np.float32]


class Range(NamedTuple):
    """What a stored number may be."""

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
    # Noise that lasts is made in one piece.
    "burst": Range(1e-5, 4.0),
    "centre": Range(1e-3, 1e7),
    "width": Range(1e-3, 20),
    "noise": Range(0, MOST_NUMBERS - 1),
    "phase": Range(-1e4, 1e4),
    "pan": Range(-1, 1),
}
# Half the range of a harmonic beside the first, which is never less than a thousandth of all.
BESIDE = 1e6
BY_RATIO = ("frequency", "attack", "decay", "burst", "centre", "width")


class Splat(Kind):
    """A burst of band-limited noise, and the resonance of decaying harmonics that it leaves.

    A burst that is short beside the decay sets each harmonic going with one amplitude and one phase: these are stored,
    in place of what some noise would have given them.
    """

    def columns(self, channels: int) -> tuple[Column, ...]:
        """19 numbers, and a place from left to right in stereo."""
        return (*COLUMNS, PAN) if channels == 2 else COLUMNS

    def check(self, events: Events) -> None:
        """Refuses numbers out of their ranges, and envelopes that are unknown.

        Raises:
            EventsError: which number of which event, and what it may be.
        """
        envelope = events.settings.get("envelope")
        if envelope not in ENDS:
            raise EventsError(f"envelope {envelope!r}: known are {', '.join(ENDS)}")
        for place, column in enumerate(self.columns(events.channels)):
            low, high = RANGES.get(column.name, Range(-BESIDE, BESIDE))
            values = events.parameters[:, place]
            wrong = (values < low) | (values > high)
            if column.name == "noise":
                wrong |= values != np.floor(values)
            if wrong.any():
                row = int(wrong.argmax())
                raise EventsError(
                    f"event {row}: its {column.name} {values[row]:g} is not between {low:g} and {high:g}"
                    + (", or no whole number" if column.name == "noise" else "")
                )

    def synthesise(self, events: Events, gains: Floats) -> Floats:
        """The sum of all events, each at its gain: ``[channels, samples]``."""
        heard = np.flatnonzero((gains != 0) & (events.column("amplitude") > 0))
        rows = torch.from_numpy(events.parameters[heard]).double()
        rows[:, PLACES["amplitude"]] *= torch.from_numpy(np.abs(gains[heard])).double()
        with torch.no_grad(), one_thread():
            given = sounds(rows, sample_rate=events.sample_rate)
            signs = torch.from_numpy(np.sign(gains[heard])).double()[:, None]
            given = given._replace(
                resonances=given.resonances._replace(gains=given.resonances.gains * signs),
                bursts=given.bursts._replace(gains=given.bursts.gains * signs),
            )
            wave = add_up(
                given,
                sample_rate=events.sample_rate,
                samples=events.samples,
                seed=events.seed,
                envelope=envelope_of(events),
            )
        sound: Floats = wave.numpy()
        return sound

    def boxes(self, events: Events) -> Box:
        """Where each event is; one that is mostly noise has no pitch."""
        return extents(
            sounds(torch.from_numpy(events.parameters), sample_rate=events.sample_rate),
            pitches=events.column("frequency"),
            sample_rate=events.sample_rate,
            samples=events.samples,
            envelope=envelope_of(events),
        )

    def stretched(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:
        """Attack, decay and burst last longer by `factor`, and harmonics are damped the less."""
        return _scaled(events, which, {"attack": factor, "decay": factor, "burst": factor, "damping": 1 / factor})

    def transposed(self, events: Events, which: NDArray[np.bool_], semitones: float) -> Floats:
        """The resonance and the noise's band, both by the same ratio."""
        ratio = 2 ** (semitones / 12)
        return _scaled(events, which, {"frequency": ratio, "centre": ratio})

    def decayed(self, events: Events, which: NDArray[np.bool_], factor: float) -> Floats:
        """Decay and burst last longer by `factor`, and harmonics are damped the less; the attack stays."""
        return _scaled(events, which, {"decay": factor, "burst": factor, "damping": 1 / factor})

    def coloured(self, events: Events, which: NDArray[np.bool_], octaves: float) -> Floats:
        """The low-pass opens by `octaves`.

        The noise's band moves up by them, further harmonics are damped the less by as many factors of two, and harmonic
        k gains k to their power, 6 dB an octave for each; amplitude and share of the resonance stay, so that the sum is
        about as loud.
        """
        rows = _scaled(events, which, {"centre": 2**octaves, "damping": 2**-octaves})
        for place in range(FIRST, LAST):
            rows[which, place] *= (2 + (place - FIRST) // 2) ** octaves
        return _held(rows, events.channels)

    def between(self, one: Floats, other: Floats, share: float) -> Floats:
        """Straight in time, amplitude, place; by ratio in pitch and lasting; phases the short way; noise of the nearer.

        Shape:
            - all: ``[events, columns]``
        """
        first, last = one.astype(np.float64), other.astype(np.float64)
        rows = first * (1 - share) + last * share
        for name in BY_RATIO:
            at = PLACES[name]
            rows[:, at] = first[:, at] ** (1 - share) * last[:, at] ** share
        at = PLACES["phase"]
        apart = np.remainder(last[:, at] - first[:, at] + np.pi, 2 * np.pi) - np.pi
        rows[:, at] = first[:, at] + share * apart
        at = PLACES["noise"]
        rows[:, at] = first[:, at] if share < 0.5 else last[:, at]
        if share in (0, 1):
            rows = last if share else first
        return _held(rows.astype(np.float32), 2 if one.shape[1] == len(COLUMNS) + 1 else 1)


KINDS.add("splat", Splat())


def envelope_of(events: Events) -> Envelope:
    """The envelope of their noise; it was checked when they were made."""
    envelope: Envelope = events.settings["envelope"]
    return envelope


def _scaled(events: Events, which: NDArray[np.bool_], factors: dict[str, float]) -> Floats:
    rows = events.parameters.astype(np.float64)
    for name, factor in factors.items():
        rows[which, PLACES[name]] *= factor
    return _held(rows.astype(np.float32), events.channels)


def _held(rows: Floats, channels: int) -> Floats:
    """Within what can be rendered: a change that leads out of it goes as far as it can."""
    for name, (low, high) in RANGES.items():
        if name != "pan" or channels == 2:
            rows[:, PLACES[name]] = np.clip(rows[:, PLACES[name]], low, high)
    rows[:, FIRST:LAST] = np.clip(rows[:, FIRST:LAST], -BESIDE, BESIDE)
    return rows
