"""Domains: what is optimised, and how it becomes the image that a network sees. One file each.

The registry finds them here.
"""

from distrack.distill.domains.contract import DOMAINS, Domain
from distrack.registry import discover

__all__ = ["DOMAINS", "Domain"]

discover(__name__, __path__)
