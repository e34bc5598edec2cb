"""Presets: named recipes, which depend on domain, feature, length and number of the tracks."""

from collections.abc import Callable
from typing import Any, NamedTuple

from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.registry import Registry
from distrack.validation import Overrides, overlaid


class Target(NamedTuple):
    """The values of a config that a recipe may depend on.

    Attributes:
        domain, feature: names.
        parameterisation: name of the one that is asked for; empty where the recipe chooses it.
    """

    domain: str
    ipc: int
    seconds: float
    feature: str
    parameterisation: str = ""


Recipe = Callable[[Target], Overrides]
PRESETS: Registry[Recipe] = Registry("preset")

# From this number of tracks per class on, steps are smaller and more real clips are embedded.
_MANY_TRACKS = 5
# Longer tracks, in seconds, have frames twice as far apart.
_LONG_TRACK = 2.0
# The usual number of classes, which the number of steps is computed for.
_CLASSES = 10
_FEWEST_STEPS = 20
# Times that images are made audible.
_HEARINGS = 4


def recommended(target: Target, work: float) -> dict[str, Any]:
    """The recipe of `quick` and `standard`, which differ in their work alone.

    Args:
        work: seconds of tracks that a network embeds in all steps together; more tracks have fewer steps.
    """
    few = target.ipc < _MANY_TRACKS
    recipe: dict[str, Any] = {"objective": "mmd", "regression": 1.0, "initialisation": "real", "optimiser": "adam"}
    if target.domain == "waveform":
        recipe |= {"parameterisation": "vocoder", "learning_rate": 0.1 if few else 0.05}
    else:
        # Many tracks share their storage better than few.
        recipe |= {"parameterisation": "dct" if few else "pca", "learning_rate": 0.15 if few else 0.05}
    long = target.seconds > _LONG_TRACK
    form = PARAMETERISATIONS[target.parameterisation or recipe["parameterisation"]]
    # Work of one step: half as much if frames are twice as far apart, three times as much with the feature's own.
    cost = target.ipc * form.usual_factor(target.ipc) * _CLASSES * target.seconds * (0.5 if long else 1.0)
    cost *= 3.0 if target.domain == "waveform" and not form.stores_images else 1.0
    recipe["steps"] = max(_FEWEST_STEPS, round(work / cost))
    if few or target.domain == "waveform":  # many images lose little as sounds, and take long to be heard
        recipe["hearings"] = _HEARINGS
    # A class must not have more tracks than real clips to match.
    recipe["pool"] = {"clips_per_class": 50 if few else 200, "size": 32 if few else 16, "grow_every": 10 if few else 3}
    recipe["students"] = {"count": 4, "lesson": 30 if few else 60}
    if long:
        recipe["feature"] = {"hop_length": 1024} | ({} if target.feature == "chromagram" else {"n_fft": 2048})
    return recipe


@PRESETS.register("quick", title="Quick: 1-3 min")
def quick(target: Target) -> Overrides:
    """Takes half a minute to 3 minutes on two cores of a laptop; measured in `benchmarks/`."""
    few_images = target.domain == "spectral" and target.ipc < _MANY_TRACKS
    return recommended(target, work=12_800 if few_images else 16_000)


@PRESETS.register("standard", title="Standard: a few minutes, more accurate")
def standard(target: Target) -> Overrides:
    """Takes a few minutes on a laptop, for more accuracy in the same storage; measured in `benchmarks/`."""
    # Images gain more by students that have learnt to the end than by more steps.
    work = 32_000 if target.ipc < _MANY_TRACKS else 64_000
    return overlaid(recommended(target, work), {"students": {"count": 6, "lessons": 40, "lesson": 120, "stay": 2}})


@PRESETS.register("show", title="Show: tracks form out of noise, for a talk")
def show(target: Target) -> Overrides:
    """Seen from the start: from noise, which takes twice the steps of `quick`, and with one network an accuracy."""
    # What begins as noise has further to go.
    rate = {"learning_rate": 0.3} if target.domain == "spectral" and target.ipc < _MANY_TRACKS else {}
    return recommended(target, work=16_000) | {
        **rate,
        "initialisation": "noise",
        "evaluation": {"seeds": 1},
    }


@PRESETS.register("paper", title="Paper: published settings, 30 min or more")
def paper(target: Target) -> Overrides:  # noqa: ARG001
    """Zhao and Bilen, WACV 2023, applied to audio; all settings as published."""
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
