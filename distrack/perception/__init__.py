"""Perceptual distances: how different two sounds are to the ear, differentiable in the second of them."""

from distrack.perception.distance import DISTANCES, Distance, distance

__all__ = ["DISTANCES", "Distance", "distance"]
