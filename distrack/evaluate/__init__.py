"""Evaluation: how well networks that are trained on the tracks classify real clips, compared with baselines."""

from distrack.evaluate import baselines, evaluators  # noqa: F401
from distrack.evaluate.comparison import Comparison, comparisons
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import BASELINES, EVALUATORS, Baseline, Evaluator, Trial
from distrack.evaluate.evaluation import cache_predictions, evaluate, hold_out
from distrack.evaluate.inspection import Inspection, inspect
from distrack.evaluate.maps import Point
from distrack.evaluate.memorisation import Memorisation, NearestClips
from distrack.evaluate.plan import Measurement, measurements
from distrack.evaluate.prediction_cache import PredictionCache
from distrack.evaluate.recipe import Recipe
from distrack.evaluate.report import Report, SplitReport
from distrack.evaluate.scores import Accuracy, Evaluation, score
from distrack.evaluate.training_set import TrainingSet

__all__ = [
    "BASELINES",
    "EVALUATORS",
    "Accuracy",
    "Baseline",
    "Comparison",
    "Evaluation",
    "EvaluationConfig",
    "Evaluator",
    "Inspection",
    "Measurement",
    "Memorisation",
    "NearestClips",
    "Point",
    "PredictionCache",
    "Recipe",
    "Report",
    "SplitReport",
    "TrainingSet",
    "Trial",
    "cache_predictions",
    "comparisons",
    "evaluate",
    "hold_out",
    "inspect",
    "measurements",
    "score",
]
