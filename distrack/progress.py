"""Progress callbacks: how long work says how far it is."""

from collections.abc import Callable, Mapping

# (done, total): how many of how many parts of one piece of work are done.
Progress = Callable[[int, int], None]
# (done, total, detail): the same, with a few words about what is being done.
DetailedProgress = Callable[[int, int, str], None]
# (phase, done, total, detail, loss or None): progress of a whole job.
Watch = Callable[[str, int, int, str, float | None], None]


def share_of_phases(seconds: Mapping[str, float], phase: str, done: int, total: int) -> float:
    """The share of all work, from 0 to 1, that is done at a step of a phase, by the seconds of each phase in order."""
    if phase not in seconds:
        return 0.0
    names = list(seconds)
    spent = sum(seconds[name] for name in names[: names.index(phase)]) + seconds[phase] * done / max(total, 1)
    return min(1.0, spent / max(sum(seconds.values()), 1e-9))


def unwatched(*_: object) -> None:
    """A callback of any of these types that does nothing."""
