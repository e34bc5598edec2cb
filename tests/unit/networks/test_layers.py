"""Layers: the compiled and rearranged operations give what torch's own give, and so do their gradients."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, group_norm, relu

from distrack.networks.layers import ImageConvolution, NormalisedPool

SHAPES = [(16, 32, 64, 32), (3, 5, 17, 13), (1, 1, 2, 2), (2, 3, 2, 9), (2, 4, 7, 3)]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_compiled_pool_is_norm_relu_and_average_pooling(shape: tuple[int, ...]) -> None:
    channels = shape[1]
    layer = NormalisedPool(channels)
    norm = layer[0]
    assert isinstance(norm, nn.GroupNorm)
    with torch.no_grad():
        norm.weight.copy_(1 + 0.3 * normal(channels))
        norm.bias.copy_(0.3 * normal(channels, seed=1))
    images = (3 + 2 * normal(*shape)).requires_grad_()
    expected = avg_pool2d(relu(group_norm(images, channels, norm.weight, norm.bias)), 2)
    found = layer(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    at = images, norm.weight, norm.bias
    weights = normal(*expected.shape, seed=2)
    for one, other in zip(
        torch.autograd.grad(found, at, weights), torch.autograd.grad(expected, at, weights), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_compiled_pool_of_images_in_another_memory_layout_and_without_a_gradient() -> None:
    layer, images = NormalisedPool(4), normal(2, 4, 8, 6)
    expected = layer(images)
    torch.testing.assert_close(layer(images.contiguous(memory_format=torch.channels_last)), expected)
    with torch.no_grad():
        assert torch.equal(layer(images), expected)
    # A map depends on its own numbers alone, so that a batch may be divided anyhow.
    assert torch.equal(layer(images[1:]), expected[1:])


def test_a_map_of_one_number_has_no_variance() -> None:
    assert NormalisedPool(2)(torch.full((1, 2, 64, 900), 3.7)).abs().max() < 1e-3
    assert NormalisedPool(2)(torch.zeros(0, 2, 4, 4)).shape == (0, 2, 2, 2)


def test_a_number_that_is_none_is_not_hidden() -> None:
    images = normal(2, 3, 6, 6)
    images[0, 1, 2, 2] = torch.nan
    found = NormalisedPool(3)(images)
    assert found[0, 1].isnan().all()
    assert found[1].isfinite().all()


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_the_gradient_at_an_image_is_that_of_torch_s_convolution(size: int, bias: bool) -> None:
    layer = ImageConvolution(6, size, bias=bias)
    images = normal(3, 1, 9, 7).requires_grad_()
    expected = conv2d(images, layer.weight, layer.bias, padding=size // 2)
    found = layer(images)
    assert torch.equal(found, expected)
    at = [images, *layer.parameters()]
    weights = normal(*expected.shape, seed=1)
    wanted = torch.autograd.grad(expected, at, weights)
    for one, other in zip(torch.autograd.grad(found, at, weights), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    layer.requires_grad_(False)
    (alone,) = torch.autograd.grad(layer(images), images, weights)
    torch.testing.assert_close(alone, wanted[0], rtol=1e-4, atol=1e-4)
