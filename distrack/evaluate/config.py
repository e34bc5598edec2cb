"""The configuration of an evaluation, and its plan: the measurements that it asks for, all by one recipe."""

from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field

from distrack.evaluate.contract import BASELINES, EVALUATORS, formed
from distrack.learning import Recipe
from distrack.networks import NETWORKS
from distrack.registry import NameIn
from distrack.validation import Option

Form = Literal["image", "sound"]
"""What a network is shown of a stored track: the stored image itself, or the image of the sound that is exported."""
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
        "random-cnn-plain",
        "prototype",
    )
    """Ways to measure how much a training set teaches."""
    baselines: Annotated[tuple[Annotated[str, NameIn(BASELINES)], ...], Option("baselines")] = (
        "random-selection",
        "same-storage",
    )
    """Comparisons. "Full dataset" trains on all clips and is slowest; it is measured once for a dataset."""
    forms: Annotated[tuple[Form, ...], Field(min_length=1, title="Evaluate tracks as"), Option("as")] = (
        "image",
        "sound",
    )
    """What is learnt from: the stored images of the tracks, their exported sounds, or each of them. The same-storage
    control is measured in the first of these forms."""
    seeds: Seeds = 3
    architectures: Annotated[tuple[Annotated[str, NameIn(NETWORKS)], ...], Field(title="Other networks")] = ()
    """Other architectures, of the same width and depth, with which the CNN's accuracy is repeated."""

    @property
    def recipe(self) -> Recipe:
        """The recipe alone."""
        return Recipe(**{name: getattr(self, name) for name in Recipe.model_fields})


class Measurement(NamedTuple):
    """One line of a report: an evaluator, the training set that it measures, the recipe and the number of seeds.

    Attributes:
        trained_on: `synthetic` for the tracks, or the name of a baseline.
        seeds: number of runs, with the seeds 0 to `seeds - 1`.
        form: how tracks, and baselines that are stored as tracks are, are presented to the evaluator.
    """

    evaluator: str
    trained_on: str
    recipe: Recipe = Recipe()
    seeds: int = 3
    form: Form = "image"

    @property
    def network(self) -> str:
        """The network or the statistics that the evaluator represents images with, as a report names it."""
        return EVALUATORS[self.evaluator].network_name(self.recipe)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The key of its line in a report; see `Evaluation.key`."""
        return self.evaluator, self.trained_on, self.network, self.form

    @property
    def depends_on(self) -> tuple[str, ...] | None:
        """The fields of a distillation's config that its training set and its test set follow from; None for all."""
        if self.trained_on == "synthetic" or EVALUATORS[self.evaluator].tests_tracks:
            return None
        return BASELINES[self.trained_on].depends_on

    def cost(self, *, classes: int, ipc: int, tracks: int, clips: int) -> int:
        """About how many images its network sees in training, with so many tracks and real training clips in all."""
        evaluator, recipe = EVALUATORS[self.evaluator], self.recipe
        if not (evaluator.any_network or evaluator.tests_tracks):
            return 0
        stored = self.trained_on == "synthetic" or BASELINES[self.trained_on].is_stored
        examples = tracks if stored else clips if self.trained_on == "full" else classes * ipc
        steps = min(recipe.steps_for(examples), evaluator.usual_steps or recipe.steps_for(examples))
        return steps * min(recipe.batch_size, max(examples, recipe.smallest_batch))


TRAINING_SETS = tuple(
    formed(name, form)
    for name in ("synthetic", *BASELINES)
    for form in (get_args(Form) if name == "synthetic" or BASELINES[name].is_stored else ("image",))
)
"""The tracks and the baselines in each of their forms, in the order in which they are shown."""


def measurements(config: EvaluationConfig) -> list[Measurement]:
    """The measurements of a config: each evaluator on the tracks, then on the baselines that it can measure."""
    plan = {}
    for name in config.evaluators:
        evaluator = EVALUATORS[name]
        networks = [config.network]
        if evaluator.any_network:
            networks += [config.network.model_copy(update={"name": other}) for other in config.architectures]
        baselines = [
            baseline
            for baseline in config.baselines
            if BASELINES[baseline].suits(evaluator) and (not evaluator.measures or baseline in evaluator.measures)
        ]
        for network in networks:
            recipe = config.recipe.model_copy(update={"network": network})
            for trained_on in ["full"] if evaluator.tests_tracks else ["synthetic", *baselines]:
                of_tracks = evaluator.tests_tracks or trained_on == "synthetic"
                forms: tuple[Form, ...] = ("image",)
                if of_tracks and not evaluator.measures:
                    forms = config.forms
                elif of_tracks or BASELINES[trained_on].is_stored:
                    forms = config.forms[:1]
                for form in forms:
                    measurement = Measurement(name, trained_on, recipe, config.seeds, form)
                    plan[measurement.key] = measurement
    return list(plan.values())
