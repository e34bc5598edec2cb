"""The stored numbers of a splat, and the sound that they stand for."""

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Doubles, Floats
from distrack.decompose.events import Column
from distrack.decompose.synthesis.burst import MOST_NUMBERS
from distrack.decompose.synthesis.sounds import PAN, Sounds, assembled, pan_gains

HARMONICS = 4

COLUMNS = (
    Column("time", "s", "onset of the event", -1e5, 1e5),
    Column("frequency", "Hz", "pitch of the resonance at its loudest", 1e-3, 1e7, "geometric"),
    Column("amplitude", "", "sum of the peaks of resonance and burst", 0, 1e6),
    Column("mix", "", "share of the resonance in the amplitude; the rest is the burst of noise", 0, 1),
    Column("attack", "s", "time constant of the resonance's rise", 1e-5, 1e4, "geometric"),
    Column("decay", "s", "time constant of the resonance's fall", 1e-5, 1e4, "geometric"),
    Column("damping", "1/s", "how much faster each higher harmonic falls, as under a closing low-pass", 0, 1e6),
    Column("bend", "", "how far the frequency moves while the event sounds, as a share", -0.9, 9.0),
    # The noise of an event is rendered in one piece, so its length is limited.
    Column("burst", "s", "time constant of the noise", 1e-5, 4.0, "geometric"),
    Column("centre", "Hz", "middle of the noise's band", 1e-3, 1e7, "geometric"),
    Column("width", "octaves", "standard deviation of the noise's band", 1e-3, 20, "geometric"),
    Column("noise", "", "number of the noise; equal numbers give equal noise", 0, MOST_NUMBERS - 1, "whole"),
    Column("phase", "rad", "phase of the first harmonic at the onset", -1e4, 1e4, "angle"),
    *(
        Column(
            f"{part} {k}", "", f"{part} part of harmonic {k} relative to the first, at {k} times its phase", -1e6, 1e6
        )
        for k in range(2, HARMONICS + 1)
        for part in ("cosine", "sine")
    ),
)
PLACES = {column.name: place for place, column in enumerate((*COLUMNS, PAN))}
# Columns of the relative harmonics.
FIRST, LAST = PLACES["cosine 2"], PLACES[f"sine {HARMONICS}"] + 1
# The first harmonic counts as at least this share of all, so that the others can be stored relative to it.
FAINTEST = 1e-3


def sounds_of_rows(rows: Tensor, *, sample_rate: int) -> Sounds:
    """The sounds that stored rows stand for; differentiable.

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
        gains=pan_gains(column.get("pan"), len(rows)),
        sample_rate=sample_rate,
    )


def stored_harmonics(harmonics: Doubles) -> tuple[Doubles, Doubles, Floats]:
    """Norm of all harmonics, phase of the first one, and the others relative to it, as they are stored.

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
