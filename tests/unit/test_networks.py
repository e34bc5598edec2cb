"""Networks: what they embed, what they refuse, and that a seed is all that decides their weights."""

from itertools import pairwise

import pytest
import torch
from pydantic import ValidationError

from distrack.distill import DistillConfig, from_preset
from distrack.errors import ConfigError
from distrack.networks import AveragePool, NetworkConfig, build_network


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


@pytest.mark.parametrize("shape", [(7, 64), (64, 7), (4, 4)])
def test_an_image_that_poolings_would_use_up_is_refused_with_a_way_out(shape: tuple[int, int]) -> None:
    with pytest.raises(
        ValueError, match=rf"{shape[0]} x {shape[1]} is too small for 3 poolings: choose a smaller depth"
    ):
        build_network(NetworkConfig(depth=3), shape=shape, classes=2, seed=0)


def test_a_config_refuses_such_an_image_before_any_work() -> None:
    with pytest.raises(ConfigError, match=r"64 bands x 4 frames is too small for a network of depth 3.*shorter hop"):
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


def weights(seed: int) -> torch.Tensor:
    network = build_network(NetworkConfig(width=4), shape=(16, 16), classes=3, seed=seed)
    return torch.nn.utils.parameters_to_vector(network.parameters()).detach()


def test_a_seed_decides_the_weights_and_nothing_else_does() -> None:
    torch.manual_seed(1)
    first = weights(5)
    torch.manual_seed(2)
    assert torch.equal(first, weights(5))
    seeds = [weights(seed) for seed in (5, 6, 2**40)]
    assert all(not torch.equal(one, other) for one, other in pairwise(seeds))


def test_building_a_network_leaves_the_process_s_own_randomness_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    weights(5)
    assert torch.equal(before, torch.get_rng_state())


def test_an_image_s_embedding_does_not_depend_on_what_it_is_embedded_with() -> None:
    network = build_network(NetworkConfig(width=4), shape=(16, 16), classes=3, seed=0)
    images = torch.randn(5, 1, 16, 16, generator=torch.Generator().manual_seed(0))
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
