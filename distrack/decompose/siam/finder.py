"""Finds events one after another: what the network proposes is fitted to the samples and subtracted."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy
import torch
from numpy.typing import NDArray

from distrack.arrays import Complex, Doubles, Floats
from distrack.decompose.siam import detector
from distrack.decompose.siam.detector import BINS_PER_OCTAVE, HOP, LOWEST
from distrack.decompose.siam.fitting import Burst, Tone, fit_burst, fit_tone, without
from distrack.decompose.siam.model import Model
from distrack.decompose.siam.rows import COLUMNS, HARMONICS, PLACES, TIMBRES, sounds_of_rows
from distrack.decompose.siam.scenes import RATE
from distrack.decompose.siam.timbre import Description, tilt
from distrack.decompose.synthesis.clip import Clip
from distrack.decompose.synthesis.resonance import END
from distrack.decompose.synthesis.sounds import mixed

# The network hears so many samples at once, of which the outer ones on both sides are context.
WINDOW, CONTEXT = 64 * HOP, 12 * HOP
# Proposals that are fitted before the network hears what they leave, and most of them that become events.
PROPOSALS, TAKEN = 5, 3
# A proposal next to an event found before, within so many seconds and octaves, is a part of that event.
SAME_TIME, SAME_PITCH = 0.05, 1 / 24
# A proposal with a lower logit is not fitted.
UNLIKELY = -9.0
# An event that removes less than this share of the clip's energy is none, and the search ends at a residual below it.
LEAST, NOTHING = 1e-5, 1e-8
# A proposal counts as much as it still removes this share of what it removed before others were subtracted.
STILL = 0.7
# A proposal with a higher share of noise is fitted as a burst of noise.
NOISY = 0.5
# Share of its energy in multiples of one harmonic from which on a tone has their pitch, if a tone of that pitch removes
# about as much energy.
ALONE, AS_GOOD = 0.95, 0.9
# How much the network's score counts beside the energy removed.
TRUST = 2.0
# A proposal at the pitch of an event that fell for less than so many decays counts this much.
LEFT, AGAIN = 4.0, 0.1


class Proposal(NamedTuple):
    """What the network proposes: an onset in seconds, a pitch in Hz, a share of noise, and the logit of its score."""

    time: float
    frequency: float
    noise: float
    score: float


class Fit(NamedTuple):
    """A proposal fitted to the samples.

    Attributes:
        row: the event as it is stored, ``[17]``.
        left: the residual without it from sample `first` on.
        energy: what it removes from the residual.
        described: what was measured of it.
    """

    row: Floats
    first: int
    left: Doubles
    energy: float
    described: Description


class Finder:
    """Finds the events of one clip, those that remove the most energy first.

    Attributes:
        residual: the clip minus all events found, at 16 kHz, ``[samples]``.
        found: the events found.
        over: whether there are enough, or none is left to find.

    Shape:
        - wave: ``[samples]``, at 16 kHz
    """

    def __init__(self, wave: Floats, model: Model, *, events: int) -> None:
        self.model, self.most = model, events
        self.residual = wave.astype(np.float64)
        self.energy = float(np.square(self.residual).sum())
        self.found: list[Floats] = []
        self.described: list[Description] = []
        self.blocked: list[tuple[float, float]] = []
        self.over = self.energy <= 0
        # Proposals by the first sample of their window.
        self._heard: dict[int, list[Proposal]] = {}

    def find(self) -> None:
        """Adds a few events: of the best proposals those that remove the most energy."""
        fits = [(fit, one) for one in self._proposals() if (fit := self.fit(one)) is not None]
        taken = 0
        for fit, proposal in sorted(fits, key=lambda pair: -self._worth(*pair)):
            if taken == TAKEN or len(self.found) == self.most:
                break
            again = fit if taken == 0 else self.fit(proposal)
            if again is None or again.energy < STILL * fit.energy:
                continue
            self.blocked.append((proposal.time, proposal.frequency))
            if again.energy >= LEAST * self.energy:
                self._take(again)
                taken += 1
        left = float(np.square(self.residual).sum())
        self.over = not fits or len(self.found) >= self.most or left <= NOTHING * self.energy

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold what is needed to continue; what was measured of the events is not among them."""
        return {
            "residual": self.residual.copy(),
            "found": np.array(self.found, np.float32).reshape(-1, len(COLUMNS)),
            "blocked": np.array(self.blocked).reshape(-1, 2),
            "over": np.array([self.over]),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the state of another search of the same clip."""
        self.residual, self.found = state["residual"].copy(), list(state["found"].copy())
        self.blocked, self.over = [tuple(one) for one in state["blocked"].tolist()], bool(state["over"][0])
        self._heard = {}

    def _take(self, fit: Fit) -> None:
        last = fit.first + len(fit.left)
        self.residual[fit.first : last] = fit.left
        self._heard = {start: one for start, one in self._heard.items() if not fit.first - WINDOW < start < last}
        self.found.append(fit.row)
        self.described.append(fit.described)
        self.blocked.append((float(fit.row[PLACES["time"]]), float(fit.row[PLACES["frequency"]])))

    def _windows(self) -> Iterator[tuple[int, int, int]]:
        """Start of each window, and first and last sample of its own part."""
        samples = len(self.residual)
        if samples <= WINDOW:
            yield 0, 0, samples
            return
        own = WINDOW - 2 * CONTEXT
        for start in range(-CONTEXT, samples - CONTEXT, own):
            yield start, start + CONTEXT, min(start + CONTEXT + own, samples)

    def _proposals(self) -> list[Proposal]:
        """The likeliest proposals that are not next to an event found before."""
        found = []
        for start, first, last in self._windows():
            if start not in self._heard:
                self._heard[start] = self._hear(start)
            found += [one for one in self._heard[start] if first / RATE <= max(one.time, 0.0) < last / RATE]
        chosen: list[Proposal] = []
        for one in sorted(found, key=lambda one: -one.score):
            taken = (*self.blocked, *((other.time, other.frequency) for other in chosen))
            if not any(_same(one.time, one.frequency, *other) for other in taken):
                chosen.append(one)
                if len(chosen) == PROPOSALS:
                    break
        return chosen

    def _hear(self, start: int) -> list[Proposal]:
        """What the network proposes in the window that begins at a sample, which may lie before the clip."""
        before = max(-start, 0)
        piece = self.residual[max(start, 0) : start + WINDOW].astype(np.float32)
        padded = np.pad(piece, (before, WINDOW - before - len(piece)))
        with torch.no_grad():
            heard = self.model.detector(detector.levels_of(detector.powers(torch.from_numpy(padded)[None])))
        score, late, high, noise = (one[0].numpy() for one in heard)
        peaks = (score == scipy.ndimage.maximum_filter(score, size=(5, 3))) & (score > UNLIKELY)
        proposals = []
        for pitch, frame in np.argwhere(peaks):
            at = pitch, frame
            time = (start + HOP * (frame + float(np.clip(late[at], -1, 1)))) / RATE
            place = pitch + float(np.clip(high[at], -0.7, 0.7))
            share = float(1 / (1 + np.exp(-noise[at])))
            proposals.append(Proposal(time, LOWEST * 2 ** (place / BINS_PER_OCTAVE), share, float(score[at])))
        return proposals

    def fit(self, proposal: Proposal) -> Fit | None:
        """The event nearest to the residual at a proposal; None if there is none."""
        if proposal.noise > NOISY:
            burst = fit_burst(self.residual, proposal.time, proposal.frequency)
            return None if burst is None else self._of_burst(burst)
        tone = fit_tone(self.residual, proposal.time, proposal.frequency)
        if tone is None:
            return None
        fit, multiple = self._of_tone(tone), only_multiples(tone.harmonics)
        if multiple > 1:
            higher = fit_tone(self.residual, proposal.time, multiple * tone.frequency)
            other = None if higher is None else self._of_tone(higher)
            if other is not None and (fit is None or other.energy > AS_GOOD * fit.energy):
                return other
        return fit

    def _worth(self, fit: Fit, proposal: Proposal) -> float:
        """What a proposal is ranked by: the energy that it removes, if the network is sure of it.

        Next to a pitch that sounds already, a proposal is likely what is left of that note, and counts less.
        """
        sure = float(1 / (1 + np.exp(-proposal.score))) ** TRUST
        again = any(
            0 <= proposal.time - row[PLACES["time"]] < LEFT * row[PLACES["decay"]] + 2 * row[PLACES["attack"]]
            and abs(np.log2(proposal.frequency / row[PLACES["frequency"]])) < SAME_PITCH
            for row in self.found
        )
        return float(fit.energy * sure * (AGAIN if again else 1.0))

    def _of_tone(self, tone: Tone) -> Fit | None:
        order = len(tone.harmonics)
        norm = float(np.sqrt(np.square(np.abs(tone.harmonics)).sum()))
        if norm <= 0:
            return None
        # The time of an event is the phase of its first harmonic, if there is one.
        phase = float(np.angle(tone.harmonics[0])) if abs(tone.harmonics[0]) > 0.02 * norm else 0.0
        turned = tone.harmonics * np.exp(-1j * phase * np.arange(1, order + 1)) / norm
        parts = torch.zeros(1, HARMONICS, 2)
        parts[0, :order] = torch.from_numpy(np.stack([turned.real, turned.imag], 1)).float()
        audible = torch.zeros(1, HARMONICS)
        audible[0, :order] = 1
        extra = torch.tensor([[np.log(tone.damping), 2.0, 0.0, -1.0]]).float()
        frequency = torch.tensor([tone.frequency]).float()
        described = Description(frequency, parts, audible, tilt(parts[:, :order]), torch.zeros(1), extra)
        onset = tone.onset - phase / (2 * np.pi * tone.frequency)
        row = self._row(described, onset, norm, tone.attack, tone.decay)
        first, sound = self._sound(row, (2.2 * tone.attack + END * tone.decay))
        if not len(sound):
            return None
        target = self.residual[first : first + len(sound)]
        power, product = float(np.square(sound).sum()), float(sound @ target)
        if product <= 0:
            return None
        gain = product / power
        row[PLACES["amplitude"]] *= gain
        return Fit(row, first, target - gain * sound, gain * product, described)

    def _of_burst(self, burst: Burst) -> Fit | None:
        extra = torch.tensor([[0.0, 0.0, np.log(burst.width), 0.0]]).float()
        frequency, zero = torch.tensor([burst.centre]).float(), torch.zeros(1)
        nothing = torch.zeros(1, HARMONICS, 2)
        described = Description(frequency, nothing, nothing[..., 0], zero, torch.ones(1), extra)
        row = self._row(described, burst.onset, burst.level, burst.time_constant, burst.time_constant)
        row[PLACES["noise"]] = 1
        first, sound = self._sound(row, 12.5 * burst.time_constant)
        if len(sound) < HOP:
            return None
        target = self.residual[first : first + len(sound)]
        left = without(target, sound)
        return Fit(row, first, left, float(np.square(target).sum() - np.square(left).sum()), described)

    def _row(self, described: Description, onset: float, level: float, attack: float, decay: float) -> Floats:
        row = np.zeros(len(COLUMNS), np.float32)
        values = {"time": onset, "frequency": float(described.frequency[0]), "amplitude": level}
        values |= {"attack": attack, "decay": decay, "brightness": float(described.brightness[0])}
        for name, value in values.items():
            row[PLACES[name]] = value
        with torch.no_grad():
            row[TIMBRES] = self.model.encoder(described)[0].numpy()
        return row

    def _sound(self, row: Floats, seconds: float) -> tuple[int, Doubles]:
        """First sample and samples of an event alone, within the clip."""
        first = max(0, int(np.floor(float(row[PLACES["time"]]) * RATE)) - 1)
        last = min(len(self.residual), first + int(seconds * RATE) + HOP)
        if last <= first:
            return first, np.zeros(0)
        moved = torch.from_numpy(row.astype(np.float64)[None])
        moved[0, PLACES["time"]] -= first / RATE
        with torch.no_grad():
            sounds = sounds_of_rows(moved, self.model.decoder, sample_rate=RATE)
            wave: Doubles = mixed(sounds, Clip(RATE, last - first, 0, "gamma"))[0].double().numpy()
        return first, wave


def only_multiples(harmonics: Complex) -> int:
    """The largest number of which all strong harmonics are multiples: their pitch is as many times higher.

    Shape:
        - harmonics: ``[harmonics]``

    >>> only_multiples(np.array([0.1, 1, 0.1, 2, 0, 1]) + 0j)
    2
    """
    energy = np.square(np.abs(harmonics))
    order = np.arange(1, len(energy) + 1)
    shares = [float(energy[order % multiple == 0].sum()) for multiple in order]
    return int(order[np.flatnonzero(np.array(shares) >= ALONE * energy.sum())[-1]]) if energy.sum() > 0 else 1


def _same(time: float, frequency: float, other_time: float, other_frequency: float) -> bool:
    return abs(time - other_time) < SAME_TIME and abs(np.log2(frequency / other_frequency)) < SAME_PITCH
