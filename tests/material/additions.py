"""A plugin: one new entry of every registry that a user may extend, each with the fewest lines."""

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel, Field

from distrack.decompose.decomposer import DECOMPOSERS
from distrack.decompose.pursuit.config import PursuitConfig
from distrack.decompose.pursuit.decomposer import MatchingPursuit
from distrack.distill.initialisations.contract import INITIALISATIONS
from distrack.distill.objectives.contract import OBJECTIVES, Objective
from distrack.distill.optimisers.contract import OPTIMISERS
from distrack.distill.parameterisations.contract import PARAMETERISATIONS
from distrack.distill.parameterisations.identity import Identity
from distrack.evaluate.contract import BASELINES, EVALUATORS, Baseline, Evaluator, Trial
from distrack.jobs.contract import Job, register
from distrack.learning import TrainingSet
from distrack.registry import Choice
from distrack.runs import Run, Session


class PowerConfig(Choice):
    """Settings of the objective."""

    power: Annotated[float, Field(gt=0, title="Power", description="Power of the distance.")] = 2.0


def match_powers(real: torch.Tensor, synthetic: torch.Tensor, draw: Any, *, power: float) -> torch.Tensor:
    """The distance of the means to a power."""
    return (real.mean(1) - synthetic.mean(1)).abs().pow(power).sum(1)


OBJECTIVES.add("powers", Objective(match_powers, "mean", "powers of the difference"), config=PowerConfig)


@OPTIMISERS.register("sign")
def sign(gradient: torch.Tensor, memory: dict[str, torch.Tensor]) -> torch.Tensor:
    """A step of one in every coordinate."""
    return gradient.sign()


@INITIALISATIONS.register("first", title="The first clips")
def first(train: Any, count: int, seed: int) -> Any:
    """The first clips of each class."""
    return np.concatenate([train.of_class(k)[:count] for k in range(train.classes)])


@PARAMETERISATIONS.register("plain")
class Plain(Identity):
    """Identity under another name."""

    summary = "every number of a track, again"


def guess(trial: Trial) -> torch.Tensor:
    """Always the first class."""
    count = sum(len(labels) for _, labels in trial.test.batches(torch.device("cpu")))
    trial.progress(1, 1)
    return torch.zeros(count, dtype=torch.int64)


EVALUATORS.add("guess", Evaluator(guess, lambda recipe: "none", "Always the first class"))
BASELINES.add(
    "last",
    Baseline(
        lambda train, like, seed: TrainingSet.of_clips(train, np.arange(len(train))[-like.config.ipc :]),
        "The last clips",
    ),
)


class FewConfig(PursuitConfig):
    """Settings of the decomposer."""

    halve: Annotated[bool, Field(title="Halve", description="Find half as many events.")] = False


@DECOMPOSERS.register("few", config=FewConfig)
def few(wave: Any, sample_rate: int, budget: Any, settings: FewConfig) -> MatchingPursuit:
    """Matching pursuit for fewer events."""
    events = max(1, budget.events // 2) if settings.halve else budget.events
    return MatchingPursuit(wave, sample_rate, budget.model_copy(update={"events": events}), settings)


class CountReport(BaseModel):
    """The report of a count."""

    total: int


@register
class CountJob(Job):
    """Counts to a number."""

    kind: ClassVar[str] = "count"
    verb: ClassVar[str] = "count"
    summary: ClassVar[str] = "Counts to a number."
    report_type: ClassVar[type[CountReport]] = CountReport

    to: Annotated[int, Field(ge=1, title="To", description="The number to count to.")] = 3

    def work(self, run: Run, session: Session) -> CountReport:
        """Counts, a step for each number."""
        session.phase("count", self.to)
        for number in range(1, self.to + 1):
            session.progress(number, self.to)
        report = CountReport(total=self.to)
        run.write("report.json", report.model_dump_json())
        return report
