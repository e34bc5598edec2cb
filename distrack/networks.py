"""Networks: each embeds an image and classifies from that embedding."""

import math
from collections.abc import Callable
from threading import Lock
from typing import Annotated, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from distrack.registry import Registry


class NetworkConfig(BaseModel):
    """The architecture of an embedding or evaluation network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "convnet"
    width: Annotated[int, Field(ge=1, le=1024)] = 32
    depth: Annotated[int, Field(ge=1, le=6)] = 3

    @model_validator(mode="after")
    def _known(self) -> Self:
        NETWORKS.name(self.name)
        return self


class Network(nn.Module):
    """A body that embeds images, and a linear head on its penultimate features.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - embedding: ``[n, d]``
        - logits: ``[n, classes]``
    """

    def __init__(self, body: nn.Module, embedding_size: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(embedding_size, classes)

    def embed(self, images: Tensor) -> Tensor:
        """Penultimate features."""
        features: Tensor = self.body(images)
        return features.flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores."""
        logits: Tensor = self.head(self.embed(images))
        return logits


class AveragePool(nn.Module):
    """2 x 2 average pooling, an odd last band or frame left out.

    On a CPU two additions of slices take a third of the time of torch's own kernel; elsewhere that one is faster.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Half as many bands and frames."""
        if images.device.type != "cpu":
            return nn.functional.avg_pool2d(images, 2)
        bands, frames = images.shape[-2] // 2 * 2, images.shape[-1] // 2 * 2
        rows = images[..., 0:bands:2, :frames] + images[..., 1:bands:2, :frames]
        return (rows[..., 0::2] + rows[..., 1::2]) * 0.25


Builder = Callable[[NetworkConfig, tuple[int, int], int], Network]
NETWORKS: Registry[Builder] = Registry("network")
# Initial weights are drawn from the process's one random state.
_RANDOM_STATE = Lock()


@NETWORKS.register("convnet")
def convnet(config: NetworkConfig, shape: tuple[int, int], classes: int) -> Network:
    """Blocks of 3 x 3 convolution, instance norm, ReLU and 2 x 2 average pooling.

    Source:
        Gidaris and Komodakis, "Dynamic Few-Shot Visual Learning without Forgetting", CVPR 2018, as used by Zhao and
        Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, section 4.1.
    """
    bands, frames = shape
    if min(bands, frames) < 2**config.depth:
        raise ValueError(
            f"an image of {bands} x {frames} is too small for {config.depth} poolings: choose a smaller depth, "
            f"a longer duration, a shorter hop or more bands"
        )
    layers: list[nn.Module] = []
    channels = 1
    for _ in range(config.depth):
        layers += [
            nn.Conv2d(channels, config.width, 3, padding=1),
            nn.GroupNorm(config.width, config.width),
            nn.ReLU(inplace=True),
            AveragePool(),
        ]
        channels = config.width
    scale = 2**config.depth
    return Network(nn.Sequential(*layers), config.width * math.prod((bands // scale, frames // scale)), classes)


def build_network(config: NetworkConfig, *, shape: tuple[int, int], classes: int, seed: int) -> Network:
    """The network that a config describes, with the initial weights that belong to `seed`.

    The process's own random state is left as it was; threads take turns.
    """
    with _RANDOM_STATE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[config.name](config, shape, classes)
