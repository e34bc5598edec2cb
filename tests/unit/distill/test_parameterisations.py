"""Parameterisations: tracks that are rendered from stored numbers, and the storage budget."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from distrack.audio import SAMPLE_RATE
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller
from distrack.distill.domains import DOMAINS
from distrack.distill.parameterisations import PARAMETERISATIONS, Parameterisation, Plan, Stored
from distrack.errors import ConfigError
from distrack.images import RealImages
from distrack.validation import from_preset

Images = Mapping[Split, RealImages]
Start = Callable[..., Distiller]
Config = Callable[..., DistillConfig]

SIZES: dict[str, list[tuple[int, ...]]] = {"spectral": [(1, 16, 32), (1, 12, 33)], "waveform": [(4_000,), (4_003,)]}
KINDS = [
    (domain, form) for domain, form in product(DOMAINS, PARAMETERISATIONS) if domain in PARAMETERISATIONS[form].domains
]
every_kind = pytest.mark.parametrize(("domain", "form"), KINDS)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def parameterisation(form: str, *, ipc: int = 1, factor: int | None = None, size: tuple[int, ...]) -> Parameterisation:
    """A parameterisation of three classes, by default with the usual factor; of a sound's image where it stores one."""
    kind = PARAMETERISATIONS[form]
    rendered = (1, 64, 64) if kind.stores_images and len(size) == 1 else size
    factor = kind.usual_factor(ipc) if factor is None else factor
    return kind(Plan(3, ipc, factor, rendered, clip_floats=math.prod(size) + 1))


