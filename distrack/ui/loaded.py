"""All of the app, imported in one go. Every page, and `app.py`, imports this module before any other of ours.

Two sessions of a server that has just started run side by side, and each imports what it needs: one could then see a
module of which the other one has imported half. Here the second session waits until the first one has everything.
"""

import importlib
import pkgutil

# Loaded at its first use otherwise.
import scipy.signal  # noqa: F401

import distrack.decompose
import distrack.export
import distrack.jobs
import distrack.perception
import distrack.ui

for _package in (distrack.ui, distrack.decompose, distrack.export, distrack.jobs, distrack.perception):
    for _found in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        # What needs numba or a cluster is imported where it is used.
        if _found.name != __name__ and not _found.name.rpartition(".")[2].startswith(("compiled", "on_cluster")):
            importlib.import_module(_found.name)
