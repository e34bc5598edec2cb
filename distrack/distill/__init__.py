"""Distillation: thousands of real clips become a few synthetic tracks per class."""

from distrack.distill.config import DistillConfig, from_preset
from distrack.distill.distiller import Distiller, StepRecord
from distrack.distill.images import RealImages, real_images
from distrack.distill.presets import PRESETS
from distrack.distill.synthetic import SyntheticSet

__all__ = [
    "PRESETS",
    "DistillConfig",
    "Distiller",
    "RealImages",
    "StepRecord",
    "SyntheticSet",
    "from_preset",
    "real_images",
]
