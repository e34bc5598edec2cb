"""Learning: how a network learns to classify the images of a training set."""

from distrack.learning.recipe import ADAMW, LearningRate, Recipe
from distrack.learning.training import train, trained_network
from distrack.learning.training_set import TrainingSet

__all__ = ["ADAMW", "LearningRate", "Recipe", "TrainingSet", "train", "trained_network"]
