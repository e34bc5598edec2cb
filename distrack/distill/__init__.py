"""Distillation: thousands of real clips become a few synthetic tracks per class."""

from distrack.distill.config import DistillConfig
from distrack.distill.distiller import Distiller, StepRecord
from distrack.distill.presets import PRESETS
from distrack.distill.synthetic import SyntheticSet

__all__ = ["PRESETS", "DistillConfig", "Distiller", "StepRecord", "SyntheticSet"]
