"""All of the app, imported in one go. Every page, and `app.py`, imports this module before any other of ours.

Two sessions of a server that has just started run side by side, and each imports what it needs: one could then see a
module of which the other one has imported half. Here the second session waits until the first one has everything.
"""

import importlib
import pkgutil

# Loaded at its first use otherwise.
import scipy.signal  # noqa: F401

import distrack.ui

for _found in pkgutil.walk_packages(distrack.ui.__path__, "distrack.ui."):
    if _found.name != __name__:
        importlib.import_module(_found.name)
