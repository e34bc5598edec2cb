"""What was measured before: predictions kept by what they depend on, so that asking again costs nothing."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distrack.known_reports import VERSION


class Memory:
    """A folder with a small file for each measurement: one network, one training set, one seed.

    Args:
        folder: made when the first is kept; several processes may use it at once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, what: Mapping[str, Any]) -> Tensor | None:
        """The predicted classes ``[n]`` int64, or None where that was not measured or cannot be read."""
        try:
            kept = json.loads(self._file(what).read_bytes())
            return torch.tensor(kept["predictions"], dtype=torch.int64)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def __setitem__(self, what: Mapping[str, Any], predictions: Tensor) -> None:
        """Keeps predictions; where the disk is full, they are not kept and the work goes on."""
        file = self._file(what)
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"what": what, "predictions": predictions.tolist()}), encoding="utf-8")
            part.replace(file)

    def _file(self, what: Mapping[str, Any]) -> Path:
        text = json.dumps({**what, "version": VERSION, "torch": torch.__version__}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
