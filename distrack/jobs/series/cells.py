"""Cells of a series: one run of it, groups of runs, and figures over several runs."""

from collections.abc import Iterable
from typing import NamedTuple

from distrack.evaluate import Accuracy
from distrack.jobs.distillation import DistillJob
from distrack.validation import Record


class Cell(NamedTuple):
    """One run of a series.

    Attributes:
        run_id: id of the run, in the runs path that the series belongs to.
        job: the job of that run.
        title: a label that tells it from the other cells, without the seed.
    """

    run_id: str
    job: DistillJob
    title: str

    @property
    def label(self) -> str:
        """Title and seed."""
        return f"{self.title}, seed {self.job.seed}"


class Group(NamedTuple):
    """Cells that are shown side by side.

    Attributes:
        title: a label that tells the group from the others; empty if there is only one group.
        cells: the cells, in the order of work.
    """

    title: str
    cells: tuple[Cell, ...]


class Tabulated(Record):
    """`report.json` of a series of any kind, as far as it is measured.

    Attributes:
        dataset, feature, domain, preset: as in all its distillations.
        seeds: distillations of each kind, each with another seed.
        classes: number of classes; None until a cell is measured.
        cells, done: number of runs, and how many of them are done.
        notes: sentences that a reader should know.
    """

    dataset: str
    feature: str
    domain: str
    preset: str
    seeds: int
    classes: int | None
    cells: int
    done: int
    notes: tuple[str, ...]


def pooled(runs: Iterable[tuple[float, ...]]) -> Accuracy:
    """The accuracy over several runs, each with a tuple of figures; equal tuples count once.

    A baseline has the same figures in runs that differ only in the seed of the distillation: the same clips and the
    same networks.
    """
    return Accuracy.of(tuple(accuracy for figures in dict.fromkeys(runs) for accuracy in figures))
