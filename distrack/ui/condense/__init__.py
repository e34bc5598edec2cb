"""Pieces of the Condense page."""
