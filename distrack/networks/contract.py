"""The contract of networks: their config, what each is, the registry, and how one is built."""

from collections.abc import Callable
from threading import Lock
from typing import Annotated, NamedTuple, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from distrack.registry import Registry


class NetworkConfig(BaseModel):
    """The architecture of an embedding or evaluation network.

    Attributes:
        name: the architecture, in any spelling.
        width: what all its channels and hidden units are in proportion to. A convnet has as many channels; the others
            are at 64 as they were published.
        depth: blocks of a convnet, hidden layers of an mlp; the others have a depth of their own and ignore it.
    """

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


Builder = Callable[[NetworkConfig, tuple[int, int], int], Network]


class Architecture(NamedTuple):
    """How a network is built, and what it can be built for.

    Attributes:
        build: from a config, the bands and frames of an image, and the number of classes; draws the initial weights.
        smallest: the fewest bands, and the fewest frames, that a network of a config can take.
    """

    build: Builder
    smallest: Callable[[NetworkConfig], int]


NETWORKS: Registry[Architecture] = Registry("network")
# Initial weights are drawn from the process's one random state.
_RANDOM_STATE = Lock()


def network(name: str, *, smallest: Callable[[NetworkConfig], int]) -> Callable[[Builder], Builder]:
    """Registers a builder as the architecture of that name."""

    def register(build: Builder) -> Builder:
        NETWORKS.add(name, Architecture(build, smallest))
        return build

    return register


def check_shape(config: NetworkConfig, shape: tuple[int, int]) -> None:
    """Whether the network of a config can take images of these bands and frames; nothing is built.

    Raises:
        ValueError: it cannot; the message says how many it needs and what to change.
    """
    (bands, frames), architecture = shape, NETWORKS[config.name]
    smallest = architecture.smallest(config)
    if min(shape) >= smallest:
        return
    shallowest = architecture.smallest(config.model_copy(update={"depth": 1}))
    name = NETWORKS.name(config.name) + (f" of depth {config.depth}" if shallowest < smallest else "")
    ways = ["a smaller depth"] if shallowest <= min(shape) else []
    ways += ["a longer duration", "a shorter hop"] if frames < smallest else []
    ways += ["more bands"] if bands < smallest else []
    raise ValueError(
        f"an image of {bands} bands x {frames} frames is too small for a network {name}, which needs "
        f"{smallest} x {smallest}: choose {' or '.join(filter(None, (', '.join(ways[:-1]), ways[-1])))}"
    )


def build_network(config: NetworkConfig, *, shape: tuple[int, int], classes: int, seed: int) -> Network:
    """The network that a config describes, with the initial weights that belong to `seed`.

    The process's own random state is left as it was; threads take turns.

    Raises:
        ValueError: images of that shape are too small for it.
    """
    check_shape(config, shape)
    with _RANDOM_STATE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[config.name].build(config, shape, classes)
