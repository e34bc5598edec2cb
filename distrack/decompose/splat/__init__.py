"""Splatting: a clip becomes bursts of noise and resonances, all fitted at the same time."""

from distrack.decompose.splat import config  # noqa: F401
