"""Pieces of the Decompose page."""
