"""Saved settings: found under their names, read by the command, and refused where they cannot be kept."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from distrack.errors import ConfigError, DistrackError
from distrack.jobs import saved
from distrack.jobs.contract import from_json
from distrack.jobs.distillation import DistillJob
from distrack.settings import settings
from distrack.validation import from_preset


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data path of the test's own."""
    monkeypatch.setenv("DISTRACK_DATA_PATH", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    settings.cache_clear()


def test_settings_are_found_again_under_their_name_and_replaced_by_later_ones() -> None:
    assert saved.names() == []
    first, second = (from_preset(DistillJob, {"ipc": ipc, "steps": 60}) for ipc in (1, 10))
    saved.save("mine", first)
    saved.save("ours", second)
    assert saved.names() == ["mine", "ours"]
    assert saved.load("mine") == first
    saved.save("mine", second)
    assert saved.load("mine") == second
    saved.delete("mine")
    saved.delete("mine")
    assert saved.names() == ["ours"]


def test_the_file_is_a_config_of_the_command() -> None:
    job = from_preset(DistillJob, {"preset": "show", "ipc": 2})
    saved.save("talk", job)
    assert from_json(json.loads(saved.file_of("talk").read_text())) == job


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x" * 101])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="use letters, digits"):
        saved.save(name, DistillJob())


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[]", b"{}", b'{"kind": "sweep"}', b'{"kind": "distillation", "ipc": -1}']
)
def test_damaged_or_missing_settings_are_an_error_that_names_them(content: bytes | None) -> None:
    file = saved.file_of("mine")
    file.parent.mkdir(parents=True)
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="settings 'mine' are missing or damaged"):
        saved.load("mine")


def test_a_folder_that_cannot_be_written_is_an_error(own_data: Path) -> None:
    (own_data / "settings").write_text("a file in its place")
    with pytest.raises(DistrackError, match="settings cannot be saved in"):
        saved.save("mine", DistillJob())
