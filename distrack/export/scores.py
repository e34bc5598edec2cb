"""A table of scores: runs with the same test clips, measured by one evaluator with one network."""

from collections.abc import Sequence
from typing import NamedTuple

from distrack.errors import ConfigError
from distrack.evaluate import EVALUATORS, TRAINING_SETS, Comparison, Evaluation
from distrack.export.comparison import Entry, evaluations, measured_by

# Storage budgets within this ratio count as equal: parameterisations cannot all hit the same number of floats.
_EQUAL = 1.05


class Row(NamedTuple):
    """A run, its evaluations by training set, and their comparison; None if its tracks were not evaluated."""

    entry: Entry
    evaluations: dict[str, Evaluation]
    comparison: Comparison | None


class Scores(NamedTuple):
    """The scores of one evaluator with one network.

    Attributes:
        network: what the evaluator sees images with, as reports name it.
        rows: the runs that it measured, from the smallest storage budget to the largest.
        lacking: the runs that it did not measure.
    """

    evaluator: str
    network: str
    rows: tuple[Row, ...]
    lacking: tuple[Entry, ...]

    @property
    def training_sets(self) -> list[str]:
        """The names of the training sets: the tracks first, then the baselines, the full dataset last."""
        names = dict.fromkeys(name for row in self.rows for name in row.evaluations)
        last = len(TRAINING_SETS)
        return sorted(names, key=lambda name: TRAINING_SETS.index(name) if name in TRAINING_SETS else last)

    @property
    def by_run(self) -> dict[str, list[Evaluation]]:
        return {row.entry.run.id: list(row.evaluations.values()) for row in self.rows}

    @property
    def tests_tracks(self) -> bool:
        """Whether the evaluator is trained on real clips and tested on the tracks."""
        return self.evaluator in list(EVALUATORS) and EVALUATORS[self.evaluator].tests_tracks

    @property
    def seeds(self) -> tuple[int, int]:
        """The lowest and the highest number of seeds of an accuracy."""
        counts = [len(each.accuracy.runs) for row in self.rows for each in row.evaluations.values()]
        return min(counts), max(counts)

    @property
    def one_recipe(self) -> bool:
        """Whether all accuracies come from the same training recipe."""
        recipes = [each.recipe for row in self.rows for each in row.evaluations.values()]
        return all(recipe == recipes[0] for recipe in recipes)

    @property
    def chance(self) -> float:
        """Accuracy of guessing."""
        return 1 / len(next(iter(self.rows[0].evaluations.values())).confusion)

    @property
    def budgets(self) -> list[list[int]]:
        """Positions of the rows by storage budget."""
        by_budget: list[list[int]] = []
        largest = -1.0
        for position, row in enumerate(self.rows):
            if row.entry.report.floats_per_class > largest:
                by_budget.append([])
                largest = _EQUAL * row.entry.report.floats_per_class
            by_budget[-1].append(position)
        return by_budget

    @property
    def best(self) -> set[tuple[int, str]]:
        """Row position and training set of the best accuracy of each storage budget, rounded to 0.1 percent.

        The full dataset does not take part, as it takes more storage. A budget with a single accuracy has no best.
        """
        best: set[tuple[int, str]] = set()
        for budget in self.budgets:
            means = {
                (position, name): round(100 * each.accuracy.mean, 1)
                for position in budget
                for name, each in self.rows[position].evaluations.items()
                if name != "full"
            }
            if len(means) > 1:
                best |= {place for place, mean in means.items() if mean == max(means.values())}
        return best


def scores(group: Sequence[Entry], evaluator: str, network: str) -> Scores:
    """The scores by an evaluator with a network of runs that have the same test clips."""
    rows = [
        Row(entry, {each.training_set: each for each in measured}, entry.comparisons.get((evaluator, network)))
        for entry in group
        if (measured := evaluations(entry, evaluator, network))
    ]
    lacking = tuple(entry for entry in group if not evaluations(entry, evaluator, network))
    rows.sort(key=lambda row: row.entry.report.floats_per_class)
    return Scores(evaluator, network, tuple(rows), lacking)


def select(entries: Sequence[Entry], evaluator: str | None, network: str | None) -> tuple[str, str]:
    """The first pair of evaluator and network of these runs that fits; None fits every name.

    Raises:
        ConfigError: none fits; the message lists all pairs.
    """
    pairs = measured_by(entries)
    for pair in pairs:
        if evaluator in (None, pair[0]) and network in (None, pair[1]):
            return pair
    known = "; ".join(f"{name} with {sees_with}" for name, sees_with in pairs) or "nothing"
    raise ConfigError(
        f"no run was evaluated by {evaluator or 'any evaluator'} with {network or 'any network'}. Known: {known}"
    )
