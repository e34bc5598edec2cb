"""Reads configurations of earlier versions."""

from collections.abc import Mapping
from typing import Any


def migrated_decomposition(config: Mapping[str, Any]) -> dict[str, Any]:
    """A decomposition's configuration as it is written today.

    Earlier versions stored the method as a name, beside the settings of every method: ``pursuit`` and ``splat``.

    >>> migrated_decomposition({"method": "splat", "pursuit": {"atoms": "both"}, "splat": {"iterations": 5}})
    {'method': {'name': 'splat', 'iterations': 5}}
    """
    config = dict(config)
    settings = {name: config.pop(name, {}) for name in ("pursuit", "splat")}
    if isinstance(config.get("method"), str):
        name = config["method"]
        config["method"] = {"name": name, **settings["splat" if name == "splat" else "pursuit"]}
    return config
