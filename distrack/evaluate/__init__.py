"""Evaluation: a training set is worth what is learnt from it, measured on real clips and beside baselines."""

from distrack.evaluate import baselines, linear_probe, prototype, random_cnn  # noqa: F401
from distrack.evaluate.comparison import Comparison, compared
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import BASELINES, EVALUATORS
from distrack.evaluate.evaluation import Asked, evaluate, held_out, planned, remember
from distrack.evaluate.inspection import Inspection, inspect
from distrack.evaluate.maps import Point
from distrack.evaluate.memorisation import Memorisation, Nearest
from distrack.evaluate.prediction_cache import Memory
from distrack.evaluate.report import Report, SplitReport
from distrack.evaluate.scores import Accuracy, Evaluation, score

__all__ = [
    "BASELINES",
    "EVALUATORS",
    "Accuracy",
    "Asked",
    "Comparison",
    "Evaluation",
    "EvaluationConfig",
    "Inspection",
    "Memorisation",
    "Memory",
    "Nearest",
    "Point",
    "Report",
    "SplitReport",
    "compared",
    "evaluate",
    "held_out",
    "inspect",
    "planned",
    "remember",
    "score",
]
