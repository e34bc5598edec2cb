"""The environment of a run: what it computed on, and what its process needs to compute fast."""

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

import torch

from distrack.settings import PROJECT

# glibc hands large blocks back to the system at once, and the next tensor of that size pays for every page again.
# Keeping them makes the same forward pass about twice as fast on a CPU; other allocators ignore these names.
# OpenMP's threads wait for each other by spinning, which costs nothing alone and most of the time beside a browser, the
# app or a second run: two at once were measured 25 times slower than with threads that sleep. Sleeping at once makes
# every small operation wait for the system, four times slower on a virtual machine: so they spin, but not for long.
FAST_ON_CPU = {
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 2**30),
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_ARENA_MAX": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "2000",
}

_PACKAGES = ("torch", "torchaudio", "numpy", "librosa", "soundfile", "scikit-learn", "streamlit", "safetensors")


def worker_environment() -> dict[str, str]:
    """The environment for a worker's process: this one's, with what makes CPU work fast unless the user set it."""
    return {**FAST_ON_CPU, "PYTHONUNBUFFERED": "1", **os.environ}


def describe(device: torch.device) -> dict[str, Any]:
    """`environment.json`: versions, device, threads, commit."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "distrack": importlib.import_module("distrack").__version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {package: _version(package) for package in _PACKAGES},
        "device": str(device),
        "device_name": name,
        "threads": torch.get_num_threads(),
        "git_commit": _git_commit(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    asked = subprocess.run([git, "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None
