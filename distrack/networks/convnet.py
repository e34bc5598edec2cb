"""ConvNet: the usual network of dataset distillation."""

import math

from torch import nn

from distrack.networks.contract import Network, NetworkConfig, network
from distrack.networks.layers import NormalisedPool, convolution


@network("convnet", title="ConvNet", smallest=lambda config: 2**config.depth)
def convnet(config: NetworkConfig, shape: tuple[int, int], classes: int) -> Network:
    """`depth` blocks of 3 x 3 convolution, instance norm, ReLU and 2 x 2 average pooling.

    Source:
        Gidaris and Komodakis, "Dynamic Few-Shot Visual Learning without Forgetting", CVPR 2018, as used by Zhao and
        Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, section 4.1.
    """
    bands, frames = shape
    layers: list[nn.Module] = []
    channels = 1
    for _ in range(config.depth):
        layers += [convolution(channels, config.width), NormalisedPool(config.width)]
        channels = config.width
    scale = 2**config.depth
    return Network(nn.Sequential(*layers), config.width * math.prod((bands // scale, frames // scale)), classes)
