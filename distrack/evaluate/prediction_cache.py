"""The cache of predictions: a measurement that was made before is not made again."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distrack.files import write_atomically
from distrack.known_reports import VERSION


@dataclass(frozen=True)
class PredictionCache:
    """A folder with a small JSON file for each run of a measurement. Several processes may use it at once.

    Attributes:
        folder: created with the first file.
    """

    folder: Path

    def get(self, key: Mapping[str, Any]) -> Tensor | None:
        """The stored predictions, `[n]` int64, or None if there are none or the file cannot be read.

        Args:
            key: everything that the predictions depend on, as JSON.
        """
        try:
            content = json.loads(self._file(key).read_bytes())
            return torch.tensor(content["predictions"], dtype=torch.int64)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: Mapping[str, Any], predictions: Tensor) -> None:
        """Stores predictions, `[n]`. On a full disk they are not stored, because the evaluation can do without."""
        content = json.dumps({"key": key, "predictions": predictions.tolist()})
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file(key), content)

    def _file(self, key: Mapping[str, Any]) -> Path:
        text = json.dumps({**key, "version": VERSION, "torch": torch.__version__}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
