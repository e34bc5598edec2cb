"""Matching pursuit: a clip becomes a sum of atoms, found one after another."""

from distrack.decompose.pursuit import atom_kinds, decomposer, waveform_kind  # noqa: F401
