"""The configuration of an evaluation: what is measured, and the one recipe of all measurements."""

from typing import Annotated

from pydantic import Field

from distrack.evaluate.contract import BASELINES, EVALUATORS
from distrack.evaluate.recipe import Recipe
from distrack.networks import NETWORKS
from distrack.registry import NameIn
from distrack.validation import Option

Seeds = Annotated[
    int,
    Field(
        ge=1,
        le=100,
        title="Evaluation seeds",
        description="Networks trained per accuracy, each with a seed of its own.",
    ),
]


class EvaluationConfig(Recipe):
    """What is measured of a synthetic set, and the recipe of all measurements."""

    evaluators: Annotated[tuple[Annotated[str, NameIn(EVALUATORS)], ...], Option("evaluators")] = (
        "random-cnn",
        "prototype",
    )
    """Ways to measure how much a training set teaches."""
    baselines: Annotated[tuple[Annotated[str, NameIn(BASELINES)], ...], Option("baselines")] = (
        "random-selection",
        "class-mean",
    )
    """Real clips that are measured in the place of the tracks."""
    seeds: Seeds = 3
    architectures: Annotated[tuple[Annotated[str, NameIn(NETWORKS)], ...], Field(title="Other networks")] = ()
    """Other architectures, of the same width and depth, with which the CNN's accuracy is repeated."""

    @property
    def recipe(self) -> Recipe:
        """The recipe alone."""
        return Recipe(**{name: getattr(self, name) for name in Recipe.model_fields})
