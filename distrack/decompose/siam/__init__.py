"""A trained model hears events: few notes, each a time and sixteen numbers, found in one pass."""

from distrack.decompose.siam import config  # noqa: F401
