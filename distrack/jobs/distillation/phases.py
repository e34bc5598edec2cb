"""What all jobs about a distillation begin with: the device that computes, and the preparation of the data."""

from functools import lru_cache

import torch

from distrack.device import choose_device
from distrack.distill import DistillConfig
from distrack.images import Material
from distrack.runs import Session
from distrack.settings import settings


def device_of(config: DistillConfig) -> torch.device:
    """The device on this machine that a distillation computes on.

    Raises:
        ConfigError: there is no such device here.
    """
    return choose_device(config.device if config.device != "auto" else settings().device)


@lru_cache(maxsize=1)
def prepared_material(config: DistillConfig, session: Session) -> Material:
    """The phase `prepare`, once in a session: the dataset as waveforms and images, from the cache or made now."""
    session.phase("prepare")
    return config.material(progress=session.progress)
