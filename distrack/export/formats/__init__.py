"""File formats of a comparison, by ending: adding one is adding a module that registers an `Exporter`."""

from distrack.export.formats.contract import EXPORTERS, Exporter, content
from distrack.registry import discover

__all__ = ["EXPORTERS", "Exporter", "content"]

discover(__name__, __path__)
