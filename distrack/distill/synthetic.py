"""The synthetic set: what a distillation leaves, and the one file that renders it alone."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from distrack.distill.config import DistillConfig
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.errors import ConfigError, RunError
from distrack.features import Normalisation

# Letters of a class in a file's name: four bytes each at most, and file systems stop at 255.
_LONGEST_NAME = 48


@dataclass(frozen=True)
class SyntheticSet:
    """Stored parameters, their labels, and all that is needed to render them.

    Shape:
        - parameters: as the parameterisation stores them, tracks in the first dimension, class by class
        - labels: ``[classes * ipc]`` int64
    """

    parameters: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    normalisation: Normalisation
    config: DistillConfig

    def tracks(self) -> Tensor:
        """Rendered tracks as a network sees them, ``[classes * ipc, 1, bands, frames]``."""
        return PARAMETERISATIONS[self.config.parameterisation].render(self.parameters)

    def images(self) -> Tensor:
        """Rendered tracks in the feature's own unit."""
        return self.normalisation.undo(self.tracks())

    def track_names(self) -> list[str]:
        """A name for every track, `<class>_<k>`, that can be a file's on any system; no two are the same."""
        safe: list[str] = []
        for label, name in enumerate(self.classes):
            slug = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:_LONGEST_NAME] or "class"
            # Some file systems do not tell upper from lower case.
            while slug.casefold() in map(str.casefold, safe):
                slug += f"-{label}"
            safe.append(slug)
        return [f"{safe[label]}_{number % self.config.ipc}" for number, label in enumerate(self.labels.tolist())]

    @property
    def floats_per_class(self) -> int:
        """The storage budget: numbers stored for one class, labels counted."""
        return (self.parameters.numel() + self.labels.numel()) // len(self.classes)

    def to_bytes(self) -> bytes:
        """The file's content; the same set gives the same bytes, and says nothing of the machine's folders."""
        header = {
            "format": "distrack synthetic set 1",
            "classes": json.dumps(self.classes),
            "normalisation": self.normalisation.model_dump_json(),
            "config": self.config.model_copy(update={"data_path": None}).model_dump_json(),
        }
        return _ordered(save({"parameters": self.parameters.contiguous(), "labels": self.labels}, metadata=header))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that `to_bytes` made.

        Raises:
            RunError: no such file, or not a synthetic set.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata()
                return cls(
                    parameters=file.get_tensor("parameters"),
                    labels=file.get_tensor("labels"),
                    classes=tuple(json.loads(header["classes"])),
                    normalisation=Normalisation.model_validate_json(header["normalisation"]),
                    config=DistillConfig.model_validate_json(header["config"]),
                )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, ConfigError) as error:
            raise RunError(f"{path} is not a synthetic set that can be read: {error}") from None


def _ordered(content: bytes) -> bytes:
    """A safetensors file with its header in alphabetical order; the library writes the metadata in any."""
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def ordered_labels(classes: int, ipc: int) -> Tensor:
    """Labels of tracks that stand class by class.

    >>> ordered_labels(2, 2).tolist()
    [0, 0, 1, 1]
    """
    return torch.arange(classes).repeat_interleave(ipc)
