"""File formats of a comparison, by ending: adding one is adding a module that registers an `Exporter`."""

from distrack.export.formats.contract import EXPORTERS, content
from distrack.registry import discover

__all__ = ["EXPORTERS", "content"]

discover(__name__, __path__)
