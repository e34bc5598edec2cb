"""Evaluators, one file each or one file for variants of one: adding a file adds an evaluator."""

from distrack.registry import discover

discover(__name__, __path__)
