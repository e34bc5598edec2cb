"""MLP: fully connected layers, without any notion of neighbouring bands and frames."""

import math

from torch import nn

from distrack.networks.contract import Network, NetworkConfig, network


@network("mlp", title="MLP", smallest=lambda _: 1)
def mlp(config: NetworkConfig, shape: tuple[int, int], classes: int) -> Network:
    """`depth` hidden layers of twice `width` units with ReLU; the published network has two layers of 128 units.

    Source:
        Zhao, Mopuri and Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021, section 4.1.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    inputs, hidden = math.prod(shape), 2 * config.width
    for _ in range(config.depth):
        layers += [nn.Linear(inputs, hidden), nn.ReLU(inplace=True)]
        inputs = hidden
    return Network(nn.Sequential(*layers), hidden, classes)
