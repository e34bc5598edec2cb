"""The cells of a series: what one of its runs is, what all have in common, and what their figures come to together."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from distrack.evaluate import Accuracy, Report
from distrack.jobs.distillation.job import DistillJob


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


class Distillations(BaseModel):
    """What a series does.

    Attributes:
        distillations: how each kind of its runs distils and is measured, with the first seed.
        seeds: distillations of each of these, each with a seed of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    distillations: tuple[DistillJob, ...]
    seeds: Annotated[int, Field(ge=1, le=100)] = 1

    @model_validator(mode="after")
    def _seeds_fit(self) -> Self:
        if self.first.seed + self.seeds > 2**32:
            raise ValueError(f"seed {self.first.seed}: with {self.seeds} seeds the last one would be beyond 2^32")
        return self

    @property
    def first(self) -> DistillJob:
        """The first of them, for what all have in common."""
        return self.distillations[0]

    def every_seed(self) -> range:
        """The seeds, in the order of work."""
        return range(self.first.seed, self.first.seed + self.seeds)

    def groups(self, series_id: str) -> list[Group]:
        """Every cell, in the order of work."""
        raise NotImplementedError


class Tabulated(BaseModel):
    """`report.json` of a series, as far as it is measured: what there is of every kind.

    Attributes:
        classes: how many there are.
        cells, done: runs of the series, and how many of them are done.
        notes: what whoever reads it should know.
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    feature: str
    domain: str
    preset: str
    seeds: int
    classes: int | None
    cells: int
    done: int
    notes: tuple[str, ...]


def in_common(job: Distillations, reports: Mapping[Cell, Report], notes: Iterable[str]) -> dict[str, Any]:
    """The fields of `Tabulated`.

    Args:
        job: of the series.
        reports: of the cells that are done.
        notes: each is said once.
    """
    counts = (len(report.evaluations[0].confusion) for report in reports.values() if report.evaluations)
    return {
        "dataset": job.first.dataset,
        "feature": job.first.feature.name,
        "domain": job.first.domain,
        "preset": job.first.preset,
        "seeds": job.seeds,
        "classes": next(counts, None),
        "cells": sum(len(group.cells) for group in job.groups("series")),
        "done": len(reports),
        "notes": tuple(dict.fromkeys(notes)),
    }


def pooled(groups: Iterable[tuple[float, ...]]) -> Accuracy:
    """Of all figures of several runs; groups that are the same in every figure are one, measured once.

    Baselines are: the same clips and the same networks whatever a distillation's seed.
    """
    return Accuracy.of(tuple(accuracy for group in dict.fromkeys(groups) for accuracy in group))
