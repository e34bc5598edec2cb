"""Resonances: decaying harmonics of many events, added up tile by tile; differentiable, its gradient written out."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Samples of a tile: so few that the angle within one is exact in float32, so many that torch's own cost vanishes.
TILE = 1024
# Tiles rendered at once: what they need stays in the processor's cache.
AT_ONCE = 64
# An event ends when it has fallen this far below its peak: 80 dB.
END = 9.2
# Order of the rise: the burst's envelope starts with this power of time.
ORDER = 2


class Resonances(NamedTuple):
    """What is rendered of events; float64, for an angle after minutes must still be right.

    The envelope is (1 - exp(-t/attack))^2 exp(-t/decay), as loud at its peak as the harmonics say: a hit where the
    attack is short beside the decay, a gamma bump where it is long. Harmonic k dies faster, by exp(-(k-1) damping t).
    The frequency goes from `frequency` to `frequency (1 + bend)` as 1 - exp(-t/settling).

    Attributes:
        onset: in seconds, anywhere between two samples.
        attack, decay: time constants in seconds.
        damping: of each further harmonic, in 1/s.
        frequency: of the first harmonic at the onset, in Hz.
        bend: share of the frequency by which it moves.
        settling: time constant of the bend, in seconds.
        harmonics: cosine and sine part of each.
        gains: into each channel.

    Shape:
        - harmonics: ``[events, harmonics, 2]``
        - gains: ``[events, channels]``
        - all others: ``[events]``
    """

    onset: Tensor
    attack: Tensor
    decay: Tensor
    damping: Tensor
    frequency: Tensor
    bend: Tensor
    settling: Tensor
    harmonics: Tensor
    gains: Tensor


def resonate(resonances: Resonances, *, sample_rate: int, samples: int) -> Tensor:
    """The sum of all resonances in float32, with gradients to all of their numbers.

    Shape:
        - returns: ``[channels, samples]``
    """
    attack, decay = resonances.attack, resonances.decay
    risen = ORDER * decay / (attack + ORDER * decay)
    log_peak = ORDER * torch.log(risen) + attack / decay * torch.log1p(-risen)
    turns = 2 * torch.pi * resonances.frequency
    summed: Tensor = _Sum.apply(
        resonances.onset,
        1 / attack,
        1 / decay,
        resonances.damping,
        turns * (1 + resonances.bend),
        turns * resonances.bend * resonances.settling,
        1 / resonances.settling,
        resonances.harmonics * torch.exp(-log_peak)[:, None, None],
        resonances.gains,
        sample_rate,
        samples,
    )
    return summed


def length(resonances: Resonances) -> Tensor:
    """Seconds from the onset until an event has died away, ``[events]``."""
    attack, decay = resonances.attack.detach(), resonances.decay.detach()
    return attack * torch.log1p(ORDER * decay / attack) + END * decay


def _tiles(onset: Tensor, end: Tensor, *, sample_rate: int, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Event and place of every tile of the clip that an event sounds in, some at once; never the whole list."""
    last = -(-samples // TILE) - 1
    first = torch.clamp(torch.floor(onset * sample_rate / TILE), 0, last + 1).long()
    final = torch.clamp(torch.floor(end * sample_rate / TILE), -1, last).long()
    counts = torch.clamp(final - first + 1, min=0)
    whole = torch.cumsum(counts, 0)
    begun = whole - counts
    for at in range(0, int(counts.sum()), AT_ONCE):
        number = torch.arange(at, min(at + AT_ONCE, int(whole[-1])))
        event = torch.searchsorted(whole, number, right=True)
        yield event, first[event] + number - begun[event]


class _Block(NamedTuple):
    """One block of tiles as far as both directions need it, each ``[tiles, TILE]``."""

    time: Tensor
    envelope: Tensor
    risen: Tensor
    bent: Tensor
    cosine: Tensor
    sine: Tensor
    radius: Tensor


def _block(numbers: tuple[Tensor, ...], event: Tensor, tile: Tensor, sample_rate: int) -> _Block:
    onset, rise, fall, damping, omega, swing, settle = (number[event] for number in numbers)
    base = tile.double() * (TILE / sample_rate) - onset
    angle = torch.remainder(omega * base, 2 * torch.pi).float()[:, None]
    local = torch.arange(TILE, dtype=torch.float32) / sample_rate
    time = base.float()[:, None] + local
    begun = time > 0
    time = time.clamp_(min=0)
    risen = torch.expm1(time * -rise.float()[:, None]).neg_()
    envelope = torch.exp(time * -fall.float()[:, None]).mul_(risen).mul_(risen).mul_(begun)
    angle = angle + omega.float()[:, None] * local
    bent = torch.expm1(time * -settle.float()[:, None])
    if bool(swing.any()):
        angle = torch.addcmul(angle, swing.float()[:, None], bent)
    radius = torch.exp(time * -damping.float()[:, None])
    return _Block(time, envelope, risen, bent, torch.cos(angle), torch.sin(angle), radius)


class _Sum(torch.autograd.Function):
    """Sum over events; both directions go over blocks of tiles, and nothing of the size of a sound is kept between."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *numbers, harmonics, gains, sample_rate, samples = given
        onset, rise, fall = numbers[:3]
        end = onset + torch.log1p(ORDER * rise / fall) / rise + END / fall
        ctx.save_for_backward(*numbers, harmonics, gains, end)
        ctx.size = sample_rate, samples
        heard = torch.zeros(gains.shape[1], -(-samples // TILE), TILE)
        parts, mix = harmonics.float(), gains.float()
        for event, tile in _tiles(onset, end, sample_rate=sample_rate, samples=samples):
            block = _block(tuple(numbers), event, tile, sample_rate)
            here = parts[event]
            # Horner's rule in complex numbers: harmonic k is the first one's turning pointer to the k.
            real, imaginary = here[:, -1, 0, None], here[:, -1, 1, None]
            right, up = block.radius * block.cosine, block.radius * block.sine
            for k in range(harmonics.shape[1] - 2, -1, -1):
                real, imaginary = (
                    torch.addcmul(real * right, imaginary, up, value=-1).add_(here[:, k, 0, None]),
                    torch.addcmul(real * up, imaginary, right).add_(here[:, k, 1, None]),
                )
            wave = torch.addcmul(real * block.cosine, imaginary, block.sine, value=-1).mul_(block.envelope)
            for channel, one in enumerate(heard):
                one.index_add_(0, tile, wave * mix[event, channel, None])
        return heard.flatten(1)[:, :samples].contiguous()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Any:
        *numbers, harmonics, gains, end = ctx.saved_tensors
        sample_rate, samples = ctx.size
        count, channels = gains.shape
        padded = torch.nn.functional.pad(above[0], (0, -samples % TILE)).unflatten(1, (-1, TILE))
        parts, mix = harmonics.float(), gains.float()
        order = harmonics.shape[1]
        found = torch.zeros(count, len(numbers) + 2 * order + channels, dtype=torch.float64)
        for event, tile in _tiles(numbers[0], end, sample_rate=sample_rate, samples=samples):
            block = _block(tuple(numbers), event, tile, sample_rate)
            each = [padded[channel, tile] for channel in range(channels)]
            wanted = sum((one * mix[event, channel, None] for channel, one in enumerate(each)), torch.zeros(()))
            weight = wanted * block.envelope
            right, up = block.radius * block.cosine, block.radius * block.sine
            real, imaginary = block.cosine, block.sine
            columns: list[Tensor] = []
            # The sum over harmonics, and the same weighted by k: all other derivatives are made of these two.
            whole = [torch.zeros(()), torch.zeros(()), torch.zeros(()), torch.zeros(())]
            for k in range(order):
                cosine, sine = parts[event, k, 0, None], parts[event, k, 1, None]
                columns += [_dot(weight, real), -_dot(weight, imaginary)]
                along = torch.addcmul(real * cosine, imaginary, sine, value=-1)
                across = torch.addcmul(real * sine, imaginary, cosine)
                for place, part in enumerate((along, across)):
                    whole[place] = whole[place] + part
                    whole[place + 2] = torch.add(whole[place + 2], part, alpha=k + 1)
                if k + 1 < order:
                    real, imaginary = (
                        torch.addcmul(real * right, imaginary, up, value=-1),
                        torch.addcmul(real * up, imaginary, right),
                    )
            wave, turned = weight * whole[0], weight * whole[3]
            _, rise, fall, damping, omega, swing, settle = (number[event].float() for number in numbers)
            aged, damped = wave * block.time, weight * (whole[2] - whole[0]) * block.time
            # d/dt of log envelope; risen vanishes at the onset only, where the envelope does too.
            steep = wave * (1 - block.risen) / block.risen.clamp(min=1e-12) * ORDER
            steep_sum, wave_sum, turned_sum = steep.sum(1), wave.sum(1), turned.sum(1)
            swung = _dot(turned, block.bent)
            moved = rise * steep_sum - fall * wave_sum - damping * (weight * (whole[2] - whole[0])).sum(1)
            moved = moved - omega * turned_sum + swing * settle * (swung + turned_sum)
            base = (tile.double() * (TILE / sample_rate)).float() - numbers[0][event].float()
            local = torch.arange(TILE, dtype=torch.float32) / sample_rate
            columns = [
                -moved,
                _dot(steep, block.time),
                -aged.sum(1),
                -damped.sum(1),
                -(base * turned_sum + turned @ local),
                -swung,
                swing * _dot(turned * (block.bent + 1), block.time),
                *columns,
                *(_dot(block.envelope * whole[0], one) for one in each),
            ]
            found.index_add_(0, event, torch.stack(columns, 1).double())
        return (
            *found[:, : len(numbers)].unbind(1),
            found[:, len(numbers) : len(numbers) + 2 * order].unflatten(1, (order, 2)),
            found[:, len(numbers) + 2 * order :],
            None,
            None,
        )


def _dot(one: Tensor, other: Tensor) -> Tensor:
    # A product and a sum are many times faster here than the same as a matrix product.
    return (one * other).sum(1)
