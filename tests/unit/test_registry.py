"""Registries: any spelling finds the thing, a wrong one is told the nearest."""

import pytest

from distrack.errors import ConfigError
from distrack.registry import Registry, canonical


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
