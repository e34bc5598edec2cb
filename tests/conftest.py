"""What all tests share: a place of their own for runs and data, and the way to the real recordings."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from distrack.settings import PROJECT, settings

REQUIRED = "DISTRACK_REQUIRE_TEST_DATA"


@pytest.fixture(scope="session", autouse=True)
def own_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs and data of the tests, away from the user's own."""
    place = tmp_path_factory.mktemp("distrack")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTRACK_RUNS_PATH", str(place / "runs"))
        patch.setenv("DISTRACK_DATA_PATH", str(place / "data"))
        patch.setenv("DISTRACK_DEVICE", "cpu")
        settings.cache_clear()
        yield place
    settings.cache_clear()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings; without it a test is skipped, or fails where the data is required."""
    folder = Path(os.environ.get("DISTRACK_TEST_DATA", PROJECT.parent / "shared" / "data"))
    if not (folder / "fsdd").is_dir():
        missing = f"real recordings are not at {folder}: set DISTRACK_TEST_DATA to the folder that holds fsdd/"
        if os.environ.get(REQUIRED):
            pytest.fail(missing)
        pytest.skip(missing)
    return folder
