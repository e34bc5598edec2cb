"""LeNet: two convolutions and two hidden layers."""

from torch import nn

from distrack.networks.contract import Network, NetworkConfig, network
from distrack.networks.layers import AveragePool, GridAverage

_GRID = 5


@network("lenet", title="LeNet", smallest=lambda _: 1)
def lenet(config: NetworkConfig, shape: tuple[int, int], classes: int) -> Network:
    """LeNet-5 with ReLU and average pooling; `depth` is ignored.

    At width 64 it has the published 6 and 16 channels, 120 and 84 hidden units. Both convolutions are padded, and a map
    of any size is averaged down to the published 5 x 5, or to less if the image is smaller.

    Source:
        LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", Proceedings of the
        IEEE 86(11), 1998, as used by Zhao, Mopuri and Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021.
    """
    bands, frames = shape
    first, second, third, fourth = (-(-size * config.width // 64) for size in (6, 16, 120, 84))
    body = nn.Sequential(
        nn.Conv2d(1, first, 5, padding=2),
        nn.ReLU(inplace=True),
        AveragePool(keep=_GRID),
        nn.Conv2d(first, second, 5, padding=2),
        nn.ReLU(inplace=True),
        AveragePool(keep=_GRID),
        GridAverage(_GRID),
        nn.Flatten(),
        nn.Linear(second * min(bands, _GRID) * min(frames, _GRID), third),
        nn.ReLU(inplace=True),
        nn.Linear(third, fourth),
        nn.ReLU(inplace=True),
    )
    return Network(body, fourth, classes)
