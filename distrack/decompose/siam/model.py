"""A trained model of events as a file: the network that proposes events, and the autoencoder of their timbres."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from distrack.decompose.siam.detector import Detector
from distrack.decompose.siam.rows import Weights, shapes
from distrack.decompose.siam.timbre import TimbreEncoder, new_decoder
from distrack.errors import EventsError
from distrack.files import ordered_tensors

FORMAT, VERSION = "distrack event model", "1"
# Largest file that is read.
MOST_BYTES = 1 << 24


@dataclass
class Model:
    """All that finds and renders events.

    Attributes:
        detector: proposes onsets and pitches.
        encoder: from what is measured of an event to its timbre.
        decoder: from timbres to harmonics and noise; files of events hold a copy.
    """

    detector: Detector
    encoder: TimbreEncoder
    decoder: Weights

    @classmethod
    def new(cls) -> Self:
        """An untrained model, from torch's own random numbers."""
        return cls(Detector(), TimbreEncoder(), new_decoder())

    def arrays(self) -> dict[str, Tensor]:
        """All arrays by name."""
        named = {f"detector.{name}": array for name, array in self.detector.state_dict().items()}
        named |= {f"encoder.{name}": array for name, array in self.encoder.state_dict().items()}
        named |= {f"decoder.{name}": array for name, array in self.decoder.items()}
        return {name: array.detach() for name, array in named.items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Tensor]) -> Self:
        """The model that `arrays` gave.

        Raises:
            KeyError, RuntimeError: an array is missing or has another shape.
        """
        detector, encoder = Detector(), TimbreEncoder()
        for module, prefix in ((detector, "detector."), (encoder, "encoder.")):
            module.load_state_dict({name: arrays[prefix + name] for name in module.state_dict()})
            module.requires_grad_(requires_grad=False)
        decoder = {name: arrays[f"decoder.{name}"] for name in shapes()}
        for name, shape in shapes().items():
            if decoder[name].shape != shape:
                raise RuntimeError(f"decoder.{name} has the shape {tuple(decoder[name].shape)}, not {shape}")
        return cls(detector, encoder, decoder)

    @property
    def floats(self) -> int:
        """Numbers of all arrays."""
        return sum(array.numel() for array in self.arrays().values())

    def to_bytes(self) -> bytes:
        """Content of a safetensors file; the same model gives the same bytes."""
        arrays = {name: array.contiguous() for name, array in self.arrays().items()}
        content: bytes = safetensors.torch.save(arrays, metadata={"format": FORMAT, "version": VERSION})
        return ordered_tensors(content)


def load(path: Path) -> Model:
    """Reads a file that `Model.to_bytes` made.

    Raises:
        EventsError: it cannot be read, is no model of events, or of another version.
    """
    try:
        if not path.is_file():
            raise EventsError(f"{path}: there is no such file")
        if path.stat().st_size > MOST_BYTES:
            raise EventsError(f"{path}: {path.stat().st_size >> 20} MB are more than a model of events has")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise EventsError(f"{path}: it is not a model of events")
            if metadata.get("version") != VERSION:
                raise EventsError(f"{path}: a model of version {metadata.get('version')}, this program reads {VERSION}")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if not all(array.dtype == torch.float32 and bool(array.isfinite().all()) for array in arrays.values()):
            raise EventsError(f"{path}: it holds values that are not float32 numbers")
        return Model.of_arrays(arrays)
    except (OSError, SafetensorError, KeyError, RuntimeError, ValueError) as error:
        raise EventsError(f"{path}: it cannot be read as a model of events: {str(error)[:200]}") from None
