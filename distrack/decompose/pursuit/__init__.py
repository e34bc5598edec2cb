"""Matching pursuit: a clip as a sum of atoms, the best one at a time."""

from distrack.decompose.pursuit import decomposer, kind, waveforms  # noqa: F401
