"""Networks: what they embed, what they refuse, and that a seed is all that decides their weights."""

from itertools import pairwise, product

import pytest
import torch
from pydantic import ValidationError

from distrack.distill import DistillConfig
from distrack.errors import ConfigError
from distrack.networks import (
    NETWORKS,
    Network,
    NetworkConfig,
    build_network,
    check_shape,
)
from distrack.networks.layers import AveragePool, GridAverage
from distrack.validation import from_preset

every_network = pytest.mark.parametrize("name", list(NETWORKS))
# From the smallest that a feature gives to a long clip: cepstra, pitch classes, few bands, few frames.
SHAPES = [(2, 2), (2, 40), (8, 3), (9, 11), (12, 32), (13, 32), (16, 7), (64, 16), (64, 157), (128, 63), (64, 1300)]


def small(name: str, shape: tuple[int, int], *, seed: int = 0, classes: int = 3) -> Network:
    """As deep as the image allows, and narrow."""
    depth = min(3, min(shape).bit_length() - 1)
    return build_network(NetworkConfig(name=name, width=8, depth=depth), shape=shape, classes=classes, seed=seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("width", "depth", "shape", "size"),
    [(32, 3, (64, 32), 32 * 8 * 4), (4, 1, (9, 7), 4 * 4 * 3), (5, 2, (16, 33), 5 * 4 * 8), (3, 3, (8, 8), 3)],
)
def test_the_embedding_has_a_number_for_each_channel_and_pooled_bin(
    width: int, depth: int, shape: tuple[int, int], size: int
) -> None:
    network = build_network(NetworkConfig(width=width, depth=depth), shape=shape, classes=7, seed=0)
    images = torch.randn(6, 1, *shape, generator=torch.Generator().manual_seed(0))
    assert network.embed(images).shape == (6, size)
    assert network(images).shape == (6, 7)
    torch.testing.assert_close(network(images), network.head(network.embed(images)))


@pytest.mark.parametrize(
    ("name", "depth", "shape", "parameters"),
    [
        # Of a one-channel image and ten classes, added up by hand from the published tables.
        ("mlp", 2, (32, 32), (1024 + 1) * 128 + 129 * 128 + 129 * 10),
        ("lenet", 3, (28, 28), 61_706),
        ("alexnet", 3, (32, 32), 1_865_802),
        ("vgg11", 3, (32, 32), 9_229_962),
        ("resnet18", 3, (32, 32), 11_172_810),
    ],
)
def test_at_width_64_a_network_has_as_many_parameters_as_the_published_one(
    name: str, depth: int, shape: tuple[int, int], parameters: int
) -> None:
    config = NetworkConfig(name=name, width=64, depth=depth)
    network = build_network(config, shape=shape, classes=10, seed=0)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    half = build_network(config.model_copy(update={"width": 32}), shape=shape, classes=10, seed=0)
    assert sum(parameter.numel() for parameter in half.parameters()) < 0.51 * parameters


@pytest.mark.parametrize(
    ("name", "maps"),
    [
        ("alexnet", [32, 16, 8, 8, 8]),
        ("vgg11", [32, 16, 8, 8, 4, 4, 4, 4]),
        # The stem, two blocks of two, and three stages that begin with a shortcut.
        ("resnet18", [32] * 5 + [16, 32, 16, 16, 16] + [8, 16, 8, 8, 8] + [4, 8, 4, 4, 4]),
    ],
)
def test_convolutions_give_maps_of_the_published_size(name: str, maps: list[int]) -> None:
    network = small(name, (32, 32))
    found: list[torch.Size] = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _module, _images, out: found.append(out.shape[2:]))
    network(normal(1, 1, 32, 32))
    # All but vgg11's last two, which were 2 x 2.
    assert sorted(found) == sorted((size, size) for size in maps)


@pytest.mark.parametrize("name", ["vgg11", "resnet18"])
@pytest.mark.parametrize("shape", [(4, 4), (8, 9), (12, 32), (16, 16), (64, 157)])
def test_instance_norm_never_sees_a_map_so_small_that_little_is_left_of_it(name: str, shape: tuple[int, int]) -> None:
    network = small(name, shape)
    found: list[int] = []
    for module in network.modules():
        if isinstance(module, torch.nn.GroupNorm):
            assert module.num_groups == module.num_channels
            module.register_forward_hook(lambda _module, _images, out: found.append(min(out.shape[2:])))
    network(normal(1, 1, *shape))
    assert len(found) > 5
    assert min(found) >= 4


