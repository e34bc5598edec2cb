"""The random-CNN evaluator: a randomly initialised CNN learns from a training set and is tested on real clips."""

import torch
from torch import Tensor

from distrack.datasets.contract import Progress
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import EVALUATORS, Evaluator, Examined, TrainingSet, the_network
from distrack.evaluate.training import predict, steps_for, train
from distrack.networks import build_network
from distrack.randomness import derived_seed, generator


def random_cnn(
    training: TrainingSet,
    test: Examined,
    config: EvaluationConfig,
    *,
    clips: TrainingSet,  # noqa: ARG001
    seed: int,
    device: torch.device,
    progress: Progress,
) -> Tensor:
    """Trains by the one recipe (see `distrack.evaluate.training`); the last network counts, none is picked."""
    training = training.examples(device)
    network = build_network(
        config.network, shape=test.shape, classes=training.classes, seed=derived_seed(seed, "evaluation network")
    ).to(device)
    train(
        network,
        training,
        config,
        generator(seed, "evaluation batches"),
        steps=steps_for(len(training), config),
        shift_bands=test.shift_bands,
        device=device,
        progress=progress,
    )
    return predict(network, test, device)


EVALUATORS.add("random-cnn", Evaluator(random_cnn, the_network, "a CNN that learns from them", any_network=True))
# The same the other way round: how many tracks a network recognises that learnt from real clips. It says whether a
# track still sounds like its class, not what can be learnt from it.
EVALUATORS.add(
    "recognition",
    Evaluator(random_cnn, the_network, "does a CNN that learnt from real clips know the tracks", listens=True),
)
