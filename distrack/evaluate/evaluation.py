"""The evaluation of a synthetic set: every measurement of a plan over several seeds, none of them made twice."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from distrack.arrays import Integers
from distrack.device import side_by_side
from distrack.distill import SyntheticSet
from distrack.distill.sounds import exported
from distrack.evaluate.config import Form, Measurement
from distrack.evaluate.contract import BASELINES, EVALUATORS, Trial
from distrack.evaluate.report import Evaluation, score
from distrack.evaluate.tracks import training_set_of
from distrack.files import write_atomically
from distrack.images import RealImages
from distrack.known_reports import VERSION
from distrack.learning import TrainingSet
from distrack.progress import Progress, unwatched
from distrack.randomness import derived_seed

# (part, share): what is being measured, and the finished share of all measurements, from 0 to 1.
ShareProgress = Callable[[str, float], None]
# The share of each class's training clips on which learning rates are compared.
_HELD_OUT = 0.2

T = TypeVar("T")


@dataclass(frozen=True)
class PredictionCache:
    """A folder with a JSON file for each run of a measurement; several processes may use it at once."""

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


def hold_out(train: RealImages) -> tuple[RealImages, RealImages]:
    """Splits training clips into those to learn from and those to compare learning rates on, always in the same way."""
    order = np.random.default_rng(derived_seed(0, "held out")).permutation(len(train))
    held_out = np.zeros(len(train), dtype=bool)
    for label in range(train.classes):
        members = order[train.labels[order] == label]
        held_out[members[: max(1, round(_HELD_OUT * len(members)))]] = True
    return train.at(~held_out), train.at(held_out)


class Bench:
    """A synthetic set and the real clips of its dataset, ready to be measured.

    Args:
        train: real training clips, from which baselines are chosen.
        test: real test clips, which neither distillation nor training has seen.
        cache: predictions of earlier measurements are read from it, new ones are stored in it.
        sounds: reads the exported FLAC files of the tracks, in their order; by default they are made anew.
    """

    def __init__(
        self,
        synthetic: SyntheticSet,
        train: RealImages,
        test: RealImages,
        device: torch.device,
        cache: PredictionCache | None = None,
        sounds: Callable[[], Sequence[bytes]] | None = None,
    ) -> None:
        self._train, self._test, self._device, self._cache = train, test, device, cache
        self._synthetic, self._sounds = synthetic, sounds or (lambda: list(exported(synthetic)))
        self._clips = TrainingSet.of_clips(train)
        self._made: dict[Any, Any] = {}
        self._locks: dict[Any, Lock] = {}

    def evaluate(self, plan: Sequence[Measurement], progress: ShareProgress = unwatched) -> Iterator[Evaluation]:
        """Yields the scores of every measurement of a plan, in its order: after its first run, after two, and so on.

        Args:
            plan: the measurements; `measurements(config)` gives those of a config.
            progress: called by several threads, one at a time; an exception that it raises ends the evaluation.
        """
        # What is in the cache, or trains no network, takes hardly any time.
        progress_of = _share_of_all(progress, {part: 1 + cost for part, cost in self.costs(plan).items()})
        # A small network gains little from a second thread inside each operation, much from training beside another.
        with side_by_side(self._device) as pool:
            pending = []
            for measurement in plan:
                rate = pool.submit(self.learning_rate, measurement)
                runs = [
                    pool.submit(self.predict, measurement, seed, rate.result, progress_of((measurement.key, seed)))
                    for seed in range(measurement.seeds)
                ]
                pending.append((measurement, rate, runs))
            try:
                for measurement, rate, runs in pending:
                    predictions: list[Integers] = []
                    for run in runs:
                        predictions.append(run.result().numpy())
                        yield score(
                            self.truth(measurement),
                            predictions,
                            classes=self._train.classes,
                            evaluator=measurement.evaluator,
                            trained_on=measurement.trained_on,
                            network=measurement.network,
                            form=measurement.form,
                            recipe=measurement.recipe.model_dump(mode="json"),
                            learning_rate=rate.result(),
                            seeds=measurement.seeds,
                        )
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def costs(self, plan: Sequence[Measurement]) -> dict[Any, int]:
        """Images that the network of each run is still to see in training; 0 for a run that is in the cache."""
        costs = {}
        counts = {"tracks": len(self._synthetic.labels), "clips": len(self._train), "classes": self._train.classes}
        for each in plan:
            for seed in range(each.seeds):
                key = self._key(each, seed, self._train, self._test)
                cached = self._cache is not None and self._cache.get(key) is not None
                costs[each.key, seed] = 0 if cached else each.cost(ipc=self._synthetic.config.ipc, **counts)
        return costs

    def truth(self, measurement: Measurement) -> Integers:
        """The true classes of the images that a measurement classifies, `[n]`."""
        return self._synthetic.labels.numpy() if EVALUATORS[measurement.evaluator].tests_tracks else self._test.labels

    def learning_rate(self, measurement: Measurement) -> float | None:
        """The rate of `learning_rates` with the highest accuracy on held-out training clips, the first of equal ones.

        Baselines are chosen from the other training clips. Tracks were distilled from all of them.

        Returns:
            the rate, or None if the recipe gives no rates to try or the evaluator has no learning rate
        """
        rates = measurement.recipe.learning_rates
        if not rates or not EVALUATORS[measurement.evaluator].any_network:
            return None
        train, held_out = hold_out(self._train)
        accuracies = []
        for rate in rates:
            predictions = self._predict(_with_rate(measurement, rate), 0, train, held_out, unwatched)
            accuracies.append(float((predictions.numpy() == held_out.labels).mean()))
        return rates[int(np.argmax(accuracies))]

    def predict(
        self,
        measurement: Measurement,
        seed: int,
        tuned: Callable[[], float | None] | None = None,
        progress: Progress = unwatched,
    ) -> Tensor:
        """Predicted classes of one run, `[n]`; they are in the cache afterwards, where `evaluate` finds them.

        Args:
            tuned: gives the result of `learning_rate` and may wait for it; by default it is computed here.
        """
        rate = self.learning_rate(measurement) if tuned is None else tuned()
        at_rate = measurement if rate is None else _with_rate(measurement, rate)
        predictions = self._predict(at_rate, seed, self._train, self._test, progress)
        progress(1, 1)
        return predictions

    def _predict(
        self, measurement: Measurement, seed: int, train: RealImages, test: RealImages, progress: Progress
    ) -> Tensor:
        key = self._key(measurement, seed, train, test)
        cached = None if self._cache is None else self._cache.get(key)
        if cached is not None:
            return cached
        evaluator = EVALUATORS[measurement.evaluator]
        trial = Trial(
            self._training_set(measurement, seed, train),
            self._tracks(measurement.form) if evaluator.tests_tracks else test,
            measurement.recipe,
            clips=self._clips if train is self._train else TrainingSet.of_clips(train),
            seed=seed,
            device=self._device,
            progress=progress,
        )
        predictions = evaluator.predict(trial)
        if self._cache is not None:
            self._cache.put(key, predictions)
        return predictions

    def _training_set(self, measurement: Measurement, seed: int, train: RealImages) -> TrainingSet:
        name, form = measurement.trained_on, measurement.form
        if name == "synthetic":
            return self._tracks(form)
        # Evaluators share it. With held-out clips left out, fewer clips are another choice.
        place = (name, seed, len(train))
        chosen = self._once(place, lambda: BASELINES[name].choose(train, self._synthetic, seed))
        if isinstance(chosen, TrainingSet):
            return chosen
        return self._once((*place, form), lambda: self._presented(chosen, form, lambda: list(exported(chosen))))

    def _tracks(self, form: Form) -> TrainingSet:
        return self._once(form, lambda: self._presented(self._synthetic, form, self._files))

    def _presented(self, synthetic: SyntheticSet, form: Form, sounds: Callable[[], Sequence[bytes]]) -> TrainingSet:
        return training_set_of(synthetic, self._train, sounds=None if form == "image" else sounds())

    def _files(self) -> Sequence[bytes]:
        return self._once("files", self._sounds)

    def _fingerprint(self, form: Form) -> str:
        if form == "image":
            return self._synthetic.fingerprint
        return self._once("digest", lambda: hashlib.sha256(b"".join(self._files())).hexdigest()[:24])

    def _once(self, key: Any, make: Callable[[], T]) -> T:
        """What `make` returns, made by the first thread that asks for this key."""
        with self._locks.setdefault(key, Lock()):
            if key not in self._made:
                self._made[key] = make()
            made: T = self._made[key]
            return made

    def _key(self, measurement: Measurement, seed: int, train: RealImages, test: RealImages) -> Mapping[str, Any]:
        """Everything that the predictions of one run depend on."""
        on_tracks, tests_tracks = measurement.trained_on == "synthetic", EVALUATORS[measurement.evaluator].tests_tracks
        fields = set() if on_tracks else set(BASELINES[measurement.trained_on].depends_on)
        return {
            "evaluator": measurement.evaluator,
            "trained_on": measurement.trained_on,
            "form": measurement.form,
            "tracks": self._fingerprint(measurement.form) if on_tracks or tests_tracks else "",
            "config": self._synthetic.config.model_dump(mode="json", include=fields),
            "clips": train.fingerprint,
            "test": "" if tests_tracks else test.fingerprint,
            "recipe": measurement.recipe.model_dump(mode="json"),
            "seed": seed,
            "device": self._device.type,
        }


def _with_rate(measurement: Measurement, rate: float) -> Measurement:
    recipe = measurement.recipe.model_copy(update={"learning_rate": rate, "learning_rates": ()})
    return measurement._replace(recipe=recipe)


def _share_of_all(progress: ShareProgress, costs: Mapping[Any, int]) -> Callable[[Any], Progress]:
    """The progress of each of many parts, which run in several threads, as one share of all by their costs."""
    lock = Lock()
    shares = dict.fromkeys(costs, 0.0)

    def report(part: Any, done: int, total: int) -> None:
        with lock:
            shares[part] = done / total
            finished = sum(share >= 1 for share in shares.values())
            spent = sum(share * costs[part] for part, share in shares.items())
            progress(f"{finished} of {len(costs)} networks", spent / sum(costs.values()))

    return lambda part: partial(report, part)
