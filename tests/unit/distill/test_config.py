"""The distillation's config: a preset says what was not asked for and nothing else, and JSON carries all of it."""

import json
import math
import random
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from distrack.audio import SAMPLE_RATE
from distrack.augmentation import NO_AUGMENTATION
from distrack.datasets import DATASETS
from distrack.distill import PRESETS, DistillConfig
from distrack.distill.domains import DOMAINS
from distrack.distill.initialisations import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.distill.presets import Target
from distrack.errors import ConfigError
from distrack.features import FEATURES
from distrack.jobs.distillation import DistillJob
from distrack.networks import NETWORKS
from distrack.validation import Overrides, from_preset, merged, overlaid

every_preset = pytest.mark.parametrize("preset", list(PRESETS))
# Fields that select an entry of a registry.
CHOICES: dict[str, Any] = {
    "feature": FEATURES,
    "domain": DOMAINS,
    "parameterisation": PARAMETERISATIONS,
    "initialisation": INITIALISATIONS,
    "objective": OBJECTIVES,
    "optimiser": OPTIMISERS,
}
# What recipes may depend on.
JOBS = list(product(DOMAINS, (1, 10, 50), (0.5, 1.0, 5.0)))


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its path; a selected entry that is given by its name alone is its name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif name in CHOICES:
            yield f"{prefix}{name}.name", value
        else:
            yield prefix + name, value


def leaves(config: BaseModel) -> dict[str, Any]:
    return dict(flat(config.model_dump()))


# What a preset says


@every_preset
@pytest.mark.parametrize("feature", list(FEATURES))
def test_every_preset_is_a_valid_config_for_every_job(
    monkeypatch: pytest.MonkeyPatch, preset: str, feature: str
) -> None:
    recipe, said = PRESETS[preset], list[tuple[Target, Overrides]]()

    def overheard(job: Target) -> Overrides:
        given = recipe(job)
        # What it says of the evaluation belongs to the job.
        said.append((job, {name: value for name, value in given.items() if name != "evaluation"}))
        return given

    monkeypatch.setitem(PRESETS._entries, preset, overheard)
    for domain, ipc, seconds in JOBS:
        asked = {"dataset": "FOLDER", "preset": preset, "domain": domain, "ipc": ipc, "duration": seconds}
        config = from_preset(DistillConfig, {**asked, "feature": {"name": feature}})
        assert leaves(config).items() >= {**dict(flat(asked)), "feature.name": feature}.items()
        # The config has what the preset gives, but for settings of entries that were not chosen.
        target, overrides = said[-1]
        assert target == Target(domain, ipc, seconds, feature)
        expected = dict(flat(overrides)) | {"feature.name": feature, "domain.name": domain}
        assert {path for path in expected if path not in leaves(config)} <= {"feature.n_mels", "domain.prior"}
        assert leaves(config).items() >= {path: expected[path] for path in expected & leaves(config).keys()}.items()


# Values that no preset is likely to have, and that go together with any.
RARE: dict[str, Any] = {
    **{"objective": "cf", "initialisation": "herding", "classification": 0.123, "seed": 77},
    **{"learning_rate": 0.0321, "schedule": "constant", "balance": "none", "steps": 123},
    **{"tracks_per_step": 7, "snapshots": 11, "device": "cpu"},
    "optimiser": {"name": "sgd", "momentum": 0.77},
    "feature": {"name": "mfcc", "hop_length": 211, "n_mels": 71, "n_mfcc": 17},
    "network": {"name": "alexnet", "width": 19, "depth": 2},
    "pool": {"size": 13, "grow_every": 3, "refresh_every": 17, "clips_per_class": 23, "training": 29},
    "augmentation": {"time_shift": 0.11, "band_shift": 0.12, "time_mask": 0.13, "band_mask": 0.14, "gain": 0.15},
}


