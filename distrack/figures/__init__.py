"""Figures from plain arrays, one file a kind."""
