"""A distillation job: what is distilled and how the result is measured, as `config.json` keeps it."""

import shlex
from collections import Counter
from typing import Any

import pydantic
import torch
from pydantic import BaseModel

from distrack import datasets
from distrack.augmentation import AugmentationConfig
from distrack.device import choose_device
from distrack.distill import DistillConfig
from distrack.distill.domains import DOMAINS
from distrack.errors import ConfigError
from distrack.evaluate import EvaluationConfig
from distrack.networks import check_shape
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

    @property
    def usual_name(self) -> str:
        """What a run is called unless it is named."""
        feature = self.feature.name.removesuffix("spectrogram")
        return f"{self.dataset.lower().replace('_', '-')}_{feature}_ipc{self.ipc}"

    def command(self) -> str:
        """What a person types for the same job: the preset, and only what differs from it."""
        return shlex.join(["python", "-m", "distrack", "distill", *(word for each in self.options() for word in each)])

    def options(self) -> list[tuple[str, ...]]:
        """The options of that command, each with its value where it has one."""
        feature = {"name": self.feature.name}
        # What a preset goes by, and what then differs from it.
        asked = {"dataset": self.dataset, "preset": self.preset, "ipc": self.ipc, "feature": feature}
        asked |= {"domain": self.domain, "duration": self.duration}
        try:
            plain = dict(flat(type(self).model_validate(asked)))
        except pydantic.ValidationError:
            # The preset alone is impossible here; all that makes it possible is written.
            plain = dict(flat(EvaluationConfig(), "evaluation."))
        if plain.get("parameterisation") != self.parameterisation:
            plain.pop("factor", None)  # of another one
        words: list[tuple[str, ...]] = [
            ("--dataset", self.dataset),
            ("--feature-type", self.feature.name),
            ("--ipc", str(self.ipc)),
        ]
        words += [("--preset", self.preset)]
        if self.domain != next(iter(DOMAINS)):
            words += [("--domain", self.domain)]
        if self.seconds != datasets.DATASETS[self.dataset].seconds:
            words += [("--duration", str(self.duration))]
        written = {"dataset", "feature.name", "ipc", "preset", "domain", "duration"}
        for field, value in flat(self):
            # An evaluation that is None is the one field whose None says something.
            # Of an evaluation's recipe, which a config of an earlier version may have otherwise, there are no options.
            named = not field.startswith("evaluation.") or field in OPTIONS
            if field == "evaluation" or (named and field not in written and value != plain.get(field)):
                words += [tuple(option(field, value))]
        return words

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
        if self.evaluation is None:
            return
        try:
            check_shape(self.evaluation.network, self.feature.shape(self.samples))
        except ValueError as error:
            raise ConfigError(f"evaluation: {error}, or evaluate not at all (--no-evaluate)") from None


def flat(model: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        pairs += flat(value, f"{prefix}{name}.") if isinstance(value, BaseModel) else [(prefix + name, value)]
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
    "pool.refresh_every": "pool-refresh-every",
    "pool.training": "pool-training",
    **{f"augmentation.{field}": field.replace("_", "-") for field in AugmentationConfig.model_fields},
    "pool.clips_per_class": "clips-per-class",
    "evaluation.evaluators": "evaluators",
    "evaluation.baselines": "baselines",
    "evaluation.seeds": "evaluation-seeds",
}


def option(field: str, value: Any) -> list[str]:
    if field == "evaluation":
        return ["--no-evaluate"]
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return [f"--{OPTIONS.get(field, field.replace('_', '-'))}", text]