@every_preset
def test_one_value_that_is_asked_for_changes_that_value_alone(preset: str) -> None:
    plain = leaves(from_preset(DistillConfig, {"preset": preset, "feature": {"n_fft": 1024}}))
    for path, value in flat({name: value for name, value in RARE.items() if name != "feature"}):
        outer, _, inner = path.partition(".")
        # An entry comes with its settings.
        asked = {outer: RARE[outer] if outer in CHOICES else {inner: value} if inner else value}
        changed = leaves(from_preset(DistillConfig, merged({"preset": preset, "feature": {"n_fft": 1024}}, asked)))
        assert changed[path] == value
        different = {name for name in plain | changed if changed.get(name) != plain.get(name)}
        assert different <= ({name for name in different if name.startswith(f"{outer}.")} if inner else {path})
        assert len(different) <= 1 or outer in CHOICES


@every_preset
def test_all_that_is_asked_for_is_had(preset: str) -> None:
    found = leaves(from_preset(DistillConfig, {"preset": preset, **RARE}))
    assert found.items() >= dict(flat(RARE)).items()
    assert found["augmentation.noise"] == leaves(from_preset(DistillConfig, {"preset": preset}))["augmentation.noise"]


@every_preset
@pytest.mark.parametrize("domain", list(DOMAINS))
def test_any_parameterisation_of_the_domain_can_be_asked_for_without_a_word_of_its_factor(
    preset: str, domain: str
) -> None:
    for form in (name for name in PARAMETERISATIONS if domain in PARAMETERISATIONS[name].domains):
        asked = {"dataset": "FOLDER", "duration": 1.0, "preset": preset, "domain": domain}
        config = from_preset(DistillConfig, {**asked, "parameterisation": form})
        assert config.factor in PARAMETERISATIONS[form].factors
        if form != from_preset(DistillConfig, asked).parameterisation.name:
            assert config.factor == PARAMETERISATIONS[form].usual_factor(1)


def with_a_factor(job: Target) -> Overrides:
    """A recipe that says all that hangs together."""
    forms = {"spectral": ("dct", 16), "waveform": ("multiformation", 4)}
    form, factor = forms[job.domain]
    steps = 100 * job.ipc + round(job.seconds) + 1_000 * (job.feature == "chromagram")
    return {"parameterisation": form, "factor": factor, "steps": steps}


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS._entries, "quick", with_a_factor)


@pytest.mark.usefixtures("recipe")
@pytest.mark.parametrize(
    ("asked", "form", "factor", "steps"),
    [
        ({}, "dct", 16, 101),
        ({"ipc": 3}, "dct", 16, 301),
        ({"duration": 4.0}, "dct", 16, 104),
        ({"domain": "waveform", "duration": 2}, "multiformation", 4, 102),
        # As a person may write it, and as JSON may.
        ({"domain": "WaveForm", "ipc": 3.0, "duration": "2.0"}, "multiformation", 4, 302),
        # Of a dataset whose clips are longer.
        ({"dataset": "esc-10"}, "dct", 16, 105),
        ({"feature": {"name": "Chroma"}}, "dct", 16, 1101),
        ({"feature": FEATURES.choice("chromagram")}, "dct", 16, 1101),
        # What is asked for stays, whatever the preset would have.
        ({"steps": 9}, "dct", 16, 9),
        ({"factor": 2}, "dct", 2, 101),
        ({"parameterisation": "identity"}, "identity", 1, 101),
        ({"parameterisation": "Multi_Formation"}, "multiformation", None, 101),
        ({"parameterisation": "DCT"}, "dct", 16, 101),
        ({"parameterisation": "multiformation", "factor": 2}, "multiformation", 2, 101),
        ({"domain": "waveform", "parameterisation": "identity"}, "identity", 1, 101),
    ],
)
def test_a_preset_is_a_function_of_the_job(asked: dict[str, Any], form: str, factor: int | None, steps: int) -> None:
    for config in (DistillConfig.model_validate(asked), from_preset(DistillConfig, asked)):
        assert (config.parameterisation.name, config.steps) == (form, steps)
        expected = PARAMETERISATIONS[form].usual_factor(config.ipc) if factor is None else factor
        assert config.factor == expected


@pytest.mark.usefixtures("recipe")
def test_a_config_that_is_whole_stays_as_it_is_whatever_its_preset_says_today() -> None:
    whole = DistillConfig.model_validate({"parameterisation": "identity", "factor": 1, "steps": 5, **RARE})
    assert DistillConfig.model_validate_json(whole.model_dump_json()) == whole
    assert DistillConfig.model_validate({name: getattr(whole, name) for name in DistillConfig.model_fields}) == whole
    job = DistillJob.model_validate(whole.model_dump())
    assert job.distillation() == whole


