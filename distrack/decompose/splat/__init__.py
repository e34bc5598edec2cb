"""Splatting: a clip as bursts of noise through resonances, all fitted together."""
