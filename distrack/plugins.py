"""Plugins: modules of a user that register further entries, named by the environment variable DISTRACK_PLUGINS."""

import importlib

from distrack.errors import ConfigError
from distrack.settings import settings


def load() -> None:
    """Imports the modules that DISTRACK_PLUGINS names, comma-separated, so that their registry entries are known.

    Raises:
        ConfigError: a module cannot be imported.
    """
    for name in filter(None, map(str.strip, settings().plugins.split(","))):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigError(
                f"DISTRACK_PLUGINS names the module {name!r}, which cannot be imported: {error}"
            ) from None
