"""What tests of datasets share: a file server, errors in one line, the content of folders, and a full disk."""

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from distrack.errors import DatasetError
from tests.file_server import FileServer, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A file server, reached without a proxy. A broken download is tried again at once, three times."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.modules["distrack.datasets.download"], "_PAUSES", (0.0, 0.0, 0.0))
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def refusal() -> Callable[[Callable[[], object]], str]:
    """Calls a function that must raise a DatasetError, and returns its message, which must be one line."""

    def message(call: Callable[[], object]) -> str:
        with pytest.raises(DatasetError) as refused:
            call()
        assert "\n" not in str(refused.value)
        return str(refused.value)

    return message


@pytest.fixture(scope="session")
def content() -> Callable[[Path], dict[str, bytes]]:
    """Reads all files of a folder, by path."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="session")
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """A block in which no file may grow beyond 100 kB; the system reports it as it reports a full disk."""

    @contextmanager
    def limited() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
