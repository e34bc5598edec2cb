"""The contract of networks: their config, their registry, and how one is built."""

from collections.abc import Callable
from threading import Lock
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from distrack.registry import NameIn, Registry
from distrack.validation import Config

NETWORKS: Registry["Architecture"] = Registry("network")


class NetworkConfig(Config):
    """The architecture of an embedding or evaluation network."""

    name: Annotated[str, NameIn(NETWORKS), Field(title="Architecture")] = "convnet"
    """Architecture of the network."""
    width: Annotated[int, Field(ge=1, le=1024)] = 32
    """Channels of a convnet; the size of other networks in proportion, with 64 as published."""
    depth: Annotated[int, Field(ge=1, le=6)] = 3
    """Blocks of a convnet or hidden layers of an mlp; other networks have a fixed depth."""


class Network(nn.Module):
    """A body that embeds images, and a linear head that classifies the embeddings.

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
        """The embeddings of images: the penultimate features."""
        features: Tensor = self.body(images)
        return features.flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the classes (logits)."""
        logits: Tensor = self.head(self.embed(images))
        return logits


Builder = Callable[[NetworkConfig, tuple[int, int], int], Network]


class Architecture(NamedTuple):
    """How a network is built, and the images that it can take.

    Attributes:
        build: makes a network from a config, the bands and frames of an image, and the number of classes; it draws the
            initial weights.
        smallest: the fewest bands, and the fewest frames, that a network of a config can take.
    """

    build: Builder
    smallest: Callable[[NetworkConfig], int]


# Torch's layers draw their initial weights from the process's random state.
_RANDOM_STATE = Lock()


def network(name: str, *, title: str = "", smallest: Callable[[NetworkConfig], int]) -> Callable[[Builder], Builder]:
    """Registers a builder as the architecture of that name; the title is its label on the screen."""

    def register(build: Builder) -> Builder:
        NETWORKS.add(name, Architecture(build, smallest), title=title)
        return build

    return register


def check_shape(config: NetworkConfig, shape: tuple[int, int]) -> None:
    """Refuses images that are too small for the network of a config, without building it.

    Raises:
        ValueError: gives the size that the network needs and what to change.
    """
    (bands, frames), architecture = shape, NETWORKS[config.name]
    smallest = architecture.smallest(config)
    if min(shape) >= smallest:
        return
    shallowest = architecture.smallest(config.model_copy(update={"depth": 1}))
    name = config.name + (f" of depth {config.depth}" if shallowest < smallest else "")
    ways = ["a smaller depth"] if shallowest <= min(shape) else []
    ways += ["a longer duration", "a shorter hop"] if frames < smallest else []
    ways += ["more bands"] if bands < smallest else []
    raise ValueError(
        f"an image of {bands} bands x {frames} frames is too small for a network {name}, which needs "
        f"{smallest} x {smallest}: choose {' or '.join(filter(None, (', '.join(ways[:-1]), ways[-1])))}"
    )


def build_network(config: NetworkConfig, *, shape: tuple[int, int], classes: int, seed: int) -> Network:
    """The network of a config with the initial weights of a seed.

    The process's random state is not changed. Only one thread at a time can build a network.

    Raises:
        ValueError: images of that shape are too small for the network.
    """
    check_shape(config, shape)
    with _RANDOM_STATE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[config.name].build(config, shape, classes)
