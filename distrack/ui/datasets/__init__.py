"""Pieces of the Datasets page."""
