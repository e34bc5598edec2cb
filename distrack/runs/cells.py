"""The cells of a series: what one of its runs is, and what their figures come to together."""

from collections.abc import Iterable
from typing import NamedTuple

from distrack.evaluate import Accuracy
from distrack.runs.job import DistillJob


class Cell(NamedTuple):
    """One run of a series.

    Attributes:
        run_id: the run that it is, below the series' own runs path.
        job: what that run does.
        title: what tells it from the others, for a person; the seed apart.
    """

    run_id: str
    job: DistillJob
    title: str

    @property
    def said(self) -> str:
        """The cell for a person."""
        return f"{self.title}, seed {self.job.seed}"


class Group(NamedTuple):
    """Cells that are looked at side by side.

    Attributes:
        title: what they have in common and others have not; empty where there are no others.
    """

    title: str
    cells: tuple[Cell, ...]


def pooled(groups: Iterable[tuple[float, ...]]) -> Accuracy:
    """Of all figures of several runs; groups that are the same in every figure are one, measured once.

    Baselines are: the same clips and the same networks whatever a distillation's seed.
    """
    return Accuracy.of(tuple(accuracy for group in dict.fromkeys(groups) for accuracy in group))
