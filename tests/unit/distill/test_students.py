"""Students: when they have lessons, what they learn from, and when they leave."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import pytest
import torch
from torch import Tensor

from distrack.datasets.clips import Split
from distrack.device import side_by_side
from distrack.distill import DistillConfig, Distiller
from distrack.distill.students import Students
from distrack.images import RealImages
from distrack.learning import TrainingSet
from distrack.networks import Network

Images = Mapping[Split, RealImages]
Start = Callable[..., Distiller]
Tiny = Callable[..., DistillConfig]

TAUGHT: dict[str, Any] = {"count": 2, "start": 0.25, "lessons": 6, "lesson": 3, "stay": 2}


class Now:
    """Does what it is given at once."""

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*given))
        return done


def weights(network: Network) -> Tensor:
    return torch.cat([values.flatten() for values in network.state_dict().values()])


def taught(students: Students, tracks: TrainingSet, steps: int) -> list[Tensor | None]:
    """The weights of the student of each step, None where the step has a random network."""
    found: list[Tensor | None] = []
    for step in range(steps):
        member = students.at(step) if step >= students.timetable.takes_over else None
        found.append(None if member is None else weights(member.network))
        if students.timetable.begins(step):
            students.teach(step, tracks, Now())  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    ("steps", "students", "lessons", "takes_over"),
    [
        (160, {"count": 4}, list(range(60, 155, 5)), 65),
        (40, {"count": 1, "start": 0.0, "lessons": 4}, [0, 10, 20], 10),
        (12, {"count": 2, "start": 0.5, "lessons": 100}, [6, 7, 8, 9, 10], 7),
        (2, {"count": 4}, [], 2),
        (100, {"count": 0}, [], 100),
    ],
)
def test_lessons_are_spread_over_the_steps_after_the_random_ones(
    tiny: Tiny, steps: int, students: dict[str, Any], lessons: list[int], takes_over: int
) -> None:
    timetable = tiny(steps=steps, students=students).timetable
    assert [step for step in range(steps) if timetable.begins(step)] == lessons
    assert timetable.takes_over == takes_over


def test_a_student_is_there_once_its_lesson_has_had_its_time_and_leaves_after_its_lessons(
    tiny: Tiny, tiny_images: Images, cpu: torch.device
) -> None:
    train = tiny_images["train"]
    config = tiny(steps=24, students={**TAUGHT, "count": 1})
    # Lessons begin at steps 6, 9, 12, ...; the student of a step has had the lessons that began three steps ago.
    found = taught(Students(config, train, cpu), TrainingSet.of_clips(train), 24)
    assert all(each is None for each in found[:9])
    present = [each for each in found[9:] if each is not None]
    assert len(present) == 15
    for first in range(0, 15, 3):
        assert all(torch.equal(each, present[first]) for each in present[first : first + 3])
        assert first == 0 or not torch.equal(present[first], present[first - 1])
    # A second lesson goes on from the first; the third is that of a new network, which is as far from both.
    step_from = [float((present[at] - present[at - 3]).norm()) for at in (3, 6, 9, 12)]
    assert max(step_from[0], step_from[2]) < 0.6 * min(step_from[1], step_from[3])


def test_students_know_the_classes_of_what_they_learn_from(tiny: Tiny, tiny_images: Images, cpu: torch.device) -> None:
    train, test = tiny_images["train"], tiny_images["test"]
    config = tiny(steps=24, students={**TAUGHT, "count": 1, "lesson": 40})
    students = Students(config, train, cpu)
    taught(students, TrainingSet.of_clips(train), 22)
    network = students.at(22).network
    images = test.batch(torch.arange(len(test)), cpu)
    assert (network(images).argmax(1) == torch.from_numpy(test.labels)).float().mean() > 0.8
    assert not any(parameter.requires_grad for parameter in network.parameters())
    # It has not learnt from real clips: no loss pulls tracks towards the classes that it gives them.
    assert not students.at(22).trained


def test_nothing_depends_on_how_long_a_lesson_takes(start: Start) -> None:
    settings = {"steps": 14, "students": TAUGHT, "regression": 1.0, "objective": "mmd", "ipc": 2}
    whole = start(**settings)
    list(whole)
    slow = start(**settings)
    lesson, gone_on = slow._students._lesson, threading.Event()

    def late(*given: Any) -> Any:
        gone_on.wait(0.05)
        return lesson(*given)

    slow._students._lesson = late  # type: ignore[assignment,method-assign]
    with side_by_side(torch.device("cpu")) as workers:
        while slow.step < 14:
            slow.advance(workers)
    assert torch.equal(slow.synthetic_set().parameters, whole.synthetic_set().parameters)


def test_students_change_the_tracks_and_a_lesson_that_fails_is_not_swallowed(start: Start) -> None:
    settings = {"steps": 12, "regression": 1.0}
    without, taught_by = start(**settings), start(**settings, students=TAUGHT)
    list(without)
    list(taught_by)
    assert not torch.equal(without.synthetic_set().parameters, taught_by.synthetic_set().parameters)
    failing = start(**settings, students=TAUGHT)

    def lesson(*_given: Any) -> Any:
        raise RuntimeError("out of memory")

    failing._students._lesson = lesson  # type: ignore[assignment,method-assign]
    with pytest.raises(RuntimeError, match="out of memory"):
        list(failing)


def test_a_state_holds_the_students_and_no_more_of_them_than_there_are(start: Start) -> None:
    distiller = start(steps=30, students=TAUGHT)
    for record in distiller:
        numbers = {name.split(".")[1] for name in distiller.state() if name.startswith("students.")}
        assert len(numbers) <= TAUGHT["count"] + 1
        assert bool(numbers) == (record.step > distiller.config.timetable.first)


def test_networks_of_several_kinds_take_turns(start: Start, tiny: Tiny, tiny_images: Images, cpu: torch.device) -> None:
    pool = {"size": 6, "grow_every": 1, "clips_per_class": 4, "architectures": ["mlp", "LeNet"], "widths": [6]}
    config = tiny(pool=pool, steps=60, students={**TAUGHT, "count": 4, "lessons": 12})
    kinds = [(network.name, network.width) for network in config.networks]
    assert kinds == [("convnet", 4), ("mlp", 4), ("lenet", 4), ("convnet", 6)]
    students = Students(config, tiny_images["train"], cpu)
    found = {len(each) for each in taught(students, TrainingSet.of_clips(tiny_images["train"]), 60) if each is not None}
    assert len(found) == len(kinds)
    distiller = start(pool=pool, steps=60)
    drawn = {type(distiller._networks.at(step).network.body[0]).__name__ for step in range(30)}  # type: ignore[index]
    assert len(drawn) > 1
