"""Augmentation: images are moved, masked and disturbed as far as asked and no further, each alone or all alike."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import one_hot

from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig, augment, draw, mixup
from distrack.datasets.clips import Split
from distrack.evaluate import EVALUATORS, EvaluationConfig, Trial
from distrack.images import RealImages
from distrack.learning import TrainingSet
from distrack.networks import NetworkConfig
from distrack.randomness import generator

SHAPE = (40, 32)
DEFAULT = AugmentationConfig()
EVERYTHING = AugmentationConfig(time_mask=0.25, band_mask=0.2)


def only(**changes: float) -> AugmentationConfig:
    return NO_AUGMENTATION.model_copy(update=changes)


def noise_images(count: int, name: str = "images") -> Tensor:
    return torch.randn(count, 1, *SHAPE, generator=generator(0, name))


def bumps(count: int) -> Tensor:
    images = torch.zeros(count, 1, *SHAPE)
    images[:, :, 20, 16] = 100.0
    return images


def places(images: Tensor) -> tuple[Tensor, Tensor]:
    """Band and frame of the largest value of each image."""
    peaks = images.flatten(1).argmax(1)
    return peaks // SHAPE[1], peaks % SHAPE[1]


# Shifts


def test_augmentation_keeps_the_shape_and_does_not_touch_its_input() -> None:
    images = noise_images(5)
    before = images.clone()
    augmented = augment(images, EVERYTHING, generator(0, "draw"))
    assert augmented.shape == images.shape
    assert torch.equal(images, before)
    assert not torch.equal(augmented, images)


def test_shifts_reach_an_eighth_in_time_and_a_twentieth_in_frequency_and_not_further() -> None:
    bands, frames = places(augment(bumps(300), DEFAULT, generator(0, "draw")))
    # Both ends are reached, and all in between; one pixel is left, so nothing is smeared or wrapped around.
    assert set(bands.tolist()) == set(range(18, 23))
    assert set(frames.tolist()) == set(range(12, 21))


def test_one_draw_moves_a_bump_as_the_same_draw_moves_any_other() -> None:
    seen = set()
    for seed in range(100):
        shift = draw(only(time_shift=1 / 8, band_shift=1 / 20), 1, SHAPE, generator(seed, "draw"))
        moved = shift.apply(bumps(1))
        band, frame = (int(place) for place in places(moved))
        assert torch.equal(moved, torch.roll(bumps(1), (band - 20, frame - 16), (2, 3)))
        other = torch.zeros(1, 1, *SHAPE)
        other[..., 7, 25] = 100.0
        assert [int(place) for place in places(shift.apply(other))] == [band - 13, frame + 9]
        seen.add((band, frame))
    assert {frame for _, frame in seen} == set(range(12, 21))
    assert {band for band, _ in seen} == set(range(18, 23))


@pytest.mark.parametrize("count", [1, 100])
def test_a_shift_repeats_the_edge_and_brings_nothing_round_from_the_other_side(count: int) -> None:
    frames = torch.arange(float(SHAPE[1])).expand(100, 1, *SHAPE)
    bands = 1000 * torch.arange(float(SHAPE[0]))[:, None]
    moved = draw(only(time_shift=1 / 8, band_shift=1 / 20), count, SHAPE, generator(0, "draw")).apply(frames + bands)
    # Where a pixel is from can be read from its value: the shift of the middle is everyone's, but for the edge.
    rows, columns = moved.long() // 1000, moved.long() % 1000
    row, column = rows[..., 20:21, 16:17], columns[..., 20:21, 16:17]
    assert torch.equal(rows, (torch.arange(40)[:, None] - 20 + row).clamp(0, 39).expand_as(rows))
    assert torch.equal(columns, (torch.arange(32) - 16 + column).clamp(0, 31).expand_as(columns))


@pytest.mark.parametrize("count", [1, 100])
def test_bands_that_are_no_pitches_stay_where_they_are(count: int) -> None:
    shift = draw(only(time_shift=0.25, band_shift=0.25), count, SHAPE, generator(0, "draw"), shift_bands=False)
    bands, frames = places(shift.apply(bumps(100)))
    assert set(bands.tolist()) == {20}
    assert set(frames.tolist()) != {16}
    assert set(places(augment(bumps(100), DEFAULT, generator(0, "draw"), shift_bands=False))[0].tolist()) == {20}


def test_the_furthest_shift_that_can_be_asked_for_leaves_half_an_image() -> None:
    moved = draw(only(time_shift=0.5), 500, SHAPE, generator(0, "draw")).apply(bumps(500))
    left = moved.amax((1, 2, 3)) == 0
    # From the middle, 16 frames back is the first frame and 15 on is the last; 16 on, the bump has gone.
    assert set(places(moved[~left])[1].tolist()) == set(range(32))
    assert 0 < int(left.sum()) < 50
    with pytest.raises(ValidationError):
        AugmentationConfig(time_shift=0.6)


def test_the_numbers_are_those_that_results_were_measured_with() -> None:
    images = noise_images(6)
    draws = generator(3, "draw")
    frames = torch.randint(-4, 5, (6, 1), generator=draws).flatten().tolist()
    bands = torch.randint(-2, 3, (6, 1), generator=draws).flatten().tolist()
    gain = torch.randn(6, 1, 1, 1, generator=draws)
    noise = torch.randn(images.shape, generator=draws)
    moved = np.stack(
        [
            np.pad(image, ((2, 2), (4, 4)), mode="edge")[2 - band : 42 - band, 4 - frame : 36 - frame]
            for image, band, frame in zip(images[:, 0].numpy(), bands, frames, strict=True)
        ]
    )
    expected = torch.from_numpy(moved).unsqueeze(1) + 0.3 * gain + 0.1 * noise
    again = generator(3, "draw")
    assert torch.equal(augment(images, DEFAULT, again), expected)
    # What is drawn next, such as a mixup, is the same as well.
    assert torch.equal(again.get_state(), draws.get_state())


# Masks


@pytest.mark.parametrize("count", [1, 400])
@pytest.mark.parametrize(("name", "dim", "longest"), [("time_mask", 1, 8), ("band_mask", 0, 10)])
def test_a_mask_is_one_stretch_of_zeros_of_any_length_up_to_the_longest(
    count: int, name: str, dim: int, longest: int
) -> None:
    config = only(**{name: 0.25})
    size = SHAPE[dim]
    lengths, covered = set(), torch.zeros(size, dtype=torch.bool)
    for seed in range(400 // count):
        masked = draw(config, count, SHAPE, generator(seed, "draw")).apply(torch.ones(count, 1, *SHAPE))
        assert set(masked.unique().tolist()) <= {0.0, 1.0}
        for image in masked[:, 0]:
            zeros = image.sum(1 - dim) == 0
            # Whole frames, or whole bands, and all else is there.
            assert int((image == 0).sum()) == int(zeros.sum()) * SHAPE[1 - dim]
            places_of_zeros = zeros.nonzero().flatten().tolist()
            assert not places_of_zeros or places_of_zeros == list(range(places_of_zeros[0], places_of_zeros[-1] + 1))
            lengths.add(len(places_of_zeros))
            covered |= zeros
    assert lengths == set(range(longest + 1))
    assert covered.all()


def test_what_is_masked_is_the_mean_of_normalised_images_whatever_else_was_drawn() -> None:
    images = torch.full((200, 1, *SHAPE), 5.0)
    augmented = augment(images, EVERYTHING, generator(0, "draw"))
    masked = (augmented == 0).float()
    # At most a quarter of the frames and a fifth of the bands; a few images have nothing masked.
    assert masked.amax(2).sum(2).max() == 32
    assert (masked.amin(2).sum(2) <= 8).all()
    assert (masked.amin(3).sum(2) <= 8).all()
    assert 0.05 < masked.mean() < 0.3
    # What is not masked is the image, with its gain and noise.
    assert augmented[augmented != 0].min() > 2


def test_masks_are_drawn_after_the_shifts_which_stay_as_they_were() -> None:
    shifted = draw(DEFAULT, 10, SHAPE, generator(0, "draw"))
    masked = draw(EVERYTHING, 10, SHAPE, generator(0, "draw"))
    assert shifted.source is not None
    assert masked.source is not None
    assert torch.equal(shifted.source, masked.source)


# Gain and noise


def test_gain_is_one_number_an_image_and_noise_one_a_pixel() -> None:
    images = noise_images(600)
    louder = augment(images, only(gain=0.3), generator(0, "draw")) - images
    torch.testing.assert_close(louder, louder[..., :1, :1].expand_as(louder), atol=1e-5, rtol=0)
    # A deviation measured on 600 images is off by 3 % as a rule.
    assert float(louder[:, 0, 0, 0].std()) == pytest.approx(0.3, rel=0.1)
    noisier = augment(images, only(noise=0.1), generator(0, "draw")) - images
    assert float(noisier.std()) == pytest.approx(0.1, rel=0.01)
    assert float(noisier.mean((1, 2, 3)).std()) == pytest.approx(0.1 / np.sqrt(40 * 32), rel=0.1)


# One draw for all, or one each


def test_one_draw_treats_real_images_and_their_copies_alike() -> None:
    real = noise_images(7)
    siamese = draw(EVERYTHING, 1, SHAPE, generator(0, "draw"))
    augmented = siamese.apply(real)
    assert not torch.equal(augmented, real)
    assert torch.equal(siamese.apply(real.clone()), augmented)
    # What an image becomes does not hang on its place nor on its company.
    assert torch.equal(siamese.apply(real[4:5]), augmented[4:5])
    assert torch.equal(siamese.apply(real.flip(0)), augmented.flip(0))


def test_one_draw_preserves_how_two_images_differ() -> None:
    first, second = noise_images(5, "first"), noise_images(5, "second")
    louder = draw(only(gain=0.3, noise=0.1), 1, SHAPE, generator(0, "draw"))
    torch.testing.assert_close(louder.apply(first) - louder.apply(second), first - second)
    each = draw(EVERYTHING, 5, SHAPE, generator(0, "draw"))
    siamese = draw(EVERYTHING, 1, SHAPE, generator(0, "draw"))
    same = first[:1].expand_as(first)
    assert siamese.apply(same).var(0).max() == 0
    assert each.apply(same).var(0).mean() > 0.1


def test_images_with_a_draw_each_are_changed_each_in_its_way() -> None:
    images = noise_images(1).expand(20, 1, *SHAPE)
    for config in (only(time_shift=0.5), only(band_shift=0.5), only(gain=1), only(noise=1), only(time_mask=0.5)):
        augmented = augment(images, config, generator(0, "draw"))
        assert len({tuple(image.flatten().tolist()) for image in augmented}) > 5


@pytest.mark.parametrize("count", [1, 5])
def test_a_generator_decides_a_draw_and_nothing_else_does(count: int) -> None:
    images = noise_images(5)
    torch.manual_seed(1)
    first = draw(EVERYTHING, count, SHAPE, generator(0, "draw"))
    torch.manual_seed(2)
    again = draw(EVERYTHING, count, SHAPE, generator(0, "draw"))
    other = draw(EVERYTHING, count, SHAPE, generator(1, "draw"))
    assert torch.equal(first.apply(images), again.apply(images))
    assert torch.equal(first.apply(images), first.apply(images))
    assert not torch.equal(first.apply(images), other.apply(images))


# What a distillation needs


@pytest.mark.parametrize("count", [1, 4])
def test_an_applied_draw_is_affine_and_its_gradient_is_that_of_its_linear_part(count: int) -> None:
    applied = draw(EVERYTHING, count, SHAPE, generator(2, "draw"))
    a, b, weights = (noise_images(4, name).double() for name in ("a", "b", "weights"))
    base = applied.apply(torch.zeros_like(a))

    def linear(images: Tensor) -> Tensor:
        return applied.apply(images) - base

    torch.testing.assert_close(applied.apply(a) - applied.apply(b), linear(a - b))
    torch.testing.assert_close(linear(2 * a - 3 * b), 2 * linear(a) - 3 * linear(b))
    images = a.requires_grad_()
    (weights * applied.apply(images)).sum().backward()
    assert images.grad is not None
    # <weights, L x> = <L^T weights, x> for any x.
    for name in ("x", "y", "z"):
        x = noise_images(4, name).double()
        torch.testing.assert_close((images.grad * x).sum(), (weights * linear(x)).sum())
    # And pixel by pixel: an image that has one pixel only.
    for band, frame in ((0, 0), (0, 31), (20, 16), (39, 3), (39, 31)):
        pixel = torch.zeros_like(a)
        pixel[2, 0, band, frame] = 1
        torch.testing.assert_close(images.grad[2, 0, band, frame], (weights * linear(pixel)).sum())


def test_masked_pixels_and_those_that_were_shifted_out_get_no_gradient_and_the_edge_gets_more() -> None:
    images = noise_images(1).requires_grad_()
    shift = next(
        candidate
        for seed in range(100)
        if (candidate := draw(only(time_shift=1 / 8), 1, SHAPE, generator(seed, "draw"))).source is not None
        and int(places(candidate.apply(bumps(1)))[1]) == 19
    )
    shift.apply(images).sum().backward()
    assert images.grad is not None
    # Three frames later: the first frame is there four times, the last three are gone.
    assert images.grad[0, 0, 0].tolist() == [4.0] + [1.0] * 28 + [0.0] * 3
    masked = noise_images(1).requires_grad_()
    after = draw(only(time_mask=0.5, band_mask=0.5), 1, SHAPE, generator(0, "draw")).apply(masked)
    after.sum().backward()
    assert masked.grad is not None
    assert torch.equal(masked.grad, (after != 0).float())
    assert 0 < float(masked.grad.mean()) < 1


@pytest.mark.parametrize("count", [1, 5])
def test_a_draw_goes_to_the_device_of_the_images(count: int) -> None:
    # The device "meta" computes shapes only, and refuses tensors from elsewhere as a GPU does.
    meta = torch.device("meta")
    images = noise_images(5).to(meta)
    there = draw(EVERYTHING, count, SHAPE, generator(0, "draw")).to(meta)
    assert there.source is not None
    assert {values.device for values in (there.source, *there.added, *there.masks)} == {meta}
    assert there.apply(images).shape == images.shape
    assert draw(EVERYTHING, count, SHAPE, generator(0, "draw")).apply(images).device == meta


def test_a_draw_that_is_there_already_is_not_copied() -> None:
    drawn = draw(EVERYTHING, 5, SHAPE, generator(0, "draw"))
    same = drawn.to(torch.device("cpu"))
    assert same.source is drawn.source
    assert all(a is b for a, b in zip((*same.added, *same.masks), (*drawn.added, *drawn.masks), strict=True))


# Nothing, and what cannot be


@pytest.mark.parametrize("count", [1, 5])
def test_no_augmentation_is_the_same_tensor_and_draws_nothing(count: int) -> None:
    images = noise_images(5)
    draws = generator(0, "draw")
    before = draws.get_state()
    assert draw(NO_AUGMENTATION, count, SHAPE, draws).apply(images) is images
    assert augment(images, NO_AUGMENTATION, draws) is images
    assert torch.equal(draws.get_state(), before)


def test_a_share_that_rounds_to_no_frame_and_no_band_does_nothing() -> None:
    images = torch.randn(3, 1, 12, 9, generator=generator(0, "images"))
    shares = only(time_shift=0.05, band_shift=0.04, time_mask=0.05, band_mask=0.04)
    assert augment(images, shares, generator(0, "draw")) is images


@pytest.mark.parametrize("shape", [(4, 1, *SHAPE), (5, 1, 40, 31), (5, 1, 39, 32)])
def test_a_draw_for_other_images_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a draw for 5 images of 40 x 32 does not suit"):
        draw(only(time_shift=0.1), 5, SHAPE, generator(0, "draw")).apply(torch.zeros(shape))


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_shift": -0.1},
        {"band_shift": 0.6},
        {"time_mask": 1.0},
        {"gain": -1.0},
        {"noise": float("nan")},
        {"hue": 1},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        AugmentationConfig.model_validate(wrong)


def test_an_evaluation_trains_with_the_augmentation_that_it_was_given(
    tiny_images: Mapping[Split, RealImages], cpu: torch.device
) -> None:
    def predicted(augmentation: AugmentationConfig, *, shift_bands: bool = True) -> Tensor:
        network = NetworkConfig(width=2, depth=2)
        recipe = EvaluationConfig(network=network, steps=2, epochs=1, mixup=0, augmentation=augmentation)
        clips = TrainingSet.of_clips(replace(tiny_images["train"], shift_bands=shift_bands))
        cnn = EVALUATORS["random-cnn"].predict
        runs = [cnn(Trial(clips, tiny_images["test"], recipe, clips, seed, cpu, lambda *_: None)) for seed in range(6)]
        return torch.cat(runs)

    plain = predicted(NO_AUGMENTATION)
    assert EvaluationConfig().augmentation == DEFAULT
    assert not torch.equal(plain, predicted(DEFAULT))
    bands = only(band_shift=0.5)
    assert not torch.equal(plain, predicted(bands))
    assert torch.equal(plain, predicted(bands, shift_bands=False))


# Mixup


def test_mixup_blends_images_and_targets_in_the_same_proportion() -> None:
    labels = torch.arange(3).repeat(20)
    # An image of class k is all k: what is in the blend can be read from its value.
    images = labels.float().view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    targets = one_hot(labels, 3).float()
    mixed, blended = mixup(images, targets, 1.0, generator(0, "draw"))
    torch.testing.assert_close(blended.sum(1), torch.ones(60))
    assert (blended >= 0).all()
    torch.testing.assert_close(mixed, (blended @ torch.arange(3.0)).view(-1, 1, 1, 1).expand_as(mixed))
    # Each stays mostly itself, and many are mixed for real.
    assert (blended.gather(1, labels[:, None]) >= 0.5 - 1e-6).all()
    assert (blended.amax(1) < 0.99).float().mean() > 0.3


@pytest.mark.parametrize("alpha", [1e-3, 0.2, 10.0])
def test_mixup_gives_distributions_for_any_alpha(alpha: float) -> None:
    images = torch.randn(200, 1, 2, 2, generator=generator(0, "images"))
    mixed, blended = mixup(images, one_hot(torch.arange(200) % 4, 4).float(), alpha, generator(1, "draw"))
    assert mixed.isfinite().all()
    torch.testing.assert_close(blended.sum(1), torch.ones(200))
