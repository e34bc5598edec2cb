"""DisTrack: audio datasets distilled to a handful of synthetic tracks per class that can be heard and measured."""

__version__ = "0.1.0"