def test_an_overlay_takes_from_the_base_only_what_is_not_given_at_any_depth() -> None:
    base = {"a": 1, "b": {"c": 2, "d": {"e": 3, "f": 4}}, "g": {"h": 5}}
    given = {"a": 10, "b": {"d": {"e": 30}}, "g": 50, "i": 60}
    before = json.dumps([base, given])
    assert overlaid(base, given) == {"a": 10, "b": {"c": 2, "d": {"e": 30, "f": 4}}, "g": 50, "i": 60}
    assert overlaid({}, given) == given
    assert overlaid(base, {}) == base
    assert json.dumps([base, given]) == before


@every_preset
def test_none_is_not_asked_for(preset: str) -> None:
    assert merged({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"c": None, "d": 3}}) == {"a": 1, "b": {"c": 2, "d": 3}}
    # As the command hands it on, where no option was given.
    plain = leaves(from_preset(DistillConfig, {"preset": preset}))
    asked: dict[str, Any] = {"preset": preset}
    for path in plain.keys() - {"preset"}:
        outer, _, inner = path.partition(".")
        asked |= {outer: {**asked.get(outer, {}), inner: None}} if inner else {path: None}
    assert leaves(from_preset(DistillConfig, asked)) == plain


# The published recipe


@pytest.mark.parametrize(("domain", "ipc", "seconds"), JOBS)
def test_paper_is_the_published_recipe_whatever_the_job(domain: str, ipc: int, seconds: float) -> None:
    asked = {"dataset": "FOLDER", "preset": "paper", "domain": domain, "ipc": ipc, "duration": seconds}
    config = from_preset(DistillConfig, asked)
    # Zhao and Bilen, WACV 2023: the objective, and their settings for every dataset.
    assert (config.objective.name, config.parameterisation.name, config.factor) == ("mean", "identity", 1)
    assert (config.initialisation.name, config.optimiser.name) == ("noise", "sgd")
    assert (config.learning_rate, config.optimiser.settings, config.schedule) == (2.0, {"momentum": 0.5}, "constant")
    assert (config.network.name, config.network.width, config.network.depth) == ("convnet", 128, 3)
    # A fresh random network and 64 clips a class each step.
    assert (config.pool.size, config.pool.training, config.pool.clips_per_class) == (0, 0, 64)
    assert config.steps == 1000
    # As applied to audio.
    assert (config.feature.name, config.feature.bands) == ("melspectrogram", 128)
    assert (config.feature.n_fft, config.feature.hop_length) == (2048, 512)
    # And nothing that is ours.
    assert (config.classification, config.balance, config.tracks_per_step) == (0.0, "none", 0)
    assert config.domain.settings == ({} if domain == "spectral" else {"prior": "none"})
    assert config.augmentation == NO_AUGMENTATION


# JSON both ways


def combinations(count: int) -> Iterator[DistillConfig]:
    """Configs drawn at random from all that goes together."""
    draw = random.Random(0)
    while count:
        asked = {
            **{name: draw.choice(list(registry)) for name, registry in CHOICES.items()},
            "preset": draw.choice(list(PRESETS)),
            "ipc": draw.choice([1, 7, 50]),
            "duration": draw.choice([None, 1.0, 1.7]),
            "network": {"name": draw.choice(list(NETWORKS)), "depth": 2},
            "classification": draw.choice([0.0, 1 / 3]),
            "learning_rate": draw.choice([1e-5, 0.1 + 0.2, 999.9]),
            "augmentation": {"gain": draw.random(), "time_shift": draw.random() / 2},
            "seed": draw.randrange(2**32),
        }
        try:
            config = from_preset(DistillConfig, asked)
        except ConfigError as error:
            assert "is not for domain" in str(error)  # noqa: PT017
            continue
        count -= 1
        yield config


def test_json_carries_every_config_there_and_back() -> None:
    for config in combinations(60):
        text = config.model_dump_json()
        assert DistillConfig.model_validate_json(text) == config
        assert DistillConfig.model_validate(json.loads(text)).model_dump_json() == text
        # With every default written out, so that it does not depend on the presets of another day.
        plain = DistillConfig.model_validate({name: getattr(config, name) for name in DistillConfig.model_fields})
        assert dict(flat(json.loads(text))).keys() == leaves(plain).keys()


