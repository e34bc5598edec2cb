"""The tests. All their processes compute on one thread: workers share the cores, and tiny networks need no more."""

import os

# OpenMP reads it when torch or numpy is loaded, so it is set before any of that; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
