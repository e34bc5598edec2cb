"""Corpora: one file per dataset. Each registers itself when it is imported."""
