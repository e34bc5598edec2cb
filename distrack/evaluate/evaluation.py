"""The evaluation of a synthetic set: every evaluator on the tracks and on its baselines, over several seeds."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

import torch
from torch import Tensor

from distrack.device import one_thread_each
from distrack.distill import RealImages, SyntheticSet
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import BASELINES, EVALUATORS, LISTENERS, Tracks, TrainingSet
from distrack.evaluate.scores import Evaluation, score

# Told what is being measured, and how much of all is done, from 0 to 1.
Watch = Callable[[str, float], None]


def planned(config: EvaluationConfig) -> list[tuple[str, str]]:
    """What a config asks for: each evaluator on the tracks, then on the baselines that make sense for it."""
    return [
        (evaluator, trained_on)
        for evaluator in config.evaluators
        for trained_on in (("full",) if evaluator in LISTENERS else ("synthetic", *config.baselines))
        if evaluator in LISTENERS or trained_on == "synthetic" or evaluator in BASELINES[trained_on].evaluators
    ]


def evaluate(
    synthetic: SyntheticSet,
    train: RealImages,
    test: RealImages,
    config: EvaluationConfig,
    *,
    plan: Sequence[tuple[str, str]],
    device: torch.device,
    watch: Watch,
) -> Iterator[Evaluation]:
    """Yields an evaluation for each pair of the plan.

    Args:
        synthetic: what is measured.
        train: real clips that baselines are chosen from.
        test: real clips that neither distillation nor training has seen.
        config: the recipe.
        plan: pairs of an evaluator and what it is trained on; `planned(config)` is all of them.
        device: where to compute.
        watch: told of the progress; what it raises ends the evaluation.
    """
    network = f"{config.network.name} {config.network.width} x {config.network.depth}"
    tracks = Tracks(synthetic.tracks(), synthetic.labels, test.shift_bands)
    share = _Share(watch, len(plan) * config.seeds)

    def predict(evaluator: str, trained_on: str, seed: int) -> Tensor:
        return EVALUATORS[evaluator](
            _training_set(trained_on, synthetic, train, seed),
            tracks if evaluator in LISTENERS else test,
            config,
            seed=seed,
            device=device,
            progress=partial(share.tell, f"{evaluator} on {trained_on}, {seed + 1} of {config.seeds}"),
        )

    # Small networks gain little from a second thread inside each operation, and all of it from one that trains another.
    with one_thread_each(device) as workers, ThreadPoolExecutor(workers) as pool:
        seeds = range(config.seeds)
        asked = [(*pair, [pool.submit(predict, *pair, seed) for seed in seeds]) for pair in plan]
        try:
            for evaluator, trained_on, predictions in asked:
                yield score(
                    tracks.labels.numpy() if evaluator in LISTENERS else test.labels,
                    [prediction.result().numpy() for prediction in predictions],
                    classes=test.classes,
                    evaluator=evaluator,
                    trained_on=trained_on,
                    network=network,
                )
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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


def _training_set(trained_on: str, synthetic: SyntheticSet, train: RealImages, seed: int) -> TrainingSet:
    if trained_on == "synthetic":
        return TrainingSet.of_tracks(synthetic)
    return BASELINES[trained_on].choose(train, synthetic.config.ipc, seed)
