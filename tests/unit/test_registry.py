"""Registries: any spelling finds the thing, a wrong one is told the nearest."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from distrack.errors import ConfigError
from distrack.registry import Place, Registry, canonical


@pytest.fixture
def features() -> Registry[int]:
    registry: Registry[int] = Registry("feature")
    registry.add("logmel", 1, aliases=("log-mel-spectrogram",))
    registry.add("mel_spectrogram", 2)
    registry.register("MFCC")(3)
    return registry


@pytest.mark.parametrize(
    ("spelling", "entry"),
    [
        ("logmel", 1),
        ("LOG_MEL", 1),
        ("logMelSpectrogram", 1),
        ("melspectrogram", 2),
        ("Mel-Spectrogram", 2),
        ("mfcc", 3),
    ],
)
def test_any_spelling_finds_it(features: Registry[int], spelling: str, entry: int) -> None:
    assert features[spelling] == entry


def test_the_name_behind_a_spelling_is_the_registered_one(features: Registry[int]) -> None:
    assert features.name("log-mel spectrogram") == "logmel"


def test_it_lists_names_in_the_order_they_were_added(features: Registry[int]) -> None:
    assert list(features) == ["logmel", "mel_spectrogram", "MFCC"]


def test_an_unknown_name_is_told_the_nearest_and_all_known(features: Registry[int]) -> None:
    with pytest.raises(ConfigError) as refused:
        features["mffc"]
    assert "unknown feature 'mffc'. Did you mean MFCC?" in str(refused.value)
    assert "Known: MFCC, logmel, mel_spectrogram" in str(refused.value)


def test_a_name_like_nothing_gets_no_guess(features: Registry[int]) -> None:
    with pytest.raises(ConfigError) as refused:
        features["zzzz"]
    assert "Did you mean" not in str(refused.value)


@pytest.mark.parametrize("taken", ["logmel", "LOG-MEL", "log_mel_spectrogram"])
def test_a_taken_name_is_refused(features: Registry[int], taken: str) -> None:
    with pytest.raises(ValueError, match="twice"):
        features.add(taken, 9)


def test_canonical_keeps_what_tells_names_apart() -> None:
    assert canonical("mel 1") == canonical("MEL_1") != canonical("mel 2")


# Entries that are imported when they are used


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose modules register an entry each, and add their names to a list when they are imported."""
    folder = tmp_path / "registered_later"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from distrack.registry import Registry\nTHINGS = Registry('thing')\nTHINGS.found_in(__name__, __path__)\n"
        "imported = []\n"
    )
    for module, name in (("alpha", "alphabet"), ("beta", "betatron"), ("gamma", "unlike")):
        (folder / f"{module}.py").write_text(
            f"import registered_later\nregistered_later.imported.append('{module}')\n"
            f"registered_later.THINGS.add('{name}', '{module} entry')\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith("registered_later")]:
        del sys.modules[name]


def test_an_entry_of_a_package_is_found_without_importing_the_others(package: Path) -> None:
    later = importlib.import_module(package.name)
    assert later.THINGS["Beta-Tron"] == "beta entry"
    assert later.imported == ["beta"]


def test_an_entry_is_found_in_a_module_of_any_name_and_an_unknown_one_is_told_all(package: Path) -> None:
    later = importlib.import_module(package.name)
    assert later.THINGS["unlike"] == "gamma entry"
    with pytest.raises(ConfigError, match="Known: alphabet, betatron, unlike"):
        later.THINGS["nothing"]


def test_the_list_of_a_package_is_whole_and_in_alphabetical_order(package: Path) -> None:
    later = importlib.import_module(package.name)
    assert later.THINGS["unlike"]
    assert list(later.THINGS) == ["alphabet", "betatron", "unlike"]


def test_an_entry_that_is_known_by_its_place_is_imported_at_its_first_use(package: Path) -> None:
    registry: Registry[str] = Registry("thing")
    (package / "delta.py").write_text("from registered_later import imported\nimported.append('delta')\nENTRY = 'd'\n")
    registry.add("one", Place("registered_later.delta", "ENTRY"), title="The one (of many)")
    later = importlib.import_module(package.name)
    assert (list(registry), registry.short_title("ONE")) == (["one"], "The one")
    assert not later.imported
    assert registry["one"] == registry["ONE"] == "d"
    assert later.imported == ["delta"]
