"""Losses of fits: how far the sum of events is from a clip."""

from distrack.decompose.losses.choice import LOSSES

__all__ = ["LOSSES"]
