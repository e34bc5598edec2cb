"""What tests of corpora share: a data path of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distrack.settings import settings


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Path], None]]:
    """Sets an environment variable of the settings to a path, for one test."""

    def set_path(name: str, path: Path) -> None:
        monkeypatch.setenv(name, str(path))
        settings.cache_clear()

    yield set_path
    settings.cache_clear()
