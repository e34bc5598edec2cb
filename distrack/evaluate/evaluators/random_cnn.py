"""The random-CNN evaluators: a randomly initialised CNN is trained on the training set and classifies test clips."""

from torch import Tensor

from distrack.evaluate.contract import EVALUATORS, Evaluator, Trial
from distrack.learning import trained_network


def random_cnn(trial: Trial) -> Tensor:
    """Trains a network by the recipe and predicts with its last state; no state is selected by its accuracy."""
    training = trial.training.examples(trial.device)
    network = trained_network(training, trial.recipe, trial.seed, trial.device, trial.progress)
    return trial.predicted(lambda images: network(images).argmax(1))


def plain_cnn(trial: Trial) -> Tensor:
    """Trains a network as `random_cnn` does, but without augmentation and mixup, and predicts with its last state."""
    return random_cnn(trial._replace(recipe=trial.recipe.plain))


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
