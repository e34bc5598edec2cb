"""ResNet: blocks of two convolutions, each added to its own input."""

from torch import Tensor, nn

from distrack.networks.contract import Network, NetworkConfig, network
from distrack.networks.layers import AveragePool, GridAverage, normalised

_STAGES = (1, 2, 4, 8)
_BLOCKS = 2


@network("resnet18", title="ResNet-18", smallest=lambda _: 2)
def resnet18(config: NetworkConfig, _: tuple[int, int], classes: int) -> Network:
    """The small-image form with instance norm and average pooling; `depth` is ignored.

    It has a 3 x 3 stem without pooling, four stages of two blocks with the published 64 to 512 channels at width 64,
    and the mean over the last map. Between stages the map is pooled, where other implementations take every second bin.
    An axis of less than eight bins is not pooled: instance norm makes a map of one bin zero, and leaves little of a
    map of 2 x 2.

    Source:
        He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, as used by Zhao, Mopuri and
        Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021 (ResNet18 with average pooling).
    """
    before = config.width
    layers = [*normalised(1, before, bias=False), nn.ReLU(inplace=True)]
    for stage, multiple in enumerate(_STAGES):
        for block in range(_BLOCKS):
            channels = multiple * config.width
            layers.append(_Block(before, channels, pooled=stage > 0 and block == 0))
            before = channels
    return Network(nn.Sequential(*layers, GridAverage(1)), before, classes)


class _Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, which is a 1 x 1 convolution if the map is pooled.

    Shape:
        - images: ``[n, before, bands, frames]``
        - returns: ``[n, channels, bands, frames]``, half as many bands and frames where `pooled`
    """

    def __init__(self, before: int, channels: int, *, pooled: bool) -> None:
        super().__init__()
        # Pooling and a 1 x 1 convolution commute; pooling first leaves a quarter of the work.
        shortcut = [AveragePool(keep=4), *normalised(before, channels, 1, bias=False)] if pooled else []
        self.shortcut = nn.Sequential(*shortcut)
        self.body = nn.Sequential(
            *normalised(before, channels, bias=False),
            nn.ReLU(inplace=True),
            AveragePool(keep=4) if pooled else nn.Identity(),
            *normalised(channels, channels, bias=False),
        )
        self.last = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        """The sum of convolutions and shortcut, with negative values set to zero."""
        changed: Tensor = self.body(images)
        changed += self.shortcut(images)
        features: Tensor = self.last(changed)
        return features
