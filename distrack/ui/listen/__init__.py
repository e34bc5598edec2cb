"""Pieces of the Listen page."""
