"""Synthesis of events made of a resonance and a burst of noise: those of splatting and of a trained model."""
