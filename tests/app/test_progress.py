"""The time that is left, from the share of the work that is done."""

import pytest

from distrack.runs import Status
from distrack.ui.shared.progress import spoken, time_left


def left(share: float, *, spent: float = 60.0, first: float = 0.0, state: str = "running") -> float | None:
    """The time left of a run that came from one share to another in so many seconds."""
    return time_left(
        Status.model_validate({"state": state, "share": share, "heartbeat": 1e9, "counted_from": (1e9 - spent, first)})
    )


def test_the_time_left_goes_by_the_pace_since_the_count_began() -> None:
    assert left(0.25) == pytest.approx(180, rel=0.01)
    assert left(0.75, first=0.5) == pytest.approx(60, rel=0.01), "a run that goes on counts what this process did"


def test_no_time_is_said_before_there_is_a_pace_nor_of_a_run_that_waits() -> None:
    assert left(0.01) is None
    assert left(0.5, spent=0.1) is None
    assert left(0.5, state="queued") is None


def test_a_duration_is_said_in_one_unit() -> None:
    assert [spoken(seconds) for seconds in (0, 99, 130, 7200)] == ["1 s", "99 s", "2 min", "2 h"]
