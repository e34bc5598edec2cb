"""Settings: defaults, environment variables, `.env`, and values that are not allowed."""

from pathlib import Path

import pytest

from distrack.errors import ConfigError
from distrack.settings import PROJECT, Settings, read_settings, settings

NAMES = [str(field.validation_alias) for field in Settings.model_fields.values()]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def read(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / ".env"
    file.write_text(text)
    return read_settings(file)


def test_the_default_folders_are_in_the_project(tmp_path: Path) -> None:
    values = read(tmp_path, "")
    assert (values.runs_path, values.data_path) == (PROJECT / "runs", PROJECT / "data")
    assert (values.port, values.device, values.audio_path, values.s3_bucket) == (8501, "auto", None, None)
    assert values.cache_path == PROJECT / "data" / "cache"


def test_env_file_values_are_used(tmp_path: Path) -> None:
    values = read(tmp_path, "PORT=9000\nDISTRACK_DATA_PATH=/somewhere\nAUDIO_PATH=musicnet/train_data\nUNRELATED=1\n")
    assert values.port == 9000
    assert values.cache_path == Path("/somewhere/cache")
    assert values.audio_path == Path("musicnet/train_data")


def test_a_home_folder_in_the_env_file_is_the_home_folder(tmp_path: Path) -> None:
    assert read(tmp_path, "DISTRACK_RUNS_PATH=~/runs\n").runs_path == Path.home() / "runs"


def test_the_environment_overrides_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9001")
    assert read(tmp_path, "PORT=9000\n").port == 9001


def test_a_variable_without_a_value_is_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert read(tmp_path, "PORT=9000\nDISTRACK_DEVICE=\n").port == 9000
    assert read(tmp_path, "PORT=\nDISTRACK_DEVICE=\n") == read(tmp_path, "")


def test_the_example_file_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, (PROJECT / ".env.example").read_text()) == read(tmp_path, "")


def test_the_example_file_lists_every_name() -> None:
    text = (PROJECT / ".env.example").read_text()
    assert {line.split("=")[0] for line in text.splitlines() if "=" in line} == set(NAMES)


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_an_impossible_port_is_refused_by_name_and_value(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)
    settings.cache_clear()
    try:
        with pytest.raises(ConfigError, match=f"PORT to '{port}'"):
            settings()
    finally:
        settings.cache_clear()
