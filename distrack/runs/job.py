"""A distillation job: what is distilled and how the result is measured, as `config.json` keeps it."""

import shlex
from collections import Counter
from typing import Any

import torch
from pydantic import BaseModel

from distrack import datasets
from distrack.audio import SAMPLE_RATE
from distrack.device import choose_device
from distrack.distill import PRESETS, DistillConfig
from distrack.distill.config import merged
from distrack.errors import ConfigError
from distrack.evaluate import EvaluationConfig
from distrack.settings import settings


class DistillJob(DistillConfig):
    """A distillation and, unless it is None, the evaluation that follows it."""

    evaluation: EvaluationConfig | None = EvaluationConfig()

    def distillation(self) -> DistillConfig:
        """The job without its evaluation: what a synthetic set keeps of how it was made."""
        return DistillConfig.model_validate({name: getattr(self, name) for name in DistillConfig.model_fields})

    def chosen_device(self) -> torch.device:
        """Where the job computes on this machine.

        Raises:
            ConfigError: no such device here.
        """
        return choose_device(self.device if self.device != "auto" else settings().device)

    def command(self) -> str:
        """What a person types for the same job: the preset, and only what differs from it."""
        feature = {"name": self.feature.name}
        asked = {"dataset": self.dataset, "preset": self.preset, "ipc": self.ipc, "feature": feature}
        plain = dict(_flat(type(self).model_validate(merged(PRESETS[self.preset], asked))))
        words = ["python", "-m", "distrack", "distill", "--dataset", self.dataset]
        words += ["--feature-type", self.feature.name, "--ipc", str(self.ipc), "--preset", self.preset]
        written = {"dataset", "feature.name", "ipc", "preset"}
        for field, value in _flat(self):
            # A field that the plain job does not have is an evaluation that is None.
            if field not in written and (field not in plain or value != plain[field]):
                words += _option(field, value)
        return shlex.join(words)

    def check(self) -> None:
        """Refuses, before any work, what the dataset on this disk cannot give.

        Raises:
            DatasetError: the dataset is not there or cannot be used.
            ConfigError: a class has fewer training clips than tracks are asked for, or the images are too small for the
                evaluation's network.
        """
        self._check_evaluation()
        root = datasets.home(datasets.DATASETS[self.dataset], self.data_path)
        if not root.is_dir() and datasets.DATASETS[self.dataset].make is not None and self.data_path is None:
            return  # it will be made
        index = datasets.index(self.dataset, self.data_path, test_fold=self.test_fold)
        counts = Counter(clip.label for clip in index.clips if clip.split == "train")
        label, fewest = min(counts.items(), key=lambda item: item[1])
        if self.ipc > fewest:
            raise ConfigError(
                f"ipc {self.ipc}: class {index.classes[label]} of {self.dataset} has only {fewest} training clips; "
                f"ask for at most {fewest} tracks per class"
            )

    def _check_evaluation(self) -> None:
        bands, frames = self.feature.shape(round(self.seconds * SAMPLE_RATE))
        if self.evaluation is not None and min(bands, frames) < 2**self.evaluation.network.depth:
            raise ConfigError(
                f"an image of {bands} bands x {frames} frames is too small for an evaluation network of depth "
                f"{self.evaluation.network.depth}: choose a longer duration, a shorter hop or more bands, "
                f"or evaluate not at all (--no-evaluate)"
            )


def _flat(model: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else [(prefix + name, value)]
    return pairs


# Fields whose option is not their own name.
OPTIONS = {
    "feature.n_fft": "n-fft",
    "feature.hop_length": "hop-length",
    "feature.n_mels": "n-mels",
    "feature.n_mfcc": "n-mfcc",
    "network.name": "network",
    "network.width": "width",
    "network.depth": "depth",
    "pool.size": "pool-size",
    "pool.grow_every": "pool-grow-every",
    "pool.clips_per_class": "clips-per-class",
    "evaluation.evaluators": "evaluators",
    "evaluation.baselines": "baselines",
    "evaluation.seeds": "evaluation-seeds",
}


def _option(field: str, value: Any) -> list[str]:
    if field == "evaluation":
        return ["--no-evaluate"]
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return [f"--{OPTIONS.get(field, field.replace('_', '-'))}", text]
