"""Devices: threads side by side, each of which computes with one of torch's threads from its first operation on."""

from collections.abc import Iterator
from threading import Barrier

import pytest
import torch
from threadpoolctl import threadpool_info

from distrack.device import one_thread, side_by_side

_CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def openmp_threads() -> list[int]:
    """What torch's OpenMP would take in the thread that asks, which no operation has told anything."""
    return [
        each["num_threads"] for each in threadpool_info() if "gomp" in each["prefix"] and "torch" in each["filepath"]
    ]


def test_a_new_thread_computes_with_one_thread_before_its_first_large_operation() -> None:
    together = Barrier(2)

    def first_thing(_: int) -> list[int]:
        together.wait(30)
        return openmp_threads()

    with side_by_side(_CPU) as workers:
        for found in workers.map(first_thing, range(2)):
            assert set(found) <= {1}
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_blocks_may_overlap_and_the_last_one_restores_the_number_of_threads() -> None:
    first, second = one_thread(), one_thread()
    assert first.__enter__() == 2
    assert second.__enter__() == 2
    first.__exit__(None, None, None)
    assert torch.get_num_threads() == 1
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == 2
