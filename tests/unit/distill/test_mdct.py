"""The MDCT and its parameterisation: reconstruction, the noise between the stored cells, level and peak."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.distill.lapped_transform import inverse_mdct, mdct
from distrack.distill.parameterisations import PARAMETERISATIONS, Parameterisation, Plan, Stored
from distrack.errors import ConfigError
from distrack.validation import from_preset

Start = Callable[..., Distiller]
Config = Callable[..., DistillConfig]
SAMPLES = 8_000


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# The transform


@pytest.mark.parametrize("samples", [512, 513, 1_600, 4_003, 16_000, 16_001])
@pytest.mark.parametrize("bins", [128, 256, 512])
def test_all_cells_give_the_sound_back_and_hold_its_energy(samples: int, bins: int) -> None:
    waves = normal(3, samples)
    cells = mdct(waves, bins)
    assert cells.shape == (3, math.ceil(samples / bins), bins)
    torch.testing.assert_close(inverse_mdct(cells, samples), waves, atol=1e-5, rtol=0)
    torch.testing.assert_close(cells.square().sum((1, 2)), waves.square().sum(1), rtol=1e-5, atol=0)


def test_inner_cells_are_those_of_the_definition() -> None:
    bins, waves = 16, normal(2, 16 * 6)
    time, cell = torch.arange(2 * bins, dtype=torch.float64), torch.arange(bins, dtype=torch.float64)
    window = (math.pi / (2 * bins) * (time + 0.5)).sin()
    cosines = (math.pi / bins * (time[:, None] + 0.5 + bins / 2) * (cell + 0.5)).cos() * math.sqrt(2 / bins)
    # Its sign aside. A block is the middle of a frame, which begins half a block before it.
    frames = waves[:, bins // 2 : -bins // 2].double().unfold(1, 2 * bins, bins)
    torch.testing.assert_close(
        mdct(waves, bins)[:, 1:-1].double().abs(), (frames * window @ cosines).abs(), atol=1e-5, rtol=0
    )


def test_a_tone_is_in_the_cells_of_its_frequency() -> None:
    tone = (2 * math.pi * 1_000 / 16_000 * torch.arange(16_000)).sin()[None]
    energy = mdct(tone, 256)[0, 2:-2].square().sum(0)
    # 31.25 Hz a cell.
    assert energy[30:34].sum() > 0.99 * energy.sum()


# The parameterisation


def form(*, classes: int = 2, ipc: int = 1, factor: int = 4, samples: int = SAMPLES) -> Parameterisation:
    return PARAMETERISATIONS["mdct"](Plan(classes, ipc, factor, (samples,), samples + 1))


def hiss(count: int, seed: int = 0, level: float = 0.05) -> Tensor:
    """Noise that becomes louder in time, and a tone of half its level."""
    time = torch.arange(SAMPLES) / SAMPLES
    return level * (0.1 + time) * normal(count, SAMPLES, seed=seed) + 0.5 * level * (2_500 * time).sin()


def examples() -> Iterator[tuple[Tensor, Tensor]]:
    for label in range(2):
        yield hiss(6, seed=label + 1), torch.full((6,), label)


def kept(tracks: Tensor, **plan: Any) -> tuple[Parameterisation, Tensor, Stored]:
    """The parameterisation, and the parameters and constants of these tracks."""
    kind = form(**plan)
    stored = kind.store(tracks, examples)
    return kind, stored.pop("parameters"), stored


def decibels(power: Tensor) -> Tensor:
    return 10 * power.log10()


def test_a_track_has_the_level_of_its_clip_at_every_time_and_frequency() -> None:
    tracks = hiss(8)
    kind, parameters, constants = kept(tracks)
    rendered = kind.render(parameters, constants)
    levels = [
        mdct(waves, 250).square().unflatten(1, (4, -1)).unflatten(3, (5, -1)).mean((2, 4))
        for waves in (rendered, tracks)
    ]
    # Sixteenths of a track have 800 cells or fewer: noise in each is off by half a decibel.
    assert (decibels(levels[0]) - decibels(levels[1])).abs().max() < 2


def test_the_stored_cells_are_those_of_the_clip() -> None:
    tracks = hiss(8)
    kind, parameters, constants = kept(tracks)
    positions = constants["positions"].long().repeat_interleave(4, 0)
    # The last block is cut off with the noise in it.
    inner = positions < 30 * 256
    rendered, own = (
        mdct(waves, 256).flatten(1).gather(1, positions) for waves in (kind.render(parameters, constants), tracks)
    )
    torch.testing.assert_close(rendered[inner], own[inner], atol=1e-4, rtol=1e-3)


def test_the_noise_is_the_one_of_the_stored_seed() -> None:
    kind, parameters, constants = kept(hiss(8))
    assert constants["seeds"].dtype == torch.int64
    torch.manual_seed(1)
    rendered = kind.render(parameters, constants)
    torch.manual_seed(2)
    assert torch.equal(kind.render(parameters, constants), rendered)
    other = kind.render(parameters, {**constants, "seeds": constants["seeds"] + 1})
    assert not torch.allclose(other, rendered, atol=1e-3)
    # Classes have noises of their own.
    assert len(set(constants["seeds"].tolist())) == 2


def test_no_track_clips_however_loud_its_numbers_are() -> None:
    kind, parameters, constants = kept(hiss(8))
    for louder in (1.0, 10.0, 1e6):
        loud = (louder * parameters).requires_grad_()
        rendered = kind.render(loud, constants)
        assert rendered.abs().max() <= 0.951
        (gradient,) = torch.autograd.grad(rendered.square().sum(), loud)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("scale", [0.02, 1.0, 50.0])
def test_a_track_of_any_level_is_rendered_within_2_db_of_its_class(scale: float) -> None:
    kind, parameters, constants = kept(scale * hiss(8))
    level = hiss(6, seed=1).square().mean()
    assert (decibels(kind.render(parameters, constants).square().mean(1)) - decibels(level)).abs().max() < 2.3


def test_noise_is_stored_at_the_level_of_the_class() -> None:
    kind, parameters, constants = kept(normal(8, SAMPLES))
    level = hiss(6, seed=1).square().mean()
    assert (decibels(kind.render(parameters, constants).square().mean(1)) - decibels(level)).abs().max() < 2.3


def test_silence_is_stored_and_moves() -> None:
    kind = form()

    def silent() -> Iterator[tuple[Tensor, Tensor]]:
        yield torch.zeros(4, SAMPLES), torch.tensor([0, 0, 1, 1])

    stored = kind.store(torch.zeros(8, SAMPLES), silent)
    sizes = kind.sizes(stored, silent)
    assert sizes is not None
    assert (sizes > 0).all()
    parameters = stored.pop("parameters").requires_grad_()
    rendered = kind.render(parameters, stored)
    assert rendered.abs().max() < 1e-4
    (gradient,) = torch.autograd.grad(rendered.square().sum(), parameters)
    assert gradient.isfinite().all()


def test_a_silent_clip_stays_silent_in_a_class_of_sounds() -> None:
    kind, parameters, constants = kept(torch.cat([torch.zeros(1, SAMPLES), hiss(7)]))
    levels = decibels(kind.render(parameters, constants).square().mean(1))
    assert levels[0] < -60
    assert (levels[1:] > -35).all()


@pytest.mark.parametrize(
    "settings", [{"learning_rate": 1000.0}, {"learning_rate": 1000.0, "optimiser": "sgd"}, {"initialisation": "noise"}]
)
def test_no_step_makes_a_number_that_is_none(start: Start, settings: dict[str, Any]) -> None:
    distiller = start(domain="waveform", parameterisation="mdct", steps=4, regression=1.0, **settings)
    records = list(distiller)
    assert all(record.loss is not None and math.isfinite(record.loss) for record in records)
    made = distiller.synthetic_set()
    assert made.parameters.isfinite().all()
    assert made.render().abs().max() <= 0.951


def test_a_file_of_cells_renders_alone(start: Start, tmp_path: Path) -> None:
    made = start(domain="waveform", parameterisation="mdct", factor=4).synthetic_set()
    (tmp_path / "set").write_bytes(made.to_bytes())
    read = SyntheticSet.load(tmp_path / "set")
    assert torch.equal(read.render(), made.render())
    assert read.floats_per_class == made.floats_per_class <= made.config.plan(3).budget
    moved = replace(read, constants={**read.constants, "seeds": read.constants["seeds"] + 1})
    assert not torch.equal(moved.render(), made.render())


def test_a_track_shorter_than_a_frame_is_refused(tiny: Config) -> None:
    with pytest.raises(ValueError, match="511 samples is shorter than a frame of 512; choose a longer duration"):
        form(samples=511).check()
    form(samples=512, factor=1).check()
    with pytest.raises(ValueError, match="factor 32: each of so many tracks would have no cell"):
        form(samples=512, factor=32).check()
    asked = {**tiny().model_dump(exclude={"factor"}), "domain": "spectral", "parameterisation": "mdct"}
    with pytest.raises(ConfigError, match="mdct is not for domain spectral"):
        from_preset(DistillConfig, asked)
