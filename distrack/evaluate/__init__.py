"""Evaluation: how well networks that are trained on the tracks classify real clips, compared with baselines."""

from distrack.evaluate import baselines, evaluators  # noqa: F401
from distrack.evaluate.config import TRAINING_SETS, EvaluationConfig, Measurement, measurements
from distrack.evaluate.contract import BASELINES, EVALUATORS, Trial, formed, name_of
from distrack.evaluate.evaluation import Bench, PredictionCache
from distrack.evaluate.inspection import Inspection, Point, inspect
from distrack.evaluate.report import Accuracy, Comparison, Evaluation, Paired, Report, SplitReport, comparisons, score
from distrack.evaluate.snapshot_score import snapshot_score
from distrack.evaluate.tracks import training_set_of

__all__ = [
    "BASELINES",
    "EVALUATORS",
    "TRAINING_SETS",
    "Accuracy",
    "Bench",
    "Comparison",
    "Evaluation",
    "EvaluationConfig",
    "Inspection",
    "Measurement",
    "Paired",
    "Point",
    "PredictionCache",
    "Report",
    "SplitReport",
    "Trial",
    "comparisons",
    "formed",
    "inspect",
    "measurements",
    "name_of",
    "score",
    "snapshot_score",
    "training_set_of",
]
