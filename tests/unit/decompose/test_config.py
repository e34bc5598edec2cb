"""The config selects a method and its settings; presets, earlier versions and new methods all lead to one config."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import distrack.decompose
from distrack.decompose import DECOMPOSERS, DecomposeConfig
from distrack.decompose.pursuit.config import PursuitConfig
from distrack.decompose.splat.config import SplatConfig
from distrack.errors import ConfigError
from distrack.jobs.migration import migrated_decomposition
from distrack.options import options_of
from distrack.registry import discover
from distrack.validation import from_preset


def test_the_default_is_a_matching_pursuit() -> None:
    config = DecomposeConfig()
    assert config.method == PursuitConfig()
    assert DECOMPOSERS.name("MP") == DECOMPOSERS.name("matching_pursuit") == config.method.name


@pytest.mark.parametrize(
    "method", ["splat", {"name": "Splat", "iterations": 5}, {"atoms": "both"}, SplatConfig(prune=0.5), "mp"]
)
def test_a_method_is_a_name_a_mapping_or_a_config_and_survives_json(method: Any) -> None:
    config = DecomposeConfig(method=method)
    assert DecomposeConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"method": "matching-persuit"}, "Did you mean matching-pursuit"),
        ({"method": {"name": "splat", "atoms": "both"}}, "method splat has no setting 'atoms': it has bands"),
        ({"method": {"atoms": "square"}}, "atoms 'square'"),
        ({"method": {"snr_db": 0}}, "snr_db 0"),
        ({"events": 0}, "events 0"),
        ({"time_limit": 0.0}, "time_limit 0"),
        ({"pursuit": {}}, "pursuit"),
    ],
)
def test_an_impossible_value_is_named_in_the_error(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_preset(DecomposeConfig, overrides)


def test_the_published_setting_is_a_preset() -> None:
    paper = DecomposeConfig(preset="paper")
    assert (paper.method, paper.events) == (SplatConfig(iterations=3_000), 64)
    changed = DecomposeConfig.model_validate({"preset": "paper", "events": 8, "method": {"envelope": "gaussian"}})
    assert (changed.method, changed.events) == (SplatConfig(iterations=3_000, envelope="gaussian"), 8)
    assert DecomposeConfig.model_validate({"preset": "paper", "method": "mp"}).method == PursuitConfig()


def test_configs_of_earlier_versions_are_migrated() -> None:
    old = {
        "preset": "quick",
        "method": "splat",
        "events": 8,
        "time_limit": None,
        "seed": 3,
        "pursuit": PursuitConfig(atoms="both").model_dump(exclude={"name"}),
        "splat": SplatConfig(iterations=5).model_dump(exclude={"name"}),
    }
    config = DecomposeConfig.model_validate(migrated_decomposition(old))
    assert config == DecomposeConfig(method=SplatConfig(iterations=5), events=8, seed=3)
    config = DecomposeConfig.model_validate(migrated_decomposition({**old, "method": "matching-pursuit"}))
    assert config == DecomposeConfig(method=PursuitConfig(atoms="both"), events=8, seed=3)
    today = config.model_dump(mode="json")
    assert migrated_decomposition(today) == today


def test_learned_waveforms_must_fit_in_a_file() -> None:
    learned = PursuitConfig(atoms="learned", waveforms=256, waveform_seconds=1.0)
    learned.check(16_000)
    with pytest.raises(ConfigError, match="learn fewer or shorter"):
        learned.check(96_000)


@pytest.mark.parametrize("name", list(DECOMPOSERS))
def test_every_setting_of_a_method_is_described(name: str) -> None:
    config: Any = DECOMPOSERS.config(name)
    assert DECOMPOSERS.title(name) != name
    for field, information in config.model_fields.items():
        if field != "name":
            assert information.title, field
            assert (information.description or "").endswith("."), field


_NEW_METHOD = '''
"""A method of decomposition in a file of its own."""

import numpy as np

from distrack.decompose.decomposer import DECOMPOSERS, Method, Progress
from distrack.decompose.events import Events


class LoudestConfig(Method):
    hertz: float = 100.0


@DECOMPOSERS.register("loudest", config=LoudestConfig)
class Loudest:
    def __init__(self, wave, sample_rate, budget, settings):
        row = [[0.5, 0.1, settings.hertz, float(np.abs(wave).max()), 0.0]]
        self.found = Events.of(
            "gabor", np.array(row, np.float32), sample_rate=sample_rate, samples=wave.shape[1], seed=budget.seed
        )

    def __iter__(self):
        yield Progress(1, 1, 1, None, None)

    def events(self):
        return self.found

    def state(self):
        return {}

    def restore(self, state):
        pass
'''


def test_a_method_in_a_new_file_is_found_with_its_settings_and_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loudest.py").write_text(_NEW_METHOD)
    for name in ("_entries", "_names", "_configs", "_titles"):
        monkeypatch.setattr(DECOMPOSERS, name, dict(getattr(DECOMPOSERS, name)))
    monkeypatch.setattr(distrack.decompose, "__path__", [*distrack.decompose.__path__, str(tmp_path)])
    try:
        discover("distrack.decompose", distrack.decompose.__path__)
        config = DecomposeConfig.model_validate({"method": {"name": "loudest", "hertz": 250}, "seed": 5})
        decomposer = config.decomposer(np.ones((1, 1_000), np.float32), 1_000)
        assert [progress.events for progress in decomposer] == [1]
        assert decomposer.events().column("frequency").tolist() == [250]
        assert decomposer.events().seed == 5
        assert "hertz" in {option.name for option in options_of(DecomposeConfig)}
    finally:
        sys.modules.pop("distrack.decompose.loudest", None)


def test_every_option_of_the_command_keeps_its_name() -> None:
    names = {option.name for option in options_of(DecomposeConfig)}
    assert names >= {"preset", "method", "events", "time-limit", "seed"}
    assert names >= {"atoms", "orthogonal", "snr", "waveforms", "waveform-seconds", "learning"}
    assert names >= {
        "iterations",
        "envelope",
        "initialisation",
        "sparsity",
        "prune",
        "learning-rate",
        "phases",
        "bands",
    }
