"""Every combination that a config accepts runs, resumes and repeats itself; every other one is refused in one line."""

import random
from collections.abc import Callable, Mapping
from functools import cache
from itertools import combinations, cycle, product
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from distrack.distill import DistillConfig, Distiller, StepRecord
from distrack.distill.domains import DOMAINS
from distrack.distill.initialisations import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.errors import ConfigError
from distrack.features import FEATURES
from distrack.networks import NETWORKS
from distrack.validation import from_preset

Start = Callable[..., Distiller]
Config = Callable[..., DistillConfig]
Choice = Mapping[str, Any]

# Every value of each of these is tried with every value of every other one.
VALUES: Mapping[str, list[Any]] = {
    "domain": list(DOMAINS),
    "parameterisation": list(PARAMETERISATIONS),
    "objective": list(OBJECTIVES),
    "optimiser": list(OPTIMISERS),
    "initialisation": list(INITIALISATIONS),
    "feature": list(FEATURES),
    "network": list(NETWORKS),
    "ipc": [1, 3],
    "balance": ["spread", "none"],
    "schedule": ["cosine", "constant"],
    "pool": [0, 2],
    "training": [0, 2],
    "classification": [0.0, 0.1],
    "augmented": [False, True],
    "tracks_per_step": [0, 1],
}
AUGMENTED = {"time_shift": 0.2, "band_shift": 0.2, "time_mask": 0.2, "band_mask": 0.2, "gain": 0.5, "noise": 0.3}


def goes_together(choice: Choice) -> bool:
    return choice["domain"] in PARAMETERISATIONS[choice["parameterisation"]].domains


def pairs(choice: Choice) -> set[tuple[tuple[str, Any], tuple[str, Any]]]:
    return set(combinations(sorted(choice.items()), 2))


@cache
def covering() -> list[Choice]:
    """Few choices that contain all pairs of values that go together; always the same ones."""
    draw = random.Random(0)
    covered: set[Any] = set()
    choices: list[Choice] = []
    while len(covered) < number_of_pairs():
        tries = [{name: draw.choice(values) for name, values in VALUES.items()} for _ in range(200)]
        best = max(filter(goes_together, tries), key=lambda choice: len(pairs(choice) - covered))
        if not pairs(best) <= covered:
            covered |= pairs(best)
            choices.append(best)
    return choices


def number_of_pairs() -> int:
    """The number of pairs of values that go together."""
    everything = sum(len(VALUES[one]) * len(VALUES[other]) for one, other in combinations(VALUES, 2))
    impossible = sum(
        domain not in PARAMETERISATIONS[form].domains for domain, form in product(DOMAINS, PARAMETERISATIONS)
    )
    return everything - impossible


def settings_of(choice: Choice) -> dict[str, Any]:
    """The settings of a choice for a tiny config."""
    asked = dict(choice)
    pool = {"size": asked.pop("pool"), "training": asked.pop("training"), "clips_per_class": 4, "grow_every": 1}
    augmentation = AUGMENTED if asked.pop("augmented") else {}
    feature = {"name": asked.pop("feature"), "n_fft": 512, "hop_length": 256}
    if feature["name"] != "chromagram":
        feature["n_mels"] = 16
    network = {"name": asked.pop("network"), "width": 16 if choice["network"] == "lenet" else 4, "depth": 2}
    return {**asked, "pool": pool, "augmentation": augmentation, "feature": feature, "network": network, "steps": 2}


def test_the_choices_contain_every_pair_and_are_few() -> None:
    assert len(set().union(*map(pairs, covering()))) == number_of_pairs()
    assert len(covering()) < 70


def label(choice: Choice) -> str:
    return "-".join(str(value) for value in choice.values())


@pytest.mark.parametrize("choice", covering(), ids=label)
def test_what_the_config_accepts_runs(start: Start, choice: Choice) -> None:
    distiller = start(**settings_of(choice))
    before = distiller.synthetic_set()
    records = list(distiller)
    after = distiller.synthetic_set()
    assert [record.step for record in records] == [1, 2]
    assert all(record.loss is not None and 0 <= record.loss < float("inf") for record in records)
    assert after.parameters.isfinite().all()
    assert after.parameters.dtype == torch.float32
    # Something has moved in every class.
    moved = (after.parameters != before.parameters).flatten(1).any(1).view(3, -1)
    assert moved.any(1).all()
    assert after.tracks().isfinite().all()
    assert after.tracks().shape == before.tracks().shape
    assert after.floats_per_class <= distiller.config.plan(3).budget


