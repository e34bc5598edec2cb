"""Perceptual distances: how different two sounds are to the ear, differentiable in the second of them."""

from distrack.perception.auditory import AuditoryImage
from distrack.perception.distance import DISTANCES, Distance, distance
from distrack.perception.scattering import Band, Bank, Scattering, morlet_bank

__all__ = ["DISTANCES", "AuditoryImage", "Band", "Bank", "Distance", "Scattering", "distance", "morlet_bank"]
