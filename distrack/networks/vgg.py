"""VGG: blocks of 3 x 3 convolutions with a pooling after each."""

from torch import nn

from distrack.networks.contract import Network, NetworkConfig, network
from distrack.networks.layers import AveragePool, GridAverage, normalised

# Channels of each convolution as multiples of the width, block by block.
_VGG11 = ((1,), (2,), (4, 4), (8, 8), (8, 8))


@network("vgg11", title="VGG-11", smallest=lambda _: 2)
def vgg11(config: NetworkConfig, _: tuple[int, int], classes: int) -> Network:
    """The small-image form with instance norm and average pooling; `depth` is ignored.

    At width 64 it has the published 64 to 512 channels. The last pooling averages over the whole map; the others do not
    pool an axis of less than eight bins. In the published form the last two convolutions see 2 x 2 bins of a 32 x 32
    image, of which instance norm leaves little; here they see 4 x 4.

    Source:
        Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, as used
        by Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, section 4.
    """
    layers: list[nn.Module] = []
    before = 1
    for block in _VGG11:
        for multiple in block:
            channels = multiple * config.width
            layers += [*normalised(before, channels), nn.ReLU(inplace=True)]
            before = channels
        layers.append(AveragePool(keep=4))
    layers[-1] = GridAverage(1)
    return Network(nn.Sequential(*layers), before, classes)
