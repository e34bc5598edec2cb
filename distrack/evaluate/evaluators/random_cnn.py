"""The random-CNN evaluator: a randomly initialised CNN is trained on the training set and classifies test clips."""

import torch
from torch import Tensor

from distrack.evaluate.contract import EVALUATORS, Evaluator
from distrack.evaluate.recipe import Recipe
from distrack.evaluate.training import predict, steps_for, train
from distrack.evaluate.training_set import LabelledImages, TrainingSet
from distrack.networks import build_network
from distrack.progress import Progress
from distrack.randomness import derived_seed, generator


def random_cnn(
    training: TrainingSet,
    test: LabelledImages,
    recipe: Recipe,
    *,
    clips: TrainingSet,  # noqa: ARG001
    seed: int,
    device: torch.device,
    progress: Progress,
) -> Tensor:
    """Trains a network by the recipe and predicts with its last state; no state is selected by its accuracy.

    Args and returns: see `distrack.evaluate.contract.Predict`. `clips` is not used.
    """
    training = training.examples(device)
    network = build_network(
        recipe.network, shape=test.shape, classes=training.classes, seed=derived_seed(seed, "evaluation network")
    ).to(device)
    train(
        network,
        training,
        recipe,
        generator(seed, "evaluation batches"),
        steps=steps_for(len(training), recipe),
        shift_bands=test.shift_bands,
        device=device,
        progress=progress,
    )
    return predict(network, test, device)


EVALUATORS.add(
    "random-cnn",
    Evaluator(random_cnn, lambda recipe: recipe.network_name, "CNN trained on the tracks", any_network=True),
)