@every_network
@pytest.mark.parametrize("shape", SHAPES)
def test_every_network_embeds_images_of_every_shape_and_has_a_gradient_at_each(
    name: str, shape: tuple[int, int]
) -> None:
    network = small(name, shape).requires_grad_(False)
    images = normal(3, 1, *shape).requires_grad_()
    before = images.detach().clone()
    embeddings = network.embed(images)
    assert embeddings.shape == (3, network.head.in_features)
    assert embeddings.isfinite().all()
    (gradient,) = torch.autograd.grad((embeddings * normal(*embeddings.shape, seed=1)).sum(), images)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).any(1).all()
    assert torch.equal(images, before)
    # And not only in places: no band and no frame goes unseen, but for those that a pooling has left over.
    seen = (gradient != 0).any(0)[0]
    assert seen.any(1).sum() > 0.6 * shape[0]
    assert seen.any(0).sum() > 0.6 * shape[1]


@every_network
def test_a_gradient_at_an_image_is_the_slope_of_its_embedding(name: str) -> None:
    network = small(name, (12, 9)).double().requires_grad_(False)
    images, step = normal(2, 1, 12, 9).double(), 1e-6 * normal(2, 1, 12, 9, seed=1).double()
    weights = normal(2, network.head.in_features, seed=2).double()

    def value(at: torch.Tensor) -> torch.Tensor:
        return (network.embed(at) * weights).sum()

    (gradient,) = torch.autograd.grad(value(images.requires_grad_()), images)
    slope = value(images + step) - value(images - step)
    torch.testing.assert_close(slope, 2 * (gradient * step).sum(), rtol=1e-3, atol=1e-12)


@every_network
def test_training_and_embedding_are_the_same_network(name: str) -> None:
    network, images = small(name, (16, 33)), normal(4, 1, 16, 33)
    training = network(images)
    assert torch.equal(training, network(images))
    assert torch.equal(training, network.eval()(images))


@pytest.mark.parametrize(
    ("shape", "ways"),
    [
        ((7, 64), "a smaller depth or more bands"),
        ((64, 7), "a smaller depth, a longer duration or a shorter hop"),
        ((4, 4), "a smaller depth, a longer duration, a shorter hop or more bands"),
        ((1, 64), "more bands"),
    ],
)
def test_an_image_that_poolings_would_use_up_is_refused_with_a_way_out(shape: tuple[int, int], ways: str) -> None:
    message = (
        rf"{shape[0]} bands x {shape[1]} frames is too small for a network convnet of depth 3, which needs 8 x 8: "
        rf"choose {ways}$"
    )
    with pytest.raises(ValueError, match=message):
        build_network(NetworkConfig(depth=3), shape=shape, classes=2, seed=0)
    with pytest.raises(ValueError, match=message):
        check_shape(NetworkConfig(name="ConvNet", depth=3), shape)


@pytest.mark.parametrize("name", ["vgg11", "resnet18"])
def test_a_depth_that_is_ignored_is_no_way_out(name: str) -> None:
    with pytest.raises(ValueError, match=rf"for a network {name}, which needs 2 x 2: choose more bands$"):
        check_shape(NetworkConfig(name=name, depth=6), (1, 64))


@every_network
def test_what_passes_the_check_can_be_built_and_what_does_not_is_refused(name: str) -> None:
    for depth, *shape in product((1, 3), (1, 2, 7, 8), (1, 3, 8)):
        config = NetworkConfig(name=name, width=2, depth=depth)
        bands, frames = shape
        try:
            check_shape(config, (bands, frames))
        except ValueError:
            with pytest.raises(ValueError, match="too small"):
                build_network(config, shape=(bands, frames), classes=2, seed=0)
        else:
            network = build_network(config, shape=(bands, frames), classes=2, seed=0)
            assert network(normal(1, 1, bands, frames)).isfinite().all()


@every_network
def test_an_image_of_the_largest_config_is_checked_without_its_weights(name: str) -> None:
    # Of an mlp these would be 700 GB.
    check_shape(NetworkConfig(name=name, width=1024, depth=6), (256, 300_000))


def test_a_config_refuses_such_an_image_before_any_work() -> None:
    with pytest.raises(
        ConfigError, match=r"64 bands x 4 frames is too small for a network convnet of depth 3.*shorter hop"
    ):
        from_preset(DistillConfig, {"duration": 0.1})
    assert from_preset(DistillConfig, {"duration": 0.1, "network": {"depth": 2}}).network.depth == 2
    assert from_preset(DistillConfig, {"duration": 0.1, "feature": {"hop_length": 200}}).feature.hop_length == 200


@pytest.mark.parametrize("values", [{"width": 0}, {"depth": 0}, {"depth": 7}, {"breadth": 3}])
def test_impossible_architectures_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        NetworkConfig.model_validate(values)


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown network 'covnet'. Did you mean convnet"):
        NetworkConfig(name="covnet")


def weights(name: str, seed: int) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(small(name, (16, 16), seed=seed).parameters()).detach()


