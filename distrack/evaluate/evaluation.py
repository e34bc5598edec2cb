"""The evaluation of a synthetic set: every evaluator on the tracks and on its baselines, over several seeds."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch

from distrack.distill import RealImages, SyntheticSet
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import BASELINES, EVALUATORS, TrainingSet
from distrack.evaluate.scores import Evaluation, score

# Told what is being measured, and how much of all is done, from 0 to 1.
Watch = Callable[[str, float], None]


def planned(config: EvaluationConfig) -> list[tuple[str, str]]:
    """What a config asks for: each evaluator on the tracks, then on the baselines that make sense for it."""
    return [
        (evaluator, trained_on)
        for evaluator in config.evaluators
        for trained_on in ("synthetic", *config.baselines)
        if trained_on == "synthetic" or evaluator in BASELINES[trained_on].evaluators
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
    for number, (evaluator, trained_on) in enumerate(plan):
        predictions = []
        for seed in range(config.seeds):
            predicted = EVALUATORS[evaluator](
                _training_set(trained_on, synthetic, train, seed),
                test,
                config,
                seed=seed,
                device=device,
                progress=partial(
                    _watch_part,
                    watch,
                    f"{evaluator} on {trained_on}, {seed + 1} of {config.seeds}",
                    number * config.seeds + seed,
                    len(plan) * config.seeds,
                ),
            )
            predictions.append(predicted.numpy())
        yield score(
            test.labels,
            predictions,
            classes=test.classes,
            evaluator=evaluator,
            trained_on=trained_on,
            network=network,
        )


def _watch_part(watch: Watch, what: str, before: int, parts: int, done: int, total: int) -> None:
    watch(what, (before + done / total) / parts)


def _training_set(trained_on: str, synthetic: SyntheticSet, train: RealImages, seed: int) -> TrainingSet:
    if trained_on == "synthetic":
        return TrainingSet.of_tracks(synthetic)
    return BASELINES[trained_on].choose(train, synthetic.config.ipc, seed)
