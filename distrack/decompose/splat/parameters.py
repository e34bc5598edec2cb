"""The numbers of an event as they are stored, and the sounds that they stand for."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.decompose.decomposer import Column
from distrack.decompose.splat.burst import Bursts, Envelope, burst
from distrack.decompose.splat.resonance import ORDER, Resonances, resonate

Floats = NDArray[np.float32]

HARMONICS = 4
# Share of half the sample rate over which a harmonic fades before it would be aliased.
FADE = 0.05

COLUMNS = (
    Column("time", "s", "when it begins"),
    Column("frequency", "Hz", "pitch of the resonance at its loudest"),
    Column("amplitude", "", "of resonance and burst together, at their peaks"),
    Column("mix", "", "share of the amplitude that resonates; the rest is heard as noise"),
    Column("attack", "s", "time constant of the resonance's rise"),
    Column("decay", "s", "time constant of the resonance's fall"),
    Column("damping", "1/s", "how much faster each further harmonic falls: a low-pass that closes"),
    Column("bend", "", "how far the frequency moves while it sounds, as a share"),
    Column("burst", "s", "time constant of the noise"),
    Column("centre", "Hz", "middle of the noise's band"),
    Column("width", "octaves", "deviation of the noise's band"),
    Column("noise", "", "number of the noise: the same number is the same noise"),
    Column("phase", "rad", "of the first harmonic when it begins"),
    *(
        Column(f"{part} {k}", "", f"{part} part of harmonic {k} beside the first, at the first one's phase times {k}")
        for k in range(2, HARMONICS + 1)
        for part in ("cosine", "sine")
    ),
)
PAN = Column("pan", "", "-1 is left, 0 the middle, 1 right")
PLACES = {column.name: place for place, column in enumerate((*COLUMNS, PAN))}
# Where the relative harmonics stand.
FIRST, LAST = PLACES["cosine 2"], PLACES[f"sine {HARMONICS}"] + 1
# A first harmonic is at least this share of all, so that the others can be told beside it.
FAINTEST = 1e-3


class Sounds(NamedTuple):
    """What events are to whoever renders them."""

    resonances: Resonances
    bursts: Bursts


def sounds(rows: Tensor, *, sample_rate: int) -> Sounds:
    """What stored rows stand for; differentiable.

    Shape:
        - rows: ``[events, 19]`` of a mono clip, ``[events, 20]`` of a stereo one; any float dtype
    """
    column = {name: rows[:, place].double() for name, place in PLACES.items() if place < rows.shape[1]}
    relative = rows[:, FIRST:LAST].double().unflatten(1, (HARMONICS - 1, 2))
    complete = torch.cat([torch.tensor([1.0, 0.0]).double().expand(len(rows), 1, 2), relative], 1)
    level = column["amplitude"] * column["mix"] / complete.square().sum((1, 2)).sqrt()
    turn = column["phase"][:, None] * torch.arange(1, HARMONICS + 1)
    real = complete[..., 0] * turn.cos() - complete[..., 1] * turn.sin()
    imaginary = complete[..., 0] * turn.sin() + complete[..., 1] * turn.cos()
    return assembled(
        column,
        harmonics=torch.stack([real, imaginary], 2) * level[:, None, None],
        level=column["amplitude"] * (1 - column["mix"]),
        gains=_gains(column.get("pan"), len(rows)),
        sample_rate=sample_rate,
    )


def assembled(
    column: dict[str, Tensor], *, harmonics: Tensor, level: Tensor, gains: Tensor, sample_rate: int
) -> Sounds:
    """Sounds from the columns that resonance and burst have as they are, and from what a fit holds in another form.

    Shape:
        - harmonics: ``[events, harmonics, 2]``
        - level: ``[events]``
        - gains: ``[events, channels]``
    """
    attack, decay, bend = column["attack"], column["decay"], column["bend"]
    settling = attack + decay
    begun = frequency_at_onset(frequency=column["frequency"], attack=attack, decay=decay, bend=bend)
    highest = begun * torch.clamp(1 + bend, min=1)
    multiples = highest.detach()[:, None] * torch.arange(1, HARMONICS + 1)
    heard = torch.clamp((sample_rate / 2 - multiples) / (FADE * sample_rate / 2), 0, 1)
    resonances = Resonances(
        onset=column["time"],
        attack=attack,
        decay=decay,
        damping=column["damping"],
        frequency=begun,
        bend=bend,
        settling=settling,
        harmonics=harmonics * heard[..., None],
        gains=gains,
    )
    bursts = Bursts(
        onset=column["time"],
        number=column["noise"],
        lasting=column["burst"],
        centre=column["centre"],
        width=column["width"],
        level=level,
        gains=gains,
    )
    return Sounds(resonances, bursts)


def frequency_at_onset(*, frequency: Tensor, attack: Tensor, decay: Tensor, bend: Tensor) -> Tensor:
    """From the pitch at the peak of the envelope; all ``[events]``, in Hz and s."""
    loudest = attack * torch.log1p(ORDER * decay / attack)
    return frequency / (1 - bend * torch.expm1(-loudest / (attack + decay)))


def _gains(pan: Tensor | None, count: int) -> Tensor:
    if pan is None:
        return torch.ones(count, 1, dtype=torch.float64)
    angle = (pan + 1) * (torch.pi / 4)
    return torch.stack([angle.cos(), angle.sin()], 1)


def add_up(given: Sounds, *, sample_rate: int, samples: int, seed: int, envelope: Envelope) -> Tensor:
    """The sum of all events, ``[channels, samples]``; differentiable."""
    tones = resonate(given.resonances, sample_rate=sample_rate, samples=samples)
    return tones + burst(given.bursts, sample_rate=sample_rate, samples=samples, seed=seed, envelope=envelope)


def stored_harmonics(harmonics: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], Floats]:
    """Norm of the harmonics, phase of the first, and the others beside it as the columns have them.

    Shape:
        - harmonics: ``[events, harmonics, 2]``
        - returns: ``[events]``, ``[events]`` and ``[events, 2 * (harmonics - 1)]``
    """
    pointers = harmonics[..., 0] + 1j * harmonics[..., 1]
    norm = np.sqrt(np.square(np.abs(pointers)).sum(1))
    first = np.maximum(np.abs(pointers[:, 0]), np.maximum(FAINTEST * norm, 1e-30))
    phase = np.angle(pointers[:, 0])
    relative = pointers[:, 1:] / first[:, None] * np.exp(-1j * phase[:, None] * np.arange(2, HARMONICS + 1))
    parts = np.stack([relative.real, relative.imag], 2).reshape(len(norm), 2 * (HARMONICS - 1))
    return norm, phase, parts.astype(np.float32)
