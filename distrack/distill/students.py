"""Students: networks that learn from the tracks while these form, as those do that will learn from them in the end."""

import copy
from concurrent.futures import Executor, Future

import torch
from torch import Tensor

from distrack.distill.config import DistillConfig
from distrack.distill.pool import Member, member_of
from distrack.images import RealImages
from distrack.learning import Recipe, TrainingSet, train
from distrack.networks import Network, NetworkConfig, build_network
from distrack.progress import unwatched
from distrack.randomness import derived_seed, generator


class Students:
    """The networks of a distillation's later steps, which take lessons from the tracks in turn.

    A random network says how the tracks look to one that knows nothing; a network that has learnt from them shows
    what they teach and what they do not. In a lesson, which begins every few steps, one student trains on the
    tracks as they are then, while the steps go on with the others as far as there are cores. Afterwards it embeds
    real clips, once for all its steps. After all its lessons a student leaves and a random network takes its place,
    so that there are students of every stage. Nothing depends on how long a lesson takes.

    Source:
        Zhou, Nezhadarya and Ba, "Dataset Distillation using Neural Feature Regression" (FRePo), NeurIPS 2022 (a pool of
        networks that learn from the tracks, each replaced after a number of steps).
    """

    def __init__(self, config: DistillConfig, clips: RealImages, device: torch.device) -> None:
        self.config, self.clips, self.device = config, clips, device
        self.timetable = config.timetable
        # The last lesson of every student and the one that goes on, by number.
        self._lessons: dict[int, Future[Member]] = {}
        # Weights after lessons of an earlier process, which become networks when they are needed.
        self._weights: dict[int, dict[str, Tensor]] = {}

    def teach(self, step: int, tracks: TrainingSet, workers: Executor) -> None:
        """Begins the lesson of a step, from the tracks as they are now; the lesson before it has to end first."""
        number, count = self.timetable.ended(step), self.config.students.count
        if number:
            self._after(number - 1)
        before = self._after(number - count).network if number >= count else None
        self._lessons[number] = workers.submit(self._lesson, number, before, tracks)
        self._lessons.pop(number - count - 1, None)
        self._weights.pop(number - count - 1, None)

    def at(self, step: int) -> Member:
        """The student of a step: any one of those whose last lesson has ended by then."""
        ended = self.timetable.ended(step)
        present = min(ended, self.config.students.count)
        drawn = int(torch.randint(present, (), generator=generator(self.config.seed, "student", step)))
        return self._after(ended - 1 - drawn)

    def _after(self, lesson: int) -> Member:
        """A student after a lesson."""
        if lesson in self._weights:
            network = self._network(lesson)
            network.load_state_dict(self._weights.pop(lesson))
            self._lessons[lesson] = Future()
            self._lessons[lesson].set_result(self._member(lesson, network))
        return self._lessons[lesson].result()

    def _lesson(self, number: int, before: Network | None, tracks: TrainingSet) -> Member:
        chosen = self.config.students
        student, count = number % chosen.count, number // chosen.count
        # The first students leave early, each at another time, so that they are not all of one stage.
        stage = count + student * chosen.stay // chosen.count
        if before is None or stage % chosen.stay == 0:
            network = self._network(number)
        else:
            network = copy.deepcopy(before).requires_grad_()
        draws = generator(self.config.seed, "lesson", number)
        recipe = Recipe(network=self._kind(number))
        train(network, tracks, recipe, draws, steps=chosen.lesson, device=self.device, progress=unwatched)
        return self._member(number, network)

    def _network(self, number: int) -> Network:
        """A random network."""
        seed = derived_seed(self.config.seed, "student", number)
        shape, classes = self.clips.shape, self.clips.classes
        return build_network(self._kind(number), shape=shape, classes=classes, seed=seed).to(self.device)

    def _kind(self, number: int) -> NetworkConfig:
        """What the student of a lesson is; it does not change from one lesson to the next."""
        kinds = self.config.networks
        return kinds[number % self.config.students.count % len(kinds)]

    def _member(self, number: int, network: Network) -> Member:
        return member_of(network, self.config, self.clips, self.device, draws=("student", number))

    def state(self) -> dict[str, Tensor]:
        """The weights of all students by lesson and name, once the lesson that goes on has ended."""
        weights = {number: lesson.result().network.state_dict() for number, lesson in self._lessons.items()}
        return {
            f"{number}.{name}": values.cpu().clone()
            for number, by_name in sorted((self._weights | weights).items())
            for name, values in by_name.items()
        }

    def resume(self, state: dict[str, Tensor]) -> None:
        """Returns to a state."""
        self._lessons, self._weights = {}, {}
        for key, values in state.items():
            number, _, name = key.partition(".")
            self._weights.setdefault(int(number), {})[name] = values
