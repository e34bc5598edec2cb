"""The environment of a run: what it computed with, and on what."""

import importlib
import importlib.metadata
import platform
import shutil
import subprocess
import sys
from typing import Any

import torch

from distrack.settings import PROJECT

_PACKAGES = ("torch", "torchaudio", "numpy", "librosa", "soundfile", "scikit-learn", "streamlit", "safetensors")


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
