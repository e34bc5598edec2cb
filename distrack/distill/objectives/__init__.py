"""Matching objectives: how far apart two sets of embeddings are. One file each; the registry finds them here.

All are in the unit of a squared distance of embeddings, and all approach the squared distance of the means where sets
are narrow and near each other: one learning rate suits each.
"""

from distrack.distill.objectives.contract import OBJECTIVES
from distrack.registry import discover

__all__ = ["OBJECTIVES"]

discover(__name__, __path__)
