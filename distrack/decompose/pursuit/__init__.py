"""Matching pursuit: a clip as a sum of atoms, the best one at a time."""

from distrack.decompose.pursuit import kinds, pursuit, waveforms  # noqa: F401
