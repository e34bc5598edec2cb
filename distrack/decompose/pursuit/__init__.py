"""Matching pursuit: a clip as a sum of atoms, the best one at a time."""
