"""The content of `environment.json`: versions, device and threads that a run was computed with."""

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

from distrack.settings import PROJECT

_PACKAGES = ("torch", "torchaudio", "numpy", "librosa", "soundfile", "scikit-learn", "streamlit", "safetensors")


def describe(device: str = "cpu") -> dict[str, Any]:
    """Versions, processor, device and threads of this process; the git commit if the package is a checkout."""
    torch = sys.modules.get("torch")
    processor = platform.processor() or platform.machine()
    return {
        "distrack": importlib.import_module("distrack").__version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {package: _version(package) for package in _PACKAGES},
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if torch and device.startswith("cuda") else processor,
        "threads": os.cpu_count() if torch is None else torch.get_num_threads(),
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
    output = subprocess.run([git, "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return output.stdout.strip() or None
