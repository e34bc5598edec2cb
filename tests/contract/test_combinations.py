"""Every combination that a config accepts runs, resumes and repeats itself; every other one is refused in one line."""

import random
from collections.abc import Callable, Mapping
from functools import cache
from itertools import combinations, product
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

# All of these with each other.
IN_FULL: Mapping[str, list[Any]] = {
    "domain": list(DOMAINS),
    "parameterisation": list(PARAMETERISATIONS),
    "objective": list(OBJECTIVES),
    "optimiser": list(OPTIMISERS),
}
# Of these every value with every value of each other one, and of those above.
IN_PAIRS: Mapping[str, list[Any]] = {
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
    """The first set in full, each with such values of the second that all pairs are there; few, and always the same."""
    draw = random.Random(0)
    names = list(IN_FULL)
    first = [dict(zip(names, values, strict=True)) for values in product(*IN_FULL.values())]
    first = [choice for choice in first if goes_together(choice)]
    covered: set[Any] = set()
    found: list[Choice] = []
    while len(found) < len(first) or len(covered) < wanted():
        start = first[len(found) % len(first)]
        tries = [{**start, **{name: draw.choice(values) for name, values in IN_PAIRS.items()}} for _ in range(30)]
        best = max(tries, key=lambda choice: len(pairs(choice) - covered))
        if pairs(best) <= covered and len(found) >= len(first):
            continue
        covered |= pairs(best)
        found.append(best)
    return found


def wanted() -> int:
    """How many pairs there are."""
    every = {**IN_FULL, **IN_PAIRS}
    everything = sum(len(every[one]) * len(every[other]) for one, other in combinations(every, 2))
    impossible = sum(
        domain not in PARAMETERISATIONS[form].domains for domain, form in product(DOMAINS, PARAMETERISATIONS)
    )
    return everything - impossible


def asked_for(choice: Choice) -> dict[str, Any]:
    """A config's values of a choice, tiny."""
    asked = dict(choice)
    pool = {"size": asked.pop("pool"), "training": asked.pop("training"), "clips_per_class": 4, "grow_every": 1}
    augmentation = AUGMENTED if asked.pop("augmented") else {}
    feature = {"name": asked.pop("feature"), "n_fft": 512, "hop_length": 256}
    if feature["name"] != "chromagram":
        feature["n_mels"] = 16
    network = {"name": asked.pop("network"), "width": 4, "depth": 2}
    return {**asked, "pool": pool, "augmentation": augmentation, "feature": feature, "network": network, "steps": 2}


def test_the_cover_has_every_pair_and_is_small() -> None:
    found = covering()
    assert len(set().union(*map(pairs, found))) == wanted()
    in_full = {tuple(choice[name] for name in IN_FULL) for choice in found}
    assert len(in_full) == len(KINDS) * len(OPTIMISERS)
    assert len(found) < 60


def said(choice: Choice) -> str:
    return "-".join(str(value) for value in choice.values())


@pytest.mark.parametrize("choice", covering(), ids=said)
def test_what_the_config_accepts_runs(start: Start, choice: Choice) -> None:
    distiller = start(**asked_for(choice))
    before = distiller.synthetic_set()
    records = list(distiller)
    after = distiller.synthetic_set()
    assert [record.step for record in records] == [1, 2]
    assert all(record.loss is not None and 0 <= record.loss < float("inf") for record in records)
    assert after.parameters.isfinite().all()
    assert after.parameters.dtype == torch.float32
    # Of every class something has moved.
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
    # Of a tenth of a second: 12 to 16 bands, and 17, 5 or 3 frames.
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


# It repeats itself and goes on where it stopped, whatever it is made of

KINDS = [
    (domain, form, objective)
    for domain, form, objective in product(DOMAINS, PARAMETERISATIONS, OBJECTIVES)
    if domain in PARAMETERISATIONS[form].domains
]
# Everything that a step draws, and a pool that is replaced in the middle.
ALL_AT_ONCE: Mapping[str, Any] = {
    "ipc": 3,
    "steps": 6,
    "tracks_per_step": 2,
    "classification": 0.5,
    "augmentation": AUGMENTED,
    "pool": {"size": 2, "grow_every": 1, "refresh_every": 3, "training": 2, "clips_per_class": 4},
}
every_kind = pytest.mark.parametrize(("domain", "form", "objective"), KINDS)


def finished(distiller: Distiller) -> tuple[list[StepRecord], dict[str, Tensor]]:
    records = list(distiller)
    made = distiller.synthetic_set()
    return records, {"parameters": made.parameters, **made.constants}


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@every_kind
@pytest.mark.parametrize("stop", [1, 4])
def test_resumed_it_ends_equal_to_one_that_was_not(
    start: Start, domain: str, form: str, objective: str, stop: int
) -> None:
    asked = {**ALL_AT_ONCE, "domain": domain, "parameterisation": form, "objective": objective}
    records, whole = finished(start(**asked))
    stopped = start(**asked)
    drive = iter(stopped)
    assert [next(drive) for _ in range(stop)] == records[:stop]
    state = safetensors.torch.load(safetensors.torch.save(stopped.state()))
    drive.close()  # type: ignore[attr-defined]
    resumed = start(**asked)
    resumed.resume(state)
    rest, same = finished(resumed)
    assert rest == records[stop:]
    assert equal(same, whole)


@every_kind
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads_and_another_seed_others(
    start: Start, domain: str, form: str, objective: str
) -> None:
    asked = {**ALL_AT_ONCE, "domain": domain, "parameterisation": form, "objective": objective}
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            torch.manual_seed(threads)
            results.append(finished(start(**asked)))
            # As many as before, for whatever comes next.
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    (records, whole), (again, same) = results
    assert again == records
    assert equal(same, whole)
    others, other = finished(start(**asked, seed=1))
    assert others != records
    assert not torch.equal(other["parameters"], whole["parameters"])
