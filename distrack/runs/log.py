"""The log of a run: `log.txt` in its folder."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from distrack.errors import DistrackError, RunError
from distrack.runs.folder import Run
from distrack.runs.session import Stopped

log = logging.getLogger(__name__)


@contextlib.contextmanager
def logged(run: Run) -> Iterator[None]:
    """Writes the package's log messages, and the error that ends the block, to the run's `log.txt`.

    Raises:
        RunError: the log cannot be written, or a file could not be used within the block.
    """
    try:
        handler = logging.FileHandler(run.path / "log.txt", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise RunError(f"run {run.id}: cannot write log.txt: {error.strerror or error}") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("distrack")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except Stopped:
        log.info("stopped")
        raise
    except DistrackError as error:
        log.error("%s", error)
        raise
    except Exception as error:
        log.exception("the run failed")
        if isinstance(error, OSError):
            raise RunError(f"run {run.id}: {error}") from error
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()


def tail(path: Path, characters: int = 4000) -> str:
    """The end of a text file; empty if there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - characters))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
