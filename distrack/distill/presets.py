"""Presets: named recipes, each a function of what is distilled into how much."""

from collections.abc import Callable
from typing import Any, NamedTuple

from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.registry import Registry
from distrack.validation import Overrides


class Target(NamedTuple):
    """What a recipe may depend on.

    Attributes:
        domain: what is optimised.
        ipc: the budget, in tracks per class.
        seconds: length of a track.
        feature: what the networks see.
    """

    domain: str
    ipc: int
    seconds: float
    feature: str


Recipe = Callable[[Target], Overrides]
PRESETS: Registry[Recipe] = Registry("preset")

# Budgets from which on tracks are many enough to be moved with care, and to need many real clips beside them.
_MANY = 5
# Seconds of a track from which on its frames are twice as far apart.
_LONG = 2.0
# Ten classes, the usual number.
_CLASSES = 10
_FEWEST_STEPS = 20


def recommended(target: Target, work: float) -> dict[str, Any]:
    """What `quick` and `standard` have in common: all but how long they work.

    Args:
        target: what is asked for.
        work: seconds of images that pass through a network, all steps together: more tracks leave fewer steps.
    """
    few = target.ipc < _MANY
    recipe: dict[str, Any] = {"objective": "mmd", "initialisation": "real", "optimiser": "adam"}
    if target.domain == "waveform":
        recipe |= {"parameterisation": "multiformation", "learning_rate": 0.1 if few else 0.03}
    else:
        recipe |= {"parameterisation": "dct", "learning_rate": 0.15 if few else 0.05}
    long = target.seconds > _LONG
    factor = PARAMETERISATIONS[recipe["parameterisation"]].usual_factor(target.ipc)
    # Work on a second of one track: half as many frames where they are twice as far apart, thrice as much where the
    # feature and the guide are computed too.
    cost = target.ipc * factor * _CLASSES * target.seconds
    cost *= (0.5 if long else 1.0) * (3.0 if target.domain == "waveform" else 1.0)
    recipe["steps"] = max(_FEWEST_STEPS, round(work / cost))
    # What many tracks are matched with must not be fewer than they are.
    recipe["pool"] = {"clips_per_class": 50 if few else 200, "size": 32 if few else 16, "grow_every": 10 if few else 3}
    if long:
        recipe["feature"] = {"hop_length": 1024} | ({} if target.feature == "chromagram" else {"n_fft": 2048})
    return recipe


@PRESETS.register("quick")
def quick(target: Target) -> Overrides:
    """A laptop's two cores, under a minute: see `benchmarks/`."""
    return recommended(target, work=16_000)


@PRESETS.register("standard")
def standard(target: Target) -> Overrides:
    """More accuracy for the same storage, a few minutes on a laptop: see `benchmarks/`."""
    # Tracks that are images are nearly as good after a minute; waveforms still gain after two.
    return recommended(target, work=100_000 if target.domain == "waveform" else 60_000)


@PRESETS.register("paper")
def paper(target: Target) -> Overrides:  # noqa: ARG001
    """Zhao and Bilen, WACV 2023, as applied to audio: everything as published."""
    return {
        "feature": {"name": "melspectrogram", "n_fft": 2048, "hop_length": 512, "n_mels": 128},
        "parameterisation": "identity",
        "objective": "mean",
        "classification": 0.0,
        "network": {"name": "convnet", "width": 128, "depth": 3},
        "pool": {"size": 0, "clips_per_class": 64, "training": 0},
        "initialisation": "noise",
        "domain": {"prior": "none"},
        "optimiser": {"name": "sgd", "momentum": 0.5},
        "learning_rate": 2.0,
        "schedule": "constant",
        "balance": "none",
        "steps": 1000,
    }
