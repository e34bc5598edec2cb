"""A bucket on a real S3 server, for tests of what lies in stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3_server import s3_bucket

BUCKET = "jobs-of-tests"
KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server with an empty bucket."""
    with s3_bucket(BUCKET) as address:
        yield address


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of a store of the test's own."""
    for name, value in {"AWS_ENDPOINT_URL": server, **KEYS}.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{tmp_path.name}"
