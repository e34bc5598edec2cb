"""The configs of an export and of a comparison."""

from pathlib import Path
from typing import Any

import pytest

from distrack.cli.run_commands import CompareConfig
from distrack.errors import ConfigError
from distrack.export.bundle import ExportConfig
from distrack.validation import Config, from_preset


@pytest.mark.parametrize(
    ("model", "values", "reason"),
    [
        (ExportConfig, {"of_class": "a"}, "to"),
        (ExportConfig, {"to": "x.zip", "of_class": "a", "track": "a_0"}, "a class or a track"),
        (ExportConfig, {"to": "x.zip", "format": "mp3"}, "'flac' or 'wav'"),
        (CompareConfig, {"evaluator": "random-cn"}, "Did you mean random-cnn"),
    ],
)
def test_an_impossible_value_is_refused_by_name(model: type[Config], values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        from_preset(model, values)


@pytest.mark.parametrize(
    "config",
    [
        ExportConfig(to=Path("x.zip"), of_class="one", format="wav", overwrite=True),
        CompareConfig(to=Path("x.tex"), evaluator="Random CNN", network="convnet 32 x 3"),
    ],
)
def test_a_config_is_the_same_after_json(config: Config) -> None:
    assert type(config).model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("model", [ExportConfig, CompareConfig])
def test_every_field_has_a_label_and_a_sentence(model: type[Config]) -> None:
    for field in model.model_fields.values():
        assert field.title
        assert (field.description or "").endswith(".")