@every_network
def test_a_seed_decides_the_weights_and_nothing_else_does(name: str) -> None:
    torch.manual_seed(1)
    first = weights(name, 5)
    torch.manual_seed(2)
    assert torch.equal(first, weights(name, 5))
    seeds = [weights(name, seed) for seed in (5, 6, 2**40)]
    assert all(not torch.equal(one, other) for one, other in pairwise(seeds))


def test_the_weights_of_a_seed_stay_what_they_were() -> None:
    # A run that is resumed, or repeated from its config, meets the networks that it met before.
    network = build_network(NetworkConfig(), shape=(64, 32), classes=10, seed=7)
    found = torch.stack([parameter.detach().abs().sum() for parameter in network.parameters()])
    blocks = [46.108, 5.916, 32, 0, 274.502, 0.916, 32, 0, 271.19, 1.113, 32, 0]
    torch.testing.assert_close(found, torch.tensor([*blocks, 159.982, 0.187]), rtol=0, atol=2e-3)


@every_network
def test_building_a_network_leaves_the_process_s_own_randomness_alone(name: str) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    weights(name, 5)
    assert torch.equal(before, torch.get_rng_state())


@every_network
def test_an_image_s_embedding_does_not_depend_on_what_it_is_embedded_with(name: str) -> None:
    network, images = small(name, (16, 16)), normal(5, 1, 16, 16)
    together = network.embed(images)
    alone = torch.cat([network.embed(image) for image in images.split(1)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 2), (8, 8), (64, 32), (7, 8), (8, 9), (7, 9), (3, 2)])
def test_average_pooling_is_torch_s_own_forward_and_backward(shape: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, *shape, generator=draw, requires_grad=True)
    ours, theirs = AveragePool()(images), torch.nn.functional.avg_pool2d(images, 2)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    weights = torch.randn(theirs.shape, generator=draw)
    torch.testing.assert_close(
        torch.autograd.grad((ours * weights).sum(), images), torch.autograd.grad((theirs * weights).sum(), images)
    )


@pytest.mark.parametrize(
    ("shape", "keep", "left"),
    [((8, 8), 4, (4, 4)), ((7, 8), 4, (7, 4)), ((9, 5), 4, (4, 5)), ((3, 2), 2, (3, 2)), ((1, 8), 1, (1, 4))],
)
def test_pooling_leaves_an_axis_alone_that_it_would_make_too_short(
    shape: tuple[int, int], keep: int, left: tuple[int, int]
) -> None:
    images = normal(2, 3, *shape)
    pooled = AveragePool(keep=keep)(images)
    assert pooled.shape == (2, 3, *left)
    window = (shape[0] // left[0], shape[1] // left[1])
    torch.testing.assert_close(pooled, torch.nn.functional.avg_pool2d(images, window), atol=1e-6, rtol=0)
    # What another device would compute.
    elsewhere = AveragePool(keep=keep)(images.to("meta"))
    assert elsewhere.shape == pooled.shape


@pytest.mark.parametrize("shape", [(4, 4), (8, 4), (9, 7), (3, 50), (1, 1), (11, 162)])
@pytest.mark.parametrize("size", [1, 4])
def test_a_grid_average_covers_the_map_with_equal_windows(shape: tuple[int, int], size: int) -> None:
    images = normal(2, 3, *shape).requires_grad_()
    grid = GridAverage(size)(images)
    assert grid.shape == (2, 3, min(size, shape[0]), min(size, shape[1]))
    # Each window is a mean, and no bin is left out.
    torch.testing.assert_close(GridAverage(size)(torch.ones_like(images)), torch.ones_like(grid))
    (gradient,) = torch.autograd.grad(grid.sum(), images)
    assert (gradient > 0).all()
    if all(length % size == 0 for length in shape):
        torch.testing.assert_close(grid, torch.nn.functional.adaptive_avg_pool2d(images, size))


def test_statistics_do_not_know_the_order_of_frames_but_how_much_they_change() -> None:
    network = small("statistics", (12, 20))
    images = normal(3, 1, 12, 20).requires_grad_()
    mean, deviation, change = network.embed(images).view(3, 3, 16).unbind(1)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    again = network.embed(images[..., order]).view(3, 3, 16).unbind(1)
    torch.testing.assert_close(again[:2], (mean, deviation), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(again[2], change, rtol=1e-2)
    # A still image changes nothing, and its gradient is a number.
    still = torch.ones(1, 1, 12, 20, requires_grad=True)
    embedded = network.embed(still).view(3, 16)
    assert embedded[1].max() < 0.02
    torch.testing.assert_close(embedded[2], torch.zeros(16), rtol=0, atol=1e-5)
    (gradient,) = torch.autograd.grad(embedded.sum(), still)
    assert gradient.isfinite().all()
