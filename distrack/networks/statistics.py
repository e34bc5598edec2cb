"""Statistics: mean, deviation and change over time of projections of the bands, without any notion of order in time."""

import torch
from torch import Tensor, nn

from distrack.networks.contract import Network, NetworkConfig, network

# Added to a variance, whose root has no gradient at zero.
_SMALLEST_VARIANCE = 1e-4


class TimeStatistics(nn.Module):
    """The mean of each channel over time, its standard deviation, and its mean absolute change between frames.

    Shape:
        - maps: ``[n, channels, 1, frames]``
        - returns: ``[n, 3 * channels]``
    """

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        values = maps.squeeze(2)
        deviation = (values.var(2, correction=0) + _SMALLEST_VARIANCE).sqrt()
        change = values.diff(dim=2).abs().mean(2) if values.shape[2] > 1 else torch.zeros_like(deviation)
        return torch.cat([values.mean(2), deviation, change], 1)


@network("statistics", title="Statistics over time", smallest=lambda _: 1)
def statistics(config: NetworkConfig, shape: tuple[int, int], classes: int) -> Network:
    """Twice `width` projections of the bands of each frame and their statistics over time; `depth` is ignored.

    Source:
        McDermott and Simoncelli, "Sound Texture Perception via Statistics of the Auditory Periphery", Neuron 71(5),
        2011 (a sound described by statistics of its bands over time); the projections are those of a layer.
    """
    bands, _ = shape
    channels = 2 * config.width
    return Network(nn.Sequential(nn.Conv2d(1, channels, (bands, 1)), TimeStatistics()), 3 * channels, classes)
