"""Resonances: the sum of many events' decaying harmonics, rendered tile by tile, with a gradient written by hand."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Samples of a tile: few enough for an exact angle in float32, and enough to hide the overhead of torch.
TILE = 1024
# Tiles rendered at once, so that their arrays stay in the processor's cache.
AT_ONCE = 64
# An event ends this many decay times after its peak, when it has fallen by 80 dB.
END = 9.2
# Order of the rise: the envelope begins with this power of time.
ORDER = 2


class Resonances(NamedTuple):
    """Resonances in float64, in which an angle is still exact after minutes.

    The envelope is (1 - exp(-t/attack))^2 exp(-t/decay), scaled to a peak of 1: a hit if the attack is short compared
    with the decay, a gamma bump if it is long. Harmonic k falls faster, by exp(-(k-1) damping t). The frequency moves
    from `frequency` to `frequency (1 + bend)` as 1 - exp(-t/settling).

    Attributes:
        onset: in seconds; it may lie between two samples.
        attack, decay: time constants in seconds.
        damping: how much faster each higher harmonic falls, in 1/s.
        frequency: frequency of the first harmonic at the onset, in Hz.
        bend: share of the frequency by which it moves.
        settling: time constant of the bend, in seconds.
        harmonics: cosine and sine part of each harmonic.

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
    """The sum of all resonances in float32, differentiable with respect to all of their numbers.

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


def _tiles(onset: Tensor, end: Tensor, *, sample_rate: int, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of pairs of an event and a tile of the clip in which it sounds: their numbers, ``[pairs]`` each."""
    last = -(-samples // TILE) - 1
    first = torch.clamp(torch.floor(onset * sample_rate / TILE), 0, last + 1).long()
    final = torch.clamp(torch.floor(end * sample_rate / TILE), -1, last).long()
    counts = torch.clamp(final - first + 1, min=0)
    last_pairs = torch.cumsum(counts, 0)
    first_pairs = last_pairs - counts
    for at in range(0, int(counts.sum()), AT_ONCE):
        number = torch.arange(at, min(at + AT_ONCE, int(last_pairs[-1])))
        event = torch.searchsorted(last_pairs, number, right=True)
        yield event, first[event] + number - first_pairs[event]


class _Block(NamedTuple):
    """A block of tiles, as the forward and the backward pass both need it; each ``[tiles, TILE]``."""

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
    sounding = time > 0
    time = time.clamp_(min=0)
    risen = torch.expm1(time * -rise.float()[:, None]).neg_()
    envelope = torch.exp(time * -fall.float()[:, None]).mul_(risen).mul_(risen).mul_(sounding)
    angle = angle + omega.float()[:, None] * local
    bent = torch.expm1(time * -settle.float()[:, None])
    if bool(swing.any()):
        angle = torch.addcmul(angle, swing.float()[:, None], bent)
    radius = torch.exp(time * -damping.float()[:, None])
    return _Block(time, envelope, risen, bent, torch.cos(angle), torch.sin(angle), radius)


class _Sum(torch.autograd.Function):
    """Sum over events. Both passes go over blocks of tiles, and store nothing as large as a sound in between."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        *numbers, harmonics, gains, sample_rate, samples = given
        onset, rise, fall = numbers[:3]
        end = onset + torch.log1p(ORDER * rise / fall) / rise + END / fall
        ctx.save_for_backward(*numbers, harmonics, gains, end)
        ctx.size = sample_rate, samples
        total = torch.zeros(gains.shape[1], -(-samples // TILE), TILE)
        parts, mix = harmonics.float(), gains.float()
        for event, tile in _tiles(onset, end, sample_rate=sample_rate, samples=samples):
            block = _block(tuple(numbers), event, tile, sample_rate)
            here = parts[event]
            # Horner's rule in complex numbers: harmonic k is the k-th power of the first harmonic's rotation.
            real, imaginary = here[:, -1, 0, None], here[:, -1, 1, None]
            right, up = block.radius * block.cosine, block.radius * block.sine
            for k in range(harmonics.shape[1] - 2, -1, -1):
                real, imaginary = (
                    torch.addcmul(real * right, imaginary, up, value=-1).add_(here[:, k, 0, None]),
                    torch.addcmul(real * up, imaginary, right).add_(here[:, k, 1, None]),
                )
            wave = torch.addcmul(real * block.cosine, imaginary, block.sine, value=-1).mul_(block.envelope)
            for channel, one in enumerate(total):
                one.index_add_(0, tile, wave * mix[event, channel, None])
        return total.flatten(1)[:, :samples].contiguous()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Any:
        *numbers, harmonics, gains, end = ctx.saved_tensors
        sample_rate, samples = ctx.size
        count, channels = gains.shape
        padded = torch.nn.functional.pad(above[0], (0, -samples % TILE)).unflatten(1, (-1, TILE))
        parts, mix = harmonics.float(), gains.float()
        order = harmonics.shape[1]
        gradients = torch.zeros(count, len(numbers) + 2 * order + channels, dtype=torch.float64)
        for event, tile in _tiles(numbers[0], end, sample_rate=sample_rate, samples=samples):
            block = _block(tuple(numbers), event, tile, sample_rate)
            each = [padded[channel, tile] for channel in range(channels)]
            gradient = sum((one * mix[event, channel, None] for channel, one in enumerate(each)), torch.zeros(()))
            weight = gradient * block.envelope
            right, up = block.radius * block.cosine, block.radius * block.sine
            real, imaginary = block.cosine, block.sine
            columns: list[Tensor] = []
            # Real and imaginary part of the sum over harmonics, and of the sum weighted by k: all other derivatives are
            # made of these.
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
            # Derivative of the logarithm of the rise; the rise is 0 at the onset only, where the envelope is 0 too.
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
            gradients.index_add_(0, event, torch.stack(columns, 1).double())
        return (
            *gradients[:, : len(numbers)].unbind(1),
            gradients[:, len(numbers) : len(numbers) + 2 * order].unflatten(1, (order, 2)),
            gradients[:, len(numbers) + 2 * order :],
            None,
            None,
        )


def _dot(one: Tensor, other: Tensor) -> Tensor:
    # A product and a sum are many times faster here than the same as a matrix product.
    return (one * other).sum(1)
