"""The random-CNN evaluators: a randomly initialised CNN is trained on the training set and classifies test clips."""

import torch
from torch import Tensor

from distrack.augmentation import NO_AUGMENTATION
from distrack.evaluate.contract import EVALUATORS, Evaluator, Trial
from distrack.evaluate.training import trained_network


def random_cnn(trial: Trial) -> Tensor:
    """Trains a network by the recipe and predicts with its last state; no state is selected by its accuracy."""
    training = trial.training.examples(trial.device)
    network = trained_network(training, trial.recipe, trial.seed, trial.device, trial.progress)
    with torch.no_grad():
        return torch.cat([network(batch).argmax(1).cpu() for batch, _ in trial.test.batches(trial.device)])


def plain_cnn(trial: Trial) -> Tensor:
    """Trains a network as `random_cnn` does, but without augmentation and mixup, and predicts with its last state."""
    plain = trial.recipe.model_copy(update={"augmentation": NO_AUGMENTATION, "mixup": 0.0})
    return random_cnn(trial._replace(recipe=plain))


EVALUATORS.add(
    "random-cnn",
    Evaluator(
        random_cnn,
        lambda recipe: recipe.network_name,
        "CNN trained on the tracks",
        any_network=True,
        without_augmentation="random-cnn-plain",
    ),
    title="CNN",
)
EVALUATORS.add(
    "random-cnn-plain",
    Evaluator(
        plain_cnn,
        lambda recipe: recipe.network_name,
        "CNN trained on the tracks without augmentation",
        any_network=True,
        measures=("synthetic", "random-selection"),
        usual_steps=150,
    ),
    title="CNN without augmentation",
)
