"""The synthetic set: the result of a distillation, in one file that can be rendered without anything else."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from distrack.device import side_by_side
from distrack.distill.audible import audible
from distrack.distill.config import DistillConfig
from distrack.distill.migration import migrated_distillation
from distrack.distill.parameterisations import PARAMETERISATIONS, Parameterisation, Stored
from distrack.errors import ConfigError, RunError
from distrack.features import Normalisation, build_feature
from distrack.files import class_stems, ordered_tensors
from distrack.inversion import INVERSIONS

# Tracks that are made audible, or analysed, together.
_BATCH = 16


@dataclass(frozen=True)
class SyntheticSet:
    """Stored parameters, their labels, and all that is needed to render them to tracks.

    Attributes:
        parameters: the numbers that the distillation moved, as the parameterisation stores them, class by class.
        row_labels: labels of the rows of the parameters, ``[rows]`` int64.
        constants: what the parameterisation stores beside its parameters.
        file_digest: digest of the file that the set was read from; empty for a new set.
    """

    parameters: Tensor
    row_labels: Tensor
    classes: tuple[str, ...]
    normalisation: Normalisation
    config: DistillConfig
    constants: Stored = field(default_factory=dict)
    # Not an argument, so that a changed copy of a set has a digest of its own.
    file_digest: str = field(default="", init=False)

    @property
    def _form(self) -> Parameterisation:
        return self.config.form(len(self.classes))

    @property
    def labels(self) -> Tensor:
        """Labels of the rendered tracks, ``[classes * tracks]`` int64, class by class."""
        return self.row_labels.repeat_interleave(self._form.tracks_per_row)

    def render(self) -> Tensor:
        """Tracks in the domain that was chosen: normalised images, or waveforms ``[classes * tracks, samples]``."""
        return self._sounds if self._form.stores_images else self._rendered

    def tracks(self) -> Tensor:
        """Rendered tracks as a network sees them, ``[classes * tracks, 1, bands, frames]``."""
        if not self._form.stores_images:
            return self.drawn()
        feature = build_feature(self.config.feature)
        return torch.cat([self.normalisation.apply(feature(sounds)) for sounds in self._sounds.split(_BATCH)])

    def drawn(self) -> Tensor:
        """The images that distillation moved, before they are made audible; where it moved sounds, their images.

        They are nearly those of `tracks`, and come at once.
        """
        return self.config.domain_of(self.normalisation).images(self._rendered)

    @property
    def _rendered(self) -> Tensor:
        return self._form.render(self.parameters, self.constants)

    # An inversion takes long, and several parts of an evaluation need its sounds.
    @cached_property
    def _sounds(self) -> Tensor:
        """Sounds of the images that are stored; each thread computes a few, so that all numbers of threads agree."""
        images = self.normalisation.undo(self._rendered).split(_BATCH)
        sounds = partial(audible, feature=self.config.feature, samples=self.config.samples)
        with side_by_side(torch.device("cpu")) as pool:
            return torch.cat(list(pool.map(sounds, images)))

    def images(self) -> Tensor:
        """Rendered tracks in the feature's own unit."""
        return self.normalisation.undo(self.tracks())

    def track_names(self) -> list[str]:
        """A name for every track, `<class>_<k>`, that can name a file on any system; no two are the same."""
        stems = class_stems(self.classes)
        return [f"{stems[label]}_{number % self.tracks_per_class}" for number, label in enumerate(self.labels.tolist())]

    @property
    def tracks_per_class(self) -> int:
        """Number of tracks rendered for a class; more than `ipc` where one stored track holds several."""
        return len(self.labels) // len(self.classes)

    @property
    def floats_per_class(self) -> int:
        """Numbers stored for one class, labels and constants counted."""
        stored = (self.parameters, self.row_labels, *self.constants.values())
        return -(-sum(tensor.numel() for tensor in stored) // len(self.classes))

    @property
    def fingerprint(self) -> str:
        """A digest of the whole set: of its file where there is one, because an earlier version wrote other bytes."""
        return self.file_digest or _digest(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Content of the file. The same set gives the same bytes; they do not contain the path of the dataset."""
        header = {
            "format": "distrack synthetic set 1",
            "classes": json.dumps(self.classes),
            "normalisation": self.normalisation.model_dump_json(),
            "config": self.config.model_copy(update={"data_path": None, "devices": 1}).model_dump_json(),
        }
        if self._form.stores_images:
            header["inversion"] = INVERSIONS[self.config.feature.name].summary
        stored = {**self.constants, "parameters": self.parameters.contiguous(), "labels": self.row_labels}
        return ordered_tensors(save(stored, metadata=header))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that `to_bytes` made, also one of an earlier version.

        Raises:
            RunError: the file does not exist or is not a synthetic set.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata()
                stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                config = DistillConfig.model_validate(migrated_distillation(json.loads(header["config"])))
                constants = PARAMETERISATIONS[config.parameterisation.name].constants
                loaded = cls(
                    parameters=stored.pop("parameters"),
                    row_labels=stored.pop("labels"),
                    classes=tuple(json.loads(header["classes"])),
                    normalisation=Normalisation.model_validate_json(header["normalisation"]),
                    config=config,
                    constants={name: stored[name] for name in constants},
                )
                object.__setattr__(loaded, "file_digest", _digest(path.read_bytes()))
                return loaded
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, ConfigError) as error:
            raise RunError(f"{path} is not a synthetic set that can be read: {error}") from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
