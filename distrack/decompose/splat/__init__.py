"""Splatting: a clip as bursts of noise through resonances, all fitted together."""

from distrack.decompose.splat import fit, kind  # noqa: F401
