"""Pieces of the Distill page."""
