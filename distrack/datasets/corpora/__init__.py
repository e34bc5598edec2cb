"""Corpora: one file a dataset. Each registers itself when it is imported."""
