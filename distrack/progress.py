"""Progress callbacks: how long work says how far it is."""

from collections.abc import Callable

# (done, total): how many of how many parts of one piece of work are done.
Progress = Callable[[int, int], None]
# (done, total, detail): the same, with a few words about what is being done.
DetailedProgress = Callable[[int, int, str], None]
# (phase, done, total, detail, loss or None): progress of a whole job.
Watch = Callable[[str, int, int, str, float | None], None]


def unwatched(*_: object) -> None:
    """A callback of any of these types that does nothing."""
