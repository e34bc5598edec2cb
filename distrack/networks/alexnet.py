"""AlexNet: five convolutions without normalisation."""

from torch import nn

from distrack.networks.contract import Network, NetworkConfig, network
from distrack.networks.layers import AveragePool, GridAverage

_GRID = 4


@network("alexnet", title="AlexNet", smallest=lambda _: 1)
def alexnet(config: NetworkConfig, shape: tuple[int, int], classes: int) -> Network:
    """The small-image form with average pooling and no normalisation; `depth` is ignored.

    At width 64 it has the published 128, 192, 256, 192 and 192 channels. The embedding is the last map, averaged down
    to 4 x 4 as for a 32 x 32 image, or to less if the image has fewer bands or frames.

    Source:
        Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS
        2012, as used by Zhao, Mopuri and Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021.
    """
    bands, frames = shape
    width = config.width
    body = nn.Sequential(
        nn.Conv2d(1, 2 * width, 5, padding=2),
        nn.ReLU(inplace=True),
        AveragePool(keep=_GRID),
        nn.Conv2d(2 * width, 3 * width, 5, padding=2),
        nn.ReLU(inplace=True),
        AveragePool(keep=_GRID),
        nn.Conv2d(3 * width, 4 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(4 * width, 3 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(3 * width, 3 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        AveragePool(keep=_GRID),
        GridAverage(_GRID),
    )
    return Network(body, 3 * width * min(bands, _GRID) * min(frames, _GRID), classes)
