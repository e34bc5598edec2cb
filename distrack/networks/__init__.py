"""Networks: what embeds an image and classifies from that embedding; the contract, and one file a family."""

from distrack.networks import alexnet, convnet, lenet, mlp, resnet, vgg  # noqa: F401
from distrack.networks.contract import NETWORKS, Architecture, Network, NetworkConfig, build_network, check_shape
from distrack.networks.pooling import AveragePool, GridAverage

__all__ = [
    "NETWORKS",
    "Architecture",
    "AveragePool",
    "GridAverage",
    "Network",
    "NetworkConfig",
    "build_network",
    "check_shape",
]