def clips_of(size: tuple[int, ...], each: int = 5) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
    """Real clips of three classes, each in two batches."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for label in range(3):
            clips = normal(each, *size, seed=label + 1).cumsum(-1)
            for some in clips.split(3):
                yield some, torch.full((len(some),), label)

    return batches


def stored(form: Parameterisation, clips: int = 1_000) -> Stored:
    """Stored noise, the number of tracks for classes of that many clips."""
    size = form.plan.size
    return form.store(normal(3 * form.tracks(clips), *size), clips_of(size))


def rest_of(stored: Stored) -> tuple[Tensor, Stored]:
    """Parameters and constants."""
    rest = dict(stored)
    return rest.pop("parameters"), rest


# The budget


@every_kind
@pytest.mark.parametrize("ipc", [1, 3, 20])
def test_the_numbers_stored_for_a_class_use_the_budget_and_do_not_exceed_it(domain: str, form: str, ipc: int) -> None:
    for size, factor in product(SIZES[domain], PARAMETERISATIONS[form].factors):
        kind = parameterisation(form, ipc=ipc, factor=factor, size=size)
        budget = ipc * (math.prod(size) + 1)
        assert kind.plan.budget == budget
        for clips in (1_000, 7):
            kept = stored(kind, clips)
            rows, labels = len(kept["parameters"]), len(kept["parameters"]) // 3
            assert rows % 3 == 0
            used, left = divmod(sum(tensor.numel() for tensor in kept.values()), 3)
            assert left == 0 or PARAMETERISATIONS[form].shared
            used += labels + bool(left)
            assert used <= budget
            # The number is known before anything is stored.
            assert kind.floats(kind.tracks(clips)) == used
            # One number more would be too much: of every row, and of the choice where there is one.
            finest = {
                "identity": 1,
                "multiformation": ipc * factor * math.prod(size[:-1]),
                "dct": kind.tracks(clips) + 1,
                "mdct": kind.tracks(clips) + 1,
                "pca": kind.tracks(clips) + math.prod(size),
                "vocoder": kind.tracks(clips) + 1,
            }[form]
            assert budget - used < finest


@pytest.mark.parametrize("form", list(PARAMETERISATIONS))
def test_as_many_tracks_are_rendered_as_are_said(form: str) -> None:
    for factor in PARAMETERISATIONS[form].factors:
        size = (1, 16, 32) if "spectral" in PARAMETERISATIONS[form].domains else (4_000,)
        kind = parameterisation(form, ipc=2, factor=factor, size=size)
        parameters, rest = rest_of(stored(kind))
        rendered = kind.render(parameters, rest)
        assert len(rendered) == 3 * kind.tracks(1_000) == kind.tracks_per_row * len(parameters) == 3 * 2 * factor


def test_cosine_tracks_are_no_more_than_the_smallest_class_has_clips() -> None:
    kind = parameterisation("dct", ipc=2, factor=8, size=(1, 16, 32))
    assert [kind.tracks(clips) for clips in (1, 2, 9, 16, 500)] == [2, 2, 9, 16, 16]
    few, many = (stored(kind, clips)["positions"].shape[1] for clips in (4, 500))
    # The storage of those that are not there goes to those that are.
    assert few == (2 * 513 - 4) // 5
    assert many == (2 * 513 - 16) // 17


@pytest.mark.parametrize(("ipc", "factor", "tracks"), [(1, 8, 8), (1, 32, 32), (4, 8, 32), (4, 32, 32), (32, 1, 32)])
def test_a_distillation_of_32_clips_a_class_has_at_most_as_many_cosine_tracks(
    start: Start, ipc: int, factor: int, tracks: int
) -> None:
    distiller = start(parameterisation="dct", ipc=ipc, factor=factor)
    next(iter(distiller))
    made = distiller.synthetic_set()
    assert made.tracks_per_class == tracks
    assert made.labels.tolist() == [label for label in range(3) for _ in range(tracks)]
    budget = ipc * (16 * 32 + 1)
    assert budget - (tracks + 1) < made.floats_per_class <= budget


# Rendering


@pytest.mark.parametrize(("domain", "form"), [kind for kind in KINDS if kind[1] != "mdct"])
def test_rendering_is_linear_and_its_gradient_is_its_adjoint(domain: str, form: str) -> None:
    for size in SIZES[domain]:
        kind = parameterisation(form, ipc=2, size=size)
        parameters, rest = rest_of(stored(kind))
        other = normal(*parameters.shape, seed=1)
        rendered = kind.render(parameters, rest)
        assert rendered.shape[1:] == kind.plan.size
        torch.testing.assert_close(
            kind.render(2 * parameters - other, rest), 2 * rendered - kind.render(other, rest), rtol=1e-4, atol=1e-4
        )
        weights, free = normal(*rendered.shape, seed=2), parameters.clone().requires_grad_()
        (gradient,) = torch.autograd.grad((kind.render(free, rest) * weights).sum(), free)
        torch.testing.assert_close((gradient * parameters).sum(), (rendered * weights).sum(), rtol=1e-3, atol=1e-2)
        # Every stored number is used.
        assert gradient.all()


@every_kind
def test_a_class_and_a_row_are_rendered_from_their_own_numbers_alone(domain: str, form: str) -> None:
    kind = parameterisation(form, ipc=2, size=SIZES[domain][0])
    parameters, rest = rest_of(stored(kind))
    rendered = kind.render(parameters, rest)
    each, tracks = len(parameters) // 3, len(rendered) // 3
    for label in range(3):
        changed = parameters.clone()
        changed[label * each : (label + 1) * each] += 1
        touched = (kind.render(changed, rest) != rendered).flatten(1).any(1).view(3, tracks).any(1)
        assert touched.tolist() == [label == k for k in range(3)]
    # A step that moves only some tracks renders only some rows of each class.
    half = parameters.unflatten(0, (3, each))[:, each // 2 :].flatten(0, 1)
    expected = rendered.unflatten(0, (3, tracks))[:, tracks // 2 :].flatten(0, 1)
    torch.testing.assert_close(kind.render(half, rest), expected, rtol=1e-4, atol=1e-5)


@every_kind
def test_storing_and_rendering_do_not_change_the_tracks(domain: str, form: str) -> None:
    kind = parameterisation(form, ipc=2, size=SIZES[domain][0])
    tracks = normal(3 * kind.tracks(1_000), *kind.plan.size)
    before = tracks.clone()
    parameters, rest = rest_of(kind.store(tracks, clips_of(kind.plan.size)))
    assert parameters.is_contiguous()
    kind.render(parameters, rest)
    assert torch.equal(tracks, before)


def test_the_identity_stores_tracks_as_they_are() -> None:
    kind = parameterisation("identity", ipc=2, size=(1, 16, 32))
    tracks = normal(6, 1, 16, 32)
    parameters, rest = rest_of(kind.store(tracks, clips_of((1, 16, 32))))
    assert not rest
    assert torch.equal(parameters, tracks)
    assert torch.equal(kind.render(parameters, rest), tracks)


# Multi-formation


@pytest.mark.parametrize("factor", PARAMETERISATIONS["multiformation"].factors)
@pytest.mark.parametrize("frames", [32, 33, 63])
def test_a_piece_of_an_image_is_stretched_as_torch_interpolates(factor: int, frames: int) -> None:
    kind = parameterisation("multiformation", ipc=2, factor=factor, size=(1, 5, frames))
    piece = frames // factor
    parameters = normal(6, 1, 5, factor * piece)
    pieces = torch.cat([part for row in parameters.split(1) for part in row.split(piece, dim=3)])
    assert len(pieces) == 6 * factor
    expected = interpolate(pieces, size=(5, frames), mode="bilinear", align_corners=False)
    torch.testing.assert_close(kind.render(parameters, {}), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factor", PARAMETERISATIONS["multiformation"].factors)
def test_images_that_are_constant_in_time_are_rendered_unchanged_and_in_order(factor: int) -> None:
    kind = parameterisation("multiformation", ipc=2, factor=factor, size=(1, 5, 33))
    columns = normal(6 * factor, 1, 5, 1)
    images = columns.expand(-1, -1, -1, 33)
    parameters, rest = rest_of(kind.store(images, clips_of((1, 5, 33))))
    assert not rest
    torch.testing.assert_close(kind.render(parameters, rest), images, rtol=1e-5, atol=1e-5)


def test_a_slow_change_is_rendered_almost_unchanged_and_at_the_same_time() -> None:
    kind = parameterisation("multiformation", factor=4, size=(1, 1, 64))
    middles = torch.tensor([16.0, 32.0, 48.0]).repeat(4)
    images = torch.exp(-(((torch.arange(64.0) - middles[:, None]) / 10) ** 2)).view(12, 1, 1, 64)
    parameters, rest = rest_of(kind.store(images, clips_of((1, 1, 64))))
    rendered = kind.render(parameters, rest)
    assert (rendered - images).abs().max() < 0.1
    peaks = (rendered * torch.arange(64.0)).sum(3) / rendered.sum(3)
    torch.testing.assert_close(peaks.flatten(), middles, atol=0.6, rtol=0)


def tones(frequency: float, count: int, samples: int) -> Tensor:
    phases = torch.rand(count, 1, generator=torch.Generator().manual_seed(0)) * 2 * math.pi
    return 0.3 * torch.sin(2 * math.pi * frequency * torch.arange(samples) / SAMPLE_RATE + phases)


def loudest_frequency(waves: Tensor) -> Tensor:
    """Frequency of the highest peak in hertz, interpolated between bins."""
    samples = waves.shape[1]
    spectra: Tensor = torch.fft.rfft(waves * torch.hann_window(samples), n=8 * samples).abs()
    return spectra.argmax(1) * (SAMPLE_RATE / (8 * samples))


def level(waves: Tensor) -> Tensor:
    """RMS in dB, without the ends, where the resampler sees silence."""
    return 10 * waves[:, 500:-500].square().mean(1).log10()


@pytest.mark.parametrize("factor", PARAMETERISATIONS["multiformation"].factors)
@pytest.mark.parametrize("samples", [8_000, 8_003])
def test_a_steady_tone_keeps_its_pitch_and_its_level(factor: int, samples: int) -> None:
    kind = parameterisation("multiformation", ipc=1, factor=factor, size=(samples,))
    waves = tones(300, 3 * factor, samples)
    parameters, rest = rest_of(kind.store(waves, clips_of((samples,))))
    assert parameters.shape == (3, factor * (samples // factor))
    rendered = kind.render(parameters, rest)
    assert rendered.shape == waves.shape
    torch.testing.assert_close(loudest_frequency(rendered), torch.full((3 * factor,), 300.0), atol=1, rtol=0)
    assert (level(rendered) - level(waves)).abs().max() < 0.5
    # It keeps its place in time as well, up to the ripple of the filter.
    assert (level(rendered - waves) - level(waves)).max() < -25
    # A piece stores the tone at a lower rate, not a shorter tone.
    stored_pieces = parameters.reshape(3 * factor, -1)
    torch.testing.assert_close(
        loudest_frequency(stored_pieces), torch.full((3 * factor,), 300.0 * factor), atol=30, rtol=0
    )


@pytest.mark.parametrize("factor", PARAMETERISATIONS["multiformation"].factors)
def test_a_tone_above_the_stored_band_is_removed_and_not_aliased(factor: int) -> None:
    kind = parameterisation("multiformation", ipc=1, factor=factor, size=(8_000,))
    waves = tones(1.4 * SAMPLE_RATE / (2 * factor), 3 * factor, 8_000)
    parameters, rest = rest_of(kind.store(waves, clips_of((8_000,))))
    assert (level(kind.render(parameters, rest)) - level(waves)).max() < -40


# DCT


def cosines(size: int) -> Tensor:
    """The orthonormal DCT-II by its definition, ``[size, size]``."""
    basis = torch.cos(math.pi / size * torch.arange(size)[:, None] * (torch.arange(size) + 0.5)[None].double())
    basis[0] /= math.sqrt(2)
    return basis * math.sqrt(2 / size)


def transformed(images: Tensor) -> Tensor:
    bands, frames = images.shape[2:]
    coefficients: Tensor = cosines(bands) @ images.double() @ cosines(frames).T
    return coefficients.flatten(1)


def test_all_coefficients_of_an_image_in_any_order_render_the_image() -> None:
    kind = parameterisation("dct", ipc=2, size=(1, 12, 33))
    images = normal(6, 1, 12, 33)
    order = torch.stack([torch.randperm(396, generator=torch.Generator().manual_seed(label)) for label in range(3)])
    coefficients = transformed(images).float().unflatten(0, (3, 2))
    parameters = coefficients.gather(2, order[:, None].expand(-1, 2, -1)).flatten(0, 1)
    torch.testing.assert_close(kind.render(parameters, {"positions": order.int()}), images, rtol=1e-4, atol=1e-4)


def test_a_track_stores_its_coefficients_at_the_positions_of_its_class() -> None:
    kind = parameterisation("dct", ipc=2, factor=4, size=(1, 12, 33))
    tracks = normal(3 * 8, 1, 12, 33)
    parameters, rest = rest_of(kind.store(tracks, clips_of((1, 12, 33))))
    positions = rest["positions"].long()
    assert positions.shape == (3, parameters.shape[1])
    assert all(len(set(of_class.tolist())) == len(of_class) for of_class in positions)
    whole = transformed(tracks).unflatten(0, (3, 8))
    kept = whole.gather(2, positions[:, None].expand(-1, 8, -1))
    torch.testing.assert_close(parameters.double(), kept.flatten(0, 1), rtol=1e-4, atol=1e-4)
    lost = (tracks - kind.render(parameters, rest)).double().square().sum((1, 2, 3))
    torch.testing.assert_close(lost, (whole.square().sum(2) - kept.square().sum(2)).flatten(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("factor", [1, 8, 32])
def test_no_other_choice_of_as_many_coefficients_holds_more_of_a_class_s_energy(
    start: Start, tiny_images: Images, cpu: torch.device, factor: int
) -> None:
    train = tiny_images["train"]
    made = start(parameterisation="dct", ipc=1, factor=factor).synthetic_set()
    energy = transformed(train.batch(np.arange(96), cpu)).square().view(3, 32, -1).sum(1)
    kept = made.constants["positions"].long()
    best = energy.topk(kept.shape[1], dim=1).values.sum(1)
    held = energy.gather(1, kept).sum(1)
    assert (held >= (1 - 1e-6) * best).all()
    # Each class has its own choice.
    assert len({tuple(sorted(of_class)) for of_class in kept.tolist()}) == 3
    if factor == 8:
        assert (held > 0.8 * energy.sum(1)).all()


def test_components_are_the_principal_ones_of_all_classes_weighted_alike(start: Start, tiny_images: Images) -> None:
    train, made = tiny_images["train"], start(parameterisation="pca", factor=8, ipc=2).synthetic_set()
    components, positions = made.constants["components"].double(), made.constants["positions"].long()
    whole = transformed(train.batch(np.arange(96), torch.device("cpu")))
    # Every class has 32 clips.
    chosen = whole[:, whole.square().mean(0).argsort(descending=True)[: len(positions)]]
    best = torch.linalg.svd(chosen, full_matrices=False)[2][: len(components)]
    assert set(positions.tolist()) == set(whole.square().mean(0).topk(len(positions)).indices.tolist())
    torch.testing.assert_close(components @ components.T, torch.eye(len(components)).double(), rtol=0, atol=1e-5)
    held = (whole[:, positions] @ components.T).square().sum()
    assert held > (1 - 1e-5) * (chosen @ best.T).square().sum()
    # Tracks are the clips as near as these components come to them.
    clips = transformed(start(parameterisation="identity", ipc=16).synthetic_set().render())[:, positions]
    again = transformed(made.render())[:, positions]
    torch.testing.assert_close(again, clips @ components.T @ components, rtol=1e-3, atol=1e-3)


def test_unequal_classes_weigh_alike_in_the_components() -> None:
    kind = parameterisation("pca", ipc=1, factor=2, size=(1, 8, 8))
    few, many = normal(1, 1, 8, 1).expand(-1, -1, -1, 8), normal(1, 1, 1, 8, seed=1).expand(-1, -1, 8, -1)
    few, many = few / few.norm(), many / many.norm()

    def examples() -> Iterator[tuple[Tensor, Tensor]]:
        yield torch.cat([few, many.expand(98, -1, -1, -1), few]), torch.tensor([0] + [1] * 98 + [2])

    kept = kind.store(normal(6, 1, 8, 8), examples)
    # Two classes of one clip outweigh one of many.
    first = kind.render(torch.eye(kept["parameters"].shape[1])[:3].repeat(1, 1), kept)[0]
    assert abs(float((first * few).sum())) > abs(float((first * many).sum()))


def test_the_choice_of_a_class_depends_on_its_own_clips() -> None:
    kind = parameterisation("dct", ipc=1, factor=1, size=(1, 8, 8))
    along_bands, along_frames = normal(3, 1, 8, 1).expand(-1, -1, -1, 8), normal(3, 1, 1, 8).expand(-1, -1, 8, -1)

    def examples() -> Iterator[tuple[Tensor, Tensor]]:
        yield along_bands, torch.tensor([0, 0, 0])
        # A batch may contain several classes.
        yield torch.cat([along_frames, along_bands]), torch.tensor([1, 1, 1, 2, 2, 2])

    positions = kind.store(normal(3, 1, 8, 8), examples)["positions"]
    assert set(positions[0, :8].tolist()) == set(positions[2, :8].tolist()) == {8 * k for k in range(8)}
    assert set(positions[1, :8].tolist()) == set(range(8))


# Refusals


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"parameterisation": "identity", "factor": 2}, ["factor 2", "identity takes 1"]),
        ({"parameterisation": "multiformation", "factor": 3}, ["factor 3", "multiformation takes 2, 4, 8"]),
        ({"parameterisation": "multiformation", "factor": 1}, ["factor 1", "2, 4, 8"]),
        ({"parameterisation": "dct", "factor": 5}, ["factor 5", "dct takes 1, 2, 4, 8, 16, 32"]),
        ({"parameterisation": "dct", "factor": 0}, ["factor 0", "greater than or equal to 1"]),
        (
            {"parameterisation": "dct", "domain": "waveform"},
            ["dct is not for domain waveform", "choose identity or mdct or multiformation"],
        ),
        (
            {"parameterisation": "multiformation", "factor": 8, "duration": 0.2},
            ["factor 8", "13 frames", "a smaller factor, a longer duration or a shorter hop"],
        ),
        (
            {
                "parameterisation": "dct",
                "factor": 32,
                "duration": 0.1,
                "feature": {"n_mels": 8, "n_fft": 1600, "hop_length": 800},
                "network": {"depth": 1},
            },
            ["factor 32", "would have no coefficient", "choose a smaller factor"],
        ),
        ({"parameterisation": "multi-formations"}, ["unknown parameterisation", "Did you mean multiformation"]),
    ],
)
def test_a_plan_that_cannot_be_stored_is_refused_in_one_line(
    tiny: Config, settings: dict[str, Any], says: list[str]
) -> None:
    plain = tiny().model_dump(exclude={"factor"})
    mixed = {name: {**plain[name], **value} if isinstance(value, dict) else value for name, value in settings.items()}
    with pytest.raises(ConfigError) as refused:
        from_preset(DistillConfig, {**plain, **mixed})
    line = str(refused.value)
    assert "\n" not in line
    assert [part for part in says if part not in line] == []


@pytest.mark.parametrize("form", list(PARAMETERISATIONS))
def test_the_usual_factor_is_a_possible_one(tiny: Config, form: str) -> None:
    kind = PARAMETERISATIONS[form]
    for ipc in (1, 2, 10, 50, 1_000):
        assert kind.usual_factor(ipc) in kind.factors
        asked = {"domain": kind.domains[0], "parameterisation": form, "ipc": ipc}
        assert tiny(**asked).factor == kind.usual_factor(ipc)
        for factor in kind.factors:
            assert tiny(**asked, factor=factor).factor == factor
