"""What is done on a node of a cluster: checks that the node fits, then calls a function by its name."""

import importlib
import importlib.metadata
import platform
import socket
import sys
from pathlib import Path
from typing import Any

_PACKAGES = ("torch", "numpy", "ray")


def versions() -> dict[str, str]:
    """Versions that have to be the same on all nodes for the same config to give the same result."""
    package = importlib.import_module("distrack")
    found = {"distrack": str(package.__version__), "python": ".".join(map(str, sys.version_info[:2]))}
    return found | {name: importlib.metadata.version(name) for name in _PACKAGES} | {"machine": platform.machine()}


def call(target: str, arguments: tuple[Any, ...], expected: dict[str, str], marker: str | None) -> dict[str, Any]:
    """Calls `package.module:function` on this node.

    Args:
        expected: the versions of who asks.
        marker: a file that this node sees if it shares the folder of the runs; None if it need not.

    Returns:
        the result of the function, which is a dict, or `unfit`: why this node cannot do it
    """
    here = socket.gethostname()
    differ = [
        f"{name} {mine} instead of {expected[name]}" for name, mine in versions().items() if mine != expected[name]
    ]
    if differ:
        return {"unfit": f"node {here} has {', '.join(differ)}: install the same versions on all nodes"}
    if marker is not None and not Path(marker).is_file():
        folder = Path(marker).parent
        return {"unfit": f"node {here} does not see {folder}: use a runs path (--runs-path) that all nodes share"}
    module, _, function = target.partition(":")
    result: dict[str, Any] = getattr(importlib.import_module(module), function)(*arguments)
    return result
