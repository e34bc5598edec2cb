"""Domains: what is optimised, and how a network sees it. One file each; the registry finds them here."""

from distrack.distill.domains.contract import DOMAINS, Domain
from distrack.registry import discover

__all__ = ["DOMAINS", "Domain"]

discover(__name__, __path__)
