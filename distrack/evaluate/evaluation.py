"""The evaluation of a synthetic set: every evaluator on the tracks and on its baselines, over several seeds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from distrack.device import one_thread_each
from distrack.distill import SyntheticSet
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import BASELINES, EVALUATORS, Examined, Tracks, TrainingSet
from distrack.evaluate.prediction_cache import Memory
from distrack.evaluate.scores import Evaluation, score
from distrack.images import RealImages
from distrack.randomness import derived_seed

# Told what is being measured, and how much of all is done, from 0 to 1.
Watch = Callable[[str, float], None]
# Of the training clips of each class, what learning rates are chosen on.
_HELD_OUT = 0.2


class Asked(NamedTuple):
    """One line of a report: an evaluator, what it is trained on, and by which recipe."""

    evaluator: str
    trained_on: str
    config: EvaluationConfig

    @property
    def network(self) -> str:
        """What the evaluator looks at images with."""
        return EVALUATORS[self.evaluator].looks_with(self.config)

    @property
    def key(self) -> tuple[str, str, str]:
        """See `Evaluation.key`."""
        return self.evaluator, self.trained_on, self.network


def planned(config: EvaluationConfig) -> list[Asked]:
    """What a config asks for: each evaluator on the tracks, then on the baselines that make sense for it."""
    plan = {}
    for name in config.evaluators:
        evaluator = EVALUATORS[name]
        networks = [config.network]
        if evaluator.any_network:
            networks += [config.network.model_copy(update={"name": other}) for other in config.architectures]
        suited = [baseline for baseline in config.baselines if name in BASELINES[baseline].evaluators]
        for network in networks:
            for trained_on in ["full"] if evaluator.listens else ["synthetic", *suited]:
                asked = Asked(name, trained_on, config.model_copy(update={"network": network}))
                plan[asked.key] = asked
    return list(plan.values())


def evaluate(
    synthetic: SyntheticSet,
    train: RealImages,
    test: RealImages,
    plan: Sequence[Asked],
    *,
    device: torch.device,
    watch: Watch,
    memory: Memory | None = None,
) -> Iterator[Evaluation]:
    """Yields an evaluation for each line of the plan.

    Args:
        synthetic: what is measured.
        train: real clips that baselines are chosen from.
        test: real clips that neither distillation nor training has seen.
        plan: what is asked for; `planned(config)` is all of a config.
        device: where to compute.
        watch: told of the progress; what it raises ends the evaluation.
        memory: what was measured before is taken from there, what is new is kept there.
    """
    share = _Share(watch, sum(asked.config.seeds for asked in plan))
    bench = _Bench(synthetic, train, test, device, memory, share)
    # Small networks gain little from a second thread inside each operation, and all of it from one that trains another.
    with one_thread_each(device) as workers, ThreadPoolExecutor(workers) as pool:
        asked_for = []
        for asked in plan:
            rate = pool.submit(bench.learning_rate, asked)
            seeds = [pool.submit(_predict_at, bench, asked, rate, seed) for seed in range(asked.config.seeds)]
            asked_for.append((asked, rate, seeds))
        try:
            for asked, rate, seeds in asked_for:
                yield score(
                    bench.truth(asked),
                    [seed.result().numpy() for seed in seeds],
                    classes=test.classes,
                    evaluator=asked.evaluator,
                    trained_on=asked.trained_on,
                    network=asked.network,
                    recipe=asked.config.recipe(),
                    learning_rate=rate.result(),
                )
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def remember(
    synthetic: SyntheticSet,
    train: RealImages,
    test: RealImages,
    asked: Asked,
    seed: int,
    *,
    device: torch.device,
    memory: Memory,
) -> None:
    """Makes one measurement, so that `evaluate` finds it in the memory; see there."""
    bench = _Bench(synthetic, train, test, device, memory, _Share(lambda _what, _share: None, 1))
    bench.predict(asked, bench.learning_rate(asked), seed)


class _Bench:
    """What a synthetic set is measured with and on."""

    def __init__(
        self,
        synthetic: SyntheticSet,
        train: RealImages,
        test: RealImages,
        device: torch.device,
        memory: Memory | None,
        share: "_Share",
    ) -> None:
        self._train, self._test, self._device = train, test, device
        self._memory, self._share, self._ipc = memory, share, synthetic.config.ipc
        self._tracks = Tracks(synthetic.tracks(), synthetic.labels, test.shift_bands, synthetic.fingerprint)
        self._of_tracks = TrainingSet.of_tracks(synthetic)
        self._clips = TrainingSet.of_clips(train)

    def truth(self, asked: Asked) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The classes of what is examined."""
        return self._tracks.labels.numpy() if EVALUATORS[asked.evaluator].listens else self._test.labels

    def learning_rate(self, asked: Asked) -> float | None:
        """Of the rates that the recipe offers, the one that is the best on held-out training clips.

        The first of equals; None where there is nothing to choose.
        """
        rates = asked.config.learning_rates
        if not rates or not EVALUATORS[asked.evaluator].any_network:
            return None
        fit, held = held_out(self._train)
        right = []
        for rate in rates:
            found = self._predicted(_at(asked, rate), 0, fit, held, lambda _done, _total: None)
            right.append(float((found.numpy() == held.labels).mean()))
        return rates[int(np.argmax(right))]

    def predict(self, asked: Asked, rate: float | None, seed: int) -> Tensor:
        """Predicted classes of what is examined, learnt at a rate, or at the recipe's own."""
        test = self._tracks if EVALUATORS[asked.evaluator].listens else self._test
        part = f"{asked.evaluator} on {asked.trained_on}, {seed + 1} of {asked.config.seeds}"
        if asked.config.architectures:
            part += f", {asked.network}"
        found = self._predicted(
            asked if rate is None else _at(asked, rate),
            seed,
            self._train,
            test,
            lambda done, total: self._share.tell(part, done, total),
        )
        self._share.tell(part, 1, 1)
        return found

    def _predicted(
        self, asked: Asked, seed: int, train: RealImages, test: Examined, progress: Callable[[int, int], None]
    ) -> Tensor:
        what = self._depends_on(asked, seed, train, test)
        found = None if self._memory is None else self._memory[what]
        if found is None:
            found = EVALUATORS[asked.evaluator].predict(
                self._of_tracks
                if asked.trained_on == "synthetic"
                else BASELINES[asked.trained_on].choose(train, self._ipc, seed),
                test,
                asked.config,
                clips=self._clips if train is self._train else TrainingSet.of_clips(train),
                seed=seed,
                device=self._device,
                progress=progress,
            )
            if self._memory is not None:
                self._memory[what] = found
        return found

    def _depends_on(self, asked: Asked, seed: int, train: RealImages, test: Examined) -> Mapping[str, Any]:
        tracks = self._tracks.fingerprint if asked.trained_on == "synthetic" else ""
        as_many = not tracks and BASELINES[asked.trained_on].as_many
        return {
            "evaluator": asked.evaluator,
            "trained_on": asked.trained_on,
            "tracks": tracks,
            "ipc": self._ipc if as_many else 0,
            "clips": train.fingerprint,
            "test": test.fingerprint,
            "recipe": asked.config.recipe(),
            "seed": seed,
            "device": self._device.type,
        }