def test_a_plan_is_of_the_domain_s_size() -> None:
    spectral = DistillConfig.model_validate({"dataset": "FOLDER", "duration": 2.0, "parameterisation": "identity"})
    assert spectral.plan(7)[:2] == (7, spectral.ipc)
    assert spectral.plan(7).size == (1, *spectral.feature.shape(2 * SAMPLE_RATE))
    assert spectral.plan(7).clip_floats == math.prod(spectral.plan(7).size) + 1
    asked = {"dataset": "FOLDER", "duration": 2.0, "domain": "waveform"}
    waveform = from_preset(DistillConfig, {**asked, "parameterisation": "identity"})
    assert waveform.plan(7).size == (2 * SAMPLE_RATE,)
    # Images in the storage of waveforms.
    images = from_preset(DistillConfig, {**asked, "parameterisation": "vocoder"})
    assert images.plan(7).size == (1, *images.feature.shape(2 * SAMPLE_RATE))
    assert images.plan(7).clip_floats == waveform.plan(7).clip_floats == 2 * SAMPLE_RATE + 1


# What is refused, in one line


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"domain": "spektral"}, "Did you mean spectral"),
        ({"objective": "mmmd"}, "Did you mean mmd"),
        ({"preset": "standart"}, "Did you mean standard"),
        ({"initialisation": "kmean"}, "Did you mean k-means"),
        ({"domain": {"name": "waveform", "prior": "pink"}}, "domain waveform: prior 'pink'"),
        ({"domain": {"prior": "none"}}, "spectral has no setting 'prior'"),
        ({"optimiser": {"name": "adam", "momentum": 0.5}}, "adam has no setting 'momentum': it has no settings"),
        ({"feature": {"name": "mel", "n_mfcc": 5}}, "melspectrogram has no setting 'n_mfcc'"),
        ({"classification": -1}, "classification -1"),
        ({"classification": float("nan")}, "classification nan"),
        ({"tracks_per_step": -1}, "tracks_per_step -1"),
        ({"pool": {"training": -1}}, "pool.training -1"),
        ({"pool": {"architectures": ["mlp", "lenet"]}, "students": {"count": 2}}, "students.count 2: there are 3"),
        ({"pool": {"size": 1, "widths": [8]}}, "pool.size 1: there are 2 kinds"),
        ({"pool": {"training": 10_001}}, "pool.training 10001"),
        ({"pool": {"refresh_every": -1}}, "pool.refresh_every -1"),
        ({"augmentation": {"time_shift": 0.6}}, "augmentation.time_shift 0.6"),
        ({"augmentation": {"pitch": 0.1}}, "augmentation.pitch 0.1"),
        ({"ipc": "ten"}, "ipc 'ten'"),
        ({"ipc": 0}, "ipc 0"),
        ({"ipc": -3}, "ipc -3"),
        ({"ipc": 10**400}, "ipc"),
        ({"ipc": float("inf")}, "ipc inf"),
        ({"ipc": [1]}, "ipc [1]"),
        ({"duration": "long"}, "duration 'long'"),
        ({"duration": float("nan")}, "duration nan"),
        ({"duration": float("inf")}, "duration inf"),
        ({"duration": -1}, "duration -1"),
        ({"duration": 0}, "duration 0"),
        ({"duration": 1e-320}, "duration"),
        ({"lerning_rate": 1.0}, "lerning_rate 1.0"),
    ],
)
def test_an_impossible_value_is_named_in_one_line(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        from_preset(DistillConfig, asked)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content", ["[]", "3", '"quick"', "null", '{"dataset": 3}', '{"domain": null}', '{"ipc": null}']
)
def test_json_that_is_no_config_is_refused(content: str) -> None:
    with pytest.raises((ValidationError, ConfigError)):
        DistillConfig.model_validate_json(content)


def test_without_a_word_it_is_the_recommended_one() -> None:
    assert DistillConfig() == from_preset(DistillConfig, {}) == from_preset(DistillConfig, {"preset": "quick"})
    assert DistillConfig().duration == DATASETS["SPOKEN_DIGITS"].seconds
