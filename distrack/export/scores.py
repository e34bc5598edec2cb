"""What can stand in one table: runs tested on the same clips, measured by one evaluator with one network."""

from collections.abc import Sequence
from typing import NamedTuple

from distrack.evaluate import BASELINES, EVALUATORS, Comparison, Evaluation
from distrack.export.comparison import Entry, evaluations

# Storage budgets that differ by no more count as equal: parameterisations cannot all hit the same number of floats.
_EQUAL = 1.05
_KINDS = ("synthetic", *BASELINES)


class Row(NamedTuple):
    """A run, and by what was learnt from its evaluations."""

    entry: Entry
    found: dict[str, Evaluation]
    comparison: Comparison | None


class Scores(NamedTuple):
    """Runs tested on the same clips, by one evaluator with one network.

    Attributes:
        rows: the runs that it measured, from the smallest storage to the largest.
        lacking: those that it did not.
    """

    evaluator: str
    network: str
    rows: tuple[Row, ...]
    lacking: tuple[Entry, ...]

    @property
    def kinds(self) -> list[str]:
        """What was learnt from: the tracks first, then the baselines, all clips last."""
        there = dict.fromkeys(kind for row in self.rows for kind in row.found)
        return sorted(there, key=lambda kind: _KINDS.index(kind) if kind in _KINDS else len(_KINDS))

    @property
    def listens(self) -> bool:
        """Whether it learns from real clips and is examined on the tracks."""
        return self.evaluator in list(EVALUATORS) and EVALUATORS[self.evaluator].tests_tracks

    @property
    def seeds(self) -> tuple[int, int]:
        """The fewest and the most that an accuracy is the mean of."""
        counts = [len(each.accuracy.runs) for row in self.rows for each in row.found.values()]
        return min(counts), max(counts)

    @property
    def one_recipe(self) -> bool:
        """Whether all was measured by the same recipe."""
        recipes = [each.recipe for row in self.rows for each in row.found.values()]
        return all(recipe == recipes[0] for recipe in recipes)

    @property
    def chance(self) -> float:
        """Accuracy of guessing."""
        return 1 / len(next(iter(self.rows[0].found.values())).confusion)

    @property
    def budgets(self) -> list[list[int]]:
        """Positions of the rows whose storage is equal."""
        found: list[list[int]] = []
        for position, row in enumerate(self.rows):
            smallest = self.rows[found[-1][0]].entry.report.floats_per_class if found else 0
            if found and row.entry.report.floats_per_class <= _EQUAL * smallest:
                found[-1].append(position)
            else:
                found.append([position])
        return found

    @property
    def best(self) -> set[tuple[int, str]]:
        """Position and kind of the best at each budget, as far as one decimal of a percent tells; all clips, which
        take more, are not among them. Nothing is the best where it is alone."""
        found: set[tuple[int, str]] = set()
        for budget in self.budgets:
            means = {
                (position, kind): round(100 * each.accuracy.mean, 1)
                for position in budget
                for kind, each in self.rows[position].found.items()
                if kind != "full"
            }
            if len(means) > 1:
                found |= {place for place, mean in means.items() if mean == max(means.values())}
        return found


def scores(group: Sequence[Entry], evaluator: str, network: str) -> Scores:
    """What an evaluator with a network has measured of runs that were tested on the same clips."""
    rows = [
        Row(entry, {each.trained_on: each for each in found}, entry.comparisons.get((evaluator, network)))
        for entry in group
        if (found := evaluations(entry, evaluator, network))
    ]
    measured = [id(row.entry) for row in rows]
    lacking = tuple(entry for entry in group if id(entry) not in measured)
    rows.sort(key=lambda row: row.entry.report.floats_per_class)
    return Scores(evaluator, network, tuple(rows), lacking)


def lowest_recall(evaluation: Evaluation) -> float | None:
    """Of the class that is recognised worst, among those that were examined."""
    pairs = zip(evaluation.recall, evaluation.confusion, strict=True)
    return min((recall for recall, row in pairs if any(row)), default=None)