def _predict_at(bench: _Bench, asked: Asked, rate: Future[float | None], seed: int) -> Tensor:
    return bench.predict(asked, rate.result(), seed)


def _at(asked: Asked, rate: float) -> Asked:
    recipe = {"learning_rate": rate, "learning_rates": ()}
    return asked._replace(config=asked.config.model_copy(update=recipe))


def held_out(train: RealImages) -> tuple[RealImages, RealImages]:
    """Training clips parted in two: those to learn from, and a fifth of each class, drawn once for all."""
    order = np.random.default_rng(derived_seed(0, "held out")).permutation(len(train))
    held = np.zeros(len(train), dtype=bool)
    for label in range(train.classes):
        members = order[train.labels[order] == label]
        held[members[: max(1, round(_HELD_OUT * len(members)))]] = True
    return tuple(  # type: ignore[return-value]
        replace(train, rows=train.rows[part], labels=train.labels[part]) for part in (~held, held)
    )


class _Share:
    """How much of all evaluations is done, told by several threads."""

    def __init__(self, watch: Watch, parts: int) -> None:
        self._watch, self._parts, self._lock = watch, parts, Lock()
        self._done: dict[str, float] = {}

    def tell(self, part: str, done: int, total: int) -> None:
        """So much of one part is done."""
        with self._lock:
            self._done[part] = done / total
            self._watch(part, sum(self._done.values()) / self._parts)