@pytest.mark.parametrize(("domain", "form"), list(product(DOMAINS, PARAMETERISATIONS)))
def test_a_parameterisation_in_another_s_domain_is_refused_in_one_line(tiny: Config, domain: str, form: str) -> None:
    asked = {**tiny().model_dump(exclude={"factor"}), "domain": domain, "parameterisation": form}
    if domain in PARAMETERISATIONS[form].domains:
        assert from_preset(DistillConfig, asked).parameterisation.name == form
        return
    with pytest.raises(ConfigError, match=rf"parameterisation {form} is not for domain {domain}: choose ") as refused:
        from_preset(DistillConfig, asked)
    assert "\n" not in str(refused.value)
    possible = [name for name in PARAMETERISATIONS if domain in PARAMETERISATIONS[name].domains]
    assert str(refused.value).endswith(" or ".join(possible))


@pytest.mark.parametrize("domain", list(DOMAINS))
@pytest.mark.parametrize("feature", list(FEATURES))
@pytest.mark.parametrize("network", list(NETWORKS))
def test_a_network_too_deep_for_the_images_is_refused_and_any_other_accepted(
    tiny: Config, domain: str, feature: str, network: str
) -> None:
    # A tenth of a second has 12 to 16 bands, and 17, 5 or 3 frames.
    for hop_length in (100, 400, 800):
        values = {"name": feature, "n_fft": 1600, "hop_length": hop_length}
        values |= {} if feature == "chromagram" else {"n_mels": 16}
        plain = {**tiny().model_dump(exclude={"factor"}), "domain": domain, "duration": 0.1, "feature": values}
        for depth in (1, 2, 4):
            asked = {**plain, "network": {"name": network, "width": 4, "depth": depth}}
            try:
                config = from_preset(DistillConfig, asked)
            except ConfigError as error:
                assert "is too small for a network" in str(error)  # noqa: PT017
                assert "\n" not in str(error)  # noqa: PT017
                assert network == "convnet" or hop_length == 800
            else:
                bands, frames = config.feature.shape(1_600)
                assert min(bands, frames) >= (2**depth if network == "convnet" else 1)


# The same bits: whatever the parts, a distillation that was interrupted ends equal to one that was not

KINDS = [
    (domain, form) for domain, form in product(DOMAINS, PARAMETERISATIONS) if domain in PARAMETERISATIONS[form].domains
]
# All that a step draws, a pool that is replaced in the middle, and students.
ALL_AT_ONCE: Mapping[str, Any] = {
    "ipc": 3,
    "steps": 6,
    "students": {"count": 2, "start": 0.3, "lessons": 4, "lesson": 2, "stay": 2},
    "tracks_per_step": 2,
    "hearings": 2,
    "classification": 0.5,
    "augmentation": AUGMENTED,
    "pool": {"size": 2, "grow_every": 1, "refresh_every": 3, "training": 2, "clips_per_class": 4},
}
# Each objective and each optimiser with some of the kinds: they do not know of each other.
every_kind = pytest.mark.parametrize(
    ("domain", "form", "objective", "optimiser", "stop"),
    [(*kind, *rest) for kind, *rest in zip(KINDS, cycle(OBJECTIVES), cycle(OPTIMISERS), cycle((1, 4)))],
)


def finished(distiller: Distiller) -> tuple[list[StepRecord], dict[str, Tensor]]:
    records = list(distiller)
    made = distiller.synthetic_set()
    return records, {"parameters": made.parameters, **made.constants}


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@every_kind
def test_resumed_it_ends_equal_to_one_that_was_not_interrupted_and_another_seed_ends_otherwise(
    start: Start, domain: str, form: str, objective: str, optimiser: str, stop: int
) -> None:
    settings = {
        **ALL_AT_ONCE,
        **{"domain": domain, "parameterisation": form, "objective": objective, "optimiser": optimiser},
    }
    records, whole = finished(start(**settings))
    stopped = start(**settings)
    drive = iter(stopped)
    assert [next(drive) for _ in range(stop)] == records[:stop]
    state = safetensors.torch.load(safetensors.torch.save(stopped.state()))
    drive.close()  # type: ignore[attr-defined]
    # Neither the process's random state nor its past is a part of a state.
    torch.manual_seed(stop)
    resumed = start(**settings)
    resumed.resume(state)
    rest, same = finished(resumed)
    assert rest == records[stop:]
    assert equal(same, whole)
    others, other = finished(start(**settings, seed=1))
    assert others != records
    assert not torch.equal(other["parameters"], whole["parameters"])


@pytest.mark.parametrize(
    ("domain", "form"), [("spectral", "dct"), ("waveform", "mdct"), ("waveform", "multiformation")]
)
def test_on_another_number_of_threads_it_ends_almost_equal(start: Start, domain: str, form: str) -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            settings = {**ALL_AT_ONCE, "domain": domain, "parameterisation": form, "objective": "mmd", "steps": 2}
            results.append(finished(start(**settings)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    (records, whole), (again, same) = results
    assert [record.loss for record in again] == pytest.approx([record.loss for record in records], rel=1e-3)
    torch.testing.assert_close(same["parameters"], whole["parameters"], atol=1e-2, rtol=1e-2)
