"""The recognition evaluator: a CNN that is trained on all real training clips classifies the tracks.

It shows whether a track still sounds like its class. It does not show how much the track teaches.
"""

from distrack.evaluate.contract import EVALUATORS, Evaluator
from distrack.evaluate.evaluators.random_cnn import random_cnn

EVALUATORS.add(
    "recognition",
    Evaluator(
        random_cnn,
        lambda recipe: recipe.network_name,
        "CNN trained on real clips classifies the tracks",
        tests_tracks=True,
    ),
)
