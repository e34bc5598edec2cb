"""Networks that embed images and classify the embeddings. One file each; the registry finds them here."""

from distrack.networks.contract import NETWORKS, Network, NetworkConfig, build_network, check_shape
from distrack.registry import discover

__all__ = ["NETWORKS", "Network", "NetworkConfig", "build_network", "check_shape"]

discover(__name__, __path__)
