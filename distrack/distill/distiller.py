"""The distiller: an iterator that moves the tracks step by step until their embeddings match the real ones."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from distrack.arrays import Floats
from distrack.device import one_thread, side_by_side
from distrack.distill.config import DistillConfig
from distrack.distill.hearing import Hearing
from distrack.distill.initialisations import INITIALISATIONS, Combinations
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS, Memory
from distrack.distill.parameterisations import Parameterisation, Stored
from distrack.distill.pool import Member, NetworkPool
from distrack.distill.preconditioner import Preconditioner, ScaledPreconditioner
from distrack.distill.regression import prediction_error
from distrack.distill.students import Students
from distrack.distill.synthetic import SyntheticSet
from distrack.errors import RunError
from distrack.images import RealImages
from distrack.learning import TrainingSet
from distrack.randomness import generator

# Real clips of a class that a parameterisation is fitted to, at most.
_FITTED_CLIPS = 1000
_BATCH = 256
# Standard deviation of the noise that separates tracks which start from the same clip, in units of the tracks' own.
_SEPARATING_NOISE = 0.1
# Images that are embedded together on a CPU, about.
_IMAGES_TOGETHER = 32
# Groups on a CPU, at least, where there are so many classes: more cores than two have something to do.
_FEWEST_GROUPS = 4
# Numbers of maps that a CPU keeps for their gradient while the regression waits for all classes, a gigabyte about; with
# more of them images are embedded twice.
_NUMBERS_KEPT = 2.5e8
# Numbers that an embedding keeps for each pixel and each channel of the network.
_KEPT_PER_PIXEL = 1.6
# On an accelerator the loss is read once in so many steps.
_STEPS_PER_READING = 20


class StepRecord(NamedTuple):
    """The result of one step.

    Attributes:
        step: number of steps done, from 1.
        loss: matching objective summed over the classes, in units of the spread of the real class means around their
            common mean, which makes networks of different scale comparable. None if it was not read: reading it would
            stop an accelerator.
    """

    step: int
    loss: float | None


class Group(NamedTuple):
    """Classes whose tracks are rendered, embedded and moved together, and the parameterisation of these classes."""

    classes: slice
    form: Parameterisation


class Embedded(NamedTuple):
    """The tracks of a group in a network, differentiable with respect to the parameters.

    Shape:
        - parameters: ``[rows, ...]``
        - embeddings: ``[images, d]``
    """

    parameters: Tensor
    embeddings: Tensor


class Part(NamedTuple):
    """What one of several distillers has of a common state, as arrays: tensors would be handed over as files.

    Attributes:
        classes: the classes that it moves.
        parameters: their rows.
        memory: the optimiser's memory of each of its groups, in order, by name; a number that all share is in each.
        correction: of the images of their tracks; None as long as they were not made audible.
        students: weights of the students, which every distiller has alike.
    """

    classes: slice
    parameters: Floats
    memory: dict[str, Floats]
    correction: Floats | None
    students: dict[str, Floats]


def checked(step: int, loss: float | None) -> StepRecord:
    """The record of a step.

    Raises:
        RunError: the loss is not a number.
    """
    if loss is not None and not math.isfinite(loss):
        raise RunError(f"training diverged at step {step}. Lower the learning rate")
    return StepRecord(step, loss)


class Distiller:
    """Distribution matching of the training side of a dataset.

    The caller iterates over it; between two records the state is complete and can be saved. The same config gives the
    same bits on the same kind of machine, however often the work is interrupted and resumed. On a processor with other
    instructions, on an accelerator or with another version of torch, sums are rounded otherwise.

    Args:
        train: the training side; the distiller never gets the test side.
        part: (k, n) for the k-th of n distillers that share the classes; each computes the same networks.

    Source:
        Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023, algorithm 1.
    """

    def __init__(
        self,
        config: DistillConfig,
        train: RealImages,
        *,
        classes: tuple[str, ...],
        device: torch.device,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self.config, self.classes, self.device = config, classes, device
        self.normalisation, self._shape = train.normalisation, train.shape
        self.step = 0
        self._domain = config.domain_of(train.normalisation)
        self._form = config.form(len(classes))
        self._distance = partial(OBJECTIVES[config.objective.name].distance, **config.objective.settings)
        self._networks = NetworkPool(config, train, device)
        self._students = Students(config, train, device)
        self._hearing = Hearing(config, train.normalisation, device)
        self._shift_bands = train.shift_bands
        self._update = partial(OPTIMISERS[config.optimiser.name], **config.optimiser.settings)
        self._memory: Memory = {}
        self._kept: list[Embedded] = []
        # With one thread the sums have the same bits whatever the number of cores.
        with one_thread():
            stored = self._start(train)
            self._preconditioner = self._preconditioner_of(train, stored)
        self._constants = {name: values.to(device) for name, values in stored.items()}
        self._parameters = self._constants.pop("parameters").contiguous()
        groups, (number, parts) = self._grouped(), part
        for group in groups:
            rows = self._rows(group.classes)
            self._parameters[rows] = self._preconditioner.initial(self._parameters[rows], group.classes)
        # All groups, and those that this distiller moves.
        self.groups = groups
        self._groups = groups[len(groups) * number // parts : len(groups) * (number + 1) // parts]

    def _grouped(self) -> list[Group]:
        """The classes in groups, which are computed side by side; a regression alone sees all of them, once a step.

        On a CPU the groups are small, and no thread waits for another one inside an operation. The number of groups
        does not depend on the number of cores, and so neither do the results. Each accelerator has one group.
        """
        count = len(self.classes)
        images = len(self._parameters) * self._form.tracks_per_row
        on_cpu = self.device.type == "cpu"
        groups = min(count, max(_FEWEST_GROUPS, images // _IMAGES_TOGETHER) if on_cpu else self.config.devices)
        edges = [round(count * group / groups) for group in range(groups + 1)]
        return [Group(slice(*edge), self.config.form(edge[1] - edge[0])) for edge in pairwise(edges)]

    def _start(self, train: RealImages) -> Stored:
        """All stored numbers before the first step."""
        config = self.config
        count = self._form.tracks(min(len(train.of_class(label)) for label in range(len(self.classes))))
        initialisation = INITIALISATIONS[config.initialisation.name]
        chosen = initialisation(train, count, config.seed, **config.initialisation.settings)
        noise = self._domain.noise(len(self.classes) * count, generator(config.seed, "noise"))
        if chosen is None:
            tracks = noise
        elif isinstance(chosen, Combinations):
            sums = (
                torch.tensordot(shares, self._domain.clips(train, clips), 1)
                for clips, shares in zip(chosen.clips, chosen.shares, strict=True)
            )
            tracks = torch.cat(list(sums))
            alone = torch.tensor([len(clips) == 1 for clips in chosen.clips]).repeat_interleave(count)
            tracks[alone] += _SEPARATING_NOISE * tracks.std() * noise[alone]
        else:
            tracks = self._domain.clips(train, chosen)
            first = np.unique(chosen, return_index=True)[1]
            repeated = np.setdiff1d(np.arange(len(chosen)), first)
            tracks[repeated] += _SEPARATING_NOISE * tracks.std() * noise[repeated]

        return self._form.store(tracks, partial(self._examples, train))

    def _examples(self, train: RealImages) -> Iterator[tuple[Tensor, Tensor]]:
        """Real clips that a parameterisation is fitted to, with their labels."""
        for label in range(train.classes):
            fitted = train.shuffled(label, generator(self.config.seed, "fitted to", label))[:_FITTED_CLIPS]
            for batch in np.array_split(fitted, -(-len(fitted) // _BATCH)):
                yield self._domain.clips(train, batch), torch.full((len(batch),), label)

    def _preconditioner_of(self, train: RealImages, stored: Stored) -> Preconditioner:
        """How a gradient becomes a step: by the parameterisation where it knows the sizes of its numbers, else by the
        domain."""
        sizes = self._form.sizes(stored, partial(self._examples, train))
        if sizes is not None:
            return ScaledPreconditioner(sizes.to(self.device))
        factor = self._form.tracks_per_row
        return self._domain.preconditioner(train, factor=factor, seed=self.config.seed, device=self.device)

    def __iter__(self) -> Iterator[StepRecord]:
        """Does the steps that are left, one for each record.

        Raises:
            RunError: the loss is no longer a number.
        """
        with side_by_side(self.device) as workers:
            while self.step < self.config.steps:
                distances, spread = self.advance(workers)
                loss = distances.sum() / spread
                read = self.device.type == "cpu" or self.step % _STEPS_PER_READING == 0
                value = float(loss) if read or self.step in (1, self.config.steps) else None
                yield checked(self.step, value)

    def embeddings(self, workers: ThreadPoolExecutor) -> Tensor:
        """The tracks of the own groups in the step's network, class by class, as a regression needs them, `[n, d]`."""
        member, chosen = self._member(workers), self._chosen_rows()
        rows = len(self._parameters) if chosen is None else len(chosen) * len(self.classes)
        images = rows * self._form.tracks_per_row * len(self._groups) / len(self.groups)
        width = max(network.width for network in self.config.networks)
        numbers = images * math.prod(self._shape) * width * _KEPT_PER_PIXEL
        # A group that is alone keeps its maps in any case.
        keep = len(self._groups) == 1 or numbers <= _NUMBERS_KEPT

        def embedded(group: Group) -> Embedded:
            with torch.set_grad_enabled(keep):
                return self._embedded(member, group, chosen)

        found = list(workers.map(embedded, self._groups))
        self._kept = found if keep else []
        return torch.cat([each.embeddings.detach() for each in found])

    def advance(self, workers: ThreadPoolExecutor, embeddings: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One step of all groups with the step's network.

        Args:
            embeddings: those of all classes where several distillers share them and regress, `[n, d]`.

        Returns:
            the distance of each group, whose sum is the loss, in units of the spread of the real class means, and that
            spread
        """
        member = self._member(workers)
        self._networks.make_ahead(self.step, workers)
        if self._students.timetable.begins(self.step):
            self._students.teach(self.step, self._training_set(), workers)
        pulls: Sequence[Tensor | None] = [None] * len(self._groups)
        if self.config.regression:
            pulls = self._pulls(member, self.embeddings(workers) if embeddings is None else embeddings)
        kept, chosen = self._kept, self._chosen_rows()
        self._kept = []

        def gradient(group: Group, pull: Tensor | None, number: int) -> tuple[Tensor, Tensor]:
            embedded = kept[number] if kept else self._embedded(member, group, chosen)
            return self._gradient(member, group, embedded, pull)

        results = list(workers.map(gradient, self._groups, pulls, range(len(self._groups))))
        # There may be more coordinates than parameters: cells of overlapping windows.
        step = self._update(torch.cat([gradient for gradient, _ in results]), self._memory)
        parts = step.split([len(gradient) for gradient, _ in results])
        list(workers.map(partial(self._move, self._learning_rate()), self._groups, parts))
        self.step += 1
        if self.config.hears(self.step):
            self._listen(workers)
        return torch.stack([distance for _, distance in results]), member.spread

    def _member(self, workers: ThreadPoolExecutor) -> Member:
        """The network of this step and what belongs to it."""
        if self.step >= self._students.timetable.takes_over:
            self._networks.close()
            return self._students.at(self.step)
        return self._networks.at(self.step, workers.map)

    def _training_set(self) -> TrainingSet:
        """The tracks as networks see them now, for a lesson."""
        classes = len(self.classes)
        whole = slice(0, classes)
        images = self._images(self._form, whole, self._parameters)
        # A copy: the steps go on while a lesson does, and move the parameters in place.
        images = self._hearing.heard(images, self._tracks(whole)).cpu().clone()
        labels = torch.arange(classes).repeat_interleave(len(images) // classes)
        return TrainingSet.of_images(images, labels, classes=classes, shift_bands=self._shift_bands)

    def _listen(self, workers: ThreadPoolExecutor) -> None:
        """Makes the own tracks audible."""
        corrections = self._hearing.corrections(self._track_count)

        def listen(group: Group) -> None:
            with torch.no_grad():
                images = self._images(group.form, group.classes, self._parameters[self._rows(group.classes)])
            self._hearing.listen(images, self._tracks(group.classes), corrections)

        list(workers.map(listen, self._groups))

    def _images(self, form: Parameterisation, classes: slice, parameters: Tensor) -> Tensor:
        """Images of tracks of some classes, from all their rows or from the same number of rows of each class."""
        constants = {name: each if name in form.shared else each[classes] for name, each in self._constants.items()}
        return self._domain.images(form.render(parameters, constants))

    def _embedded(self, member: Member, group: Group, chosen: Tensor | None) -> Embedded:
        """The tracks of a group, or those at the chosen rows of each class, in a network."""
        classes = group.classes
        parameters = self._parameters[self._rows(classes)].detach().requires_grad_()
        moved = parameters
        if chosen is not None:
            moved = parameters.unflatten(0, (classes.stop - classes.start, -1))[:, chosen].flatten(0, 1)
        images = self._images(group.form, classes, moved)
        images = self._hearing.seen(images, self._tracks(classes, chosen), self.step)
        return Embedded(parameters, member.network.embed(member.augmentation.apply(images)))

    def _pulls(self, member: Member, embeddings: Tensor) -> list[Tensor]:
        """Gradient of the regression at the embeddings of the own groups, from those of all classes."""
        everyone = embeddings.to(member.real).requires_grad_()
        synthetic = everyone.unflatten(0, (len(self.classes), -1))
        error = self.config.regression * prediction_error(member.real, synthetic)
        if self.config.balance == "none":
            error = error * member.spread
        (gradient,) = torch.autograd.grad(error, synthetic)
        return [gradient[group.classes].flatten(0, 1) for group in self._groups]

    def _gradient(self, member: Member, group: Group, embedded: Embedded, pull: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gradient of a group's loss in the optimiser's coordinates, and its distance from the real clips."""
        config, classes, real = self.config, group.classes, member.real[group.classes]
        parameters, embeddings = embedded
        synthetic = embeddings.reshape(len(real), -1, embeddings.shape[1])
        distance = self._distance(real, synthetic, generator(config.seed, "objective", self.step)).sum()
        loss = distance / member.spread if config.balance == "spread" else distance
        if config.classification and member.trained:
            labels = torch.arange(classes.start, classes.stop, device=self.device)
            labels = labels.repeat_interleave(synthetic.shape[1])
            wrong = cross_entropy(member.network.head(embeddings), labels, reduction="sum")
            loss = loss + config.classification / (len(self.classes) * synthetic.shape[1]) * wrong
        if pull is not None:
            loss = loss + (pull * embeddings).sum()
        (gradient,) = torch.autograd.grad(loss, parameters)
        # A gradient that is not a number shows in the loss of its step, which is read, and not in the next one.
        return self._preconditioner.to_coordinates(gradient, classes), distance.detach() + 0 * gradient.sum()

    def _move(self, rate: float, group: Group, step: Tensor) -> None:
        parameters = self._parameters[self._rows(group.classes)]
        change = self._preconditioner.to_parameters(step, group.classes)
        parameters.sub_(change.view_as(parameters), alpha=rate)
        self._preconditioner.project_(parameters, group.classes)

    def _rows(self, classes: slice) -> slice:
        """Rows of the parameters of some classes."""
        each = len(self._parameters) // len(self.classes)
        return slice(classes.start * each, classes.stop * each)

    @property
    def _track_count(self) -> int:
        return len(self._parameters) * self._form.tracks_per_row

    def _tracks(self, classes: slice, chosen: Tensor | None = None) -> Tensor:
        """Numbers of the tracks of some classes, or of those at the chosen rows of each class."""
        numbers = torch.arange(self._track_count, device=self._parameters.device)
        numbers = numbers.view(len(self.classes), -1, self._form.tracks_per_row)[classes]
        return (numbers if chosen is None else numbers[:, chosen]).flatten()

    def _chosen_rows(self) -> Tensor | None:
        """The stored tracks of each class that this step moves; None for all."""
        each, count = len(self._parameters) // len(self.classes), self.config.tracks_per_step
        if not 0 < count < each:
            return None
        chosen = torch.randperm(each, generator=generator(self.config.seed, "rows", self.step))[:count]
        return chosen.to(self.device)

    def _learning_rate(self) -> float:
        if self.config.schedule == "constant":
            return self.config.learning_rate
        return self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * self.step / self.config.steps))

    def synthetic_set(self) -> SyntheticSet:
        """The tracks as they are now, on the CPU."""
        parameters = self._parameters.cpu().clone()
        constants = {name: values.cpu() for name, values in self._constants.items()}
        labels = torch.arange(len(self.classes)).repeat_interleave(len(parameters) // len(self.classes))
        return SyntheticSet(parameters, labels, self.classes, self.normalisation, self.config, constants)

    def state(self) -> dict[str, Tensor]:
        """All that later steps depend on: random draws depend on the step alone."""
        return {
            "step": torch.tensor(self.step),
            "parameters": self._parameters.cpu().clone(),
            **{f"constants.{name}": value.cpu().clone() for name, value in self._constants.items()},
            **{f"optimiser.{name}": value.cpu().clone() for name, value in self._memory.items()},
            **({} if self._hearing.correction is None else {"correction": self._hearing.correction.cpu().clone()}),
            **{f"students.{name}": value for name, value in self._students.state().items()},
        }

    def part(self, *, tracks_alone: bool = False) -> Part:
        """The classes that this distiller moves, and what belongs to them, or their tracks alone."""
        classes = slice(self._groups[0].classes.start, self._groups[-1].classes.stop)
        correction = self._hearing.correction
        heard = None if correction is None else correction[self._tracks(classes)].cpu().numpy()
        parameters = self._parameters[self._rows(classes)].cpu().numpy()
        if tracks_alone:
            return Part(classes, parameters, {}, heard, {})
        memory = {name: value.cpu().numpy() for name, value in self._memory.items()}
        students = {name: value.numpy() for name, value in self._students.state().items()}
        return Part(classes, parameters, memory, heard, students)

    def look(self, parts: Sequence[Part]) -> None:
        """Sees the tracks that others move, as they are now; a lesson needs those of all classes."""
        for part in parts:
            self._parameters[self._rows(part.classes)] = torch.tensor(part.parameters, device=self.device)
            if part.correction is not None:
                corrections = self._hearing.corrections(self._track_count)
                corrections[self._tracks(part.classes)] = torch.tensor(part.correction, device=self.device)

    def join(self, step: int, parts: Sequence[Part]) -> None:
        """Takes over what several distillers, which share the classes in this order, have after a step."""
        self.step = step
        self.look(parts)
        self._students.resume({name: torch.tensor(value) for name, value in parts[0].students.items()})
        # A number that all groups share stays on the CPU.
        self._memory = {
            name: torch.tensor(np.concatenate([part.memory[name] for part in parts]), device=self.device)
            if value.ndim
            else torch.tensor(value)
            for name, value in parts[0].memory.items()
        }

    def resume(self, state: dict[str, Tensor]) -> None:
        """Returns to a state; the steps that follow are those that would have followed it then.

        Raises:
            RunError: the state belongs to another config.
        """
        if state["parameters"].shape != self._parameters.shape:
            raise RunError("the checkpoint belongs to another config: its parameters have another shape")
        self._parameters.copy_(state["parameters"])
        # On another machine components may be others.
        for name, values in self._constants.items():
            values.copy_(state.get(f"constants.{name}", values))
        self.step = int(state["step"])
        self._memory = {
            name.removeprefix("optimiser."): value.clone() if value.dim() == 0 else self._own(value).to(self.device)
            for name, value in state.items()
            if name.startswith("optimiser.")
        }
        self._hearing.correction = None
        if "correction" in state:
            self._hearing.corrections(self._track_count).copy_(state["correction"])
        students = {name: value for name, value in state.items() if name.startswith("students.")}
        self._students.resume({name.removeprefix("students."): value for name, value in students.items()})

    def _own(self, memory: Tensor) -> Tensor:
        """The rows of an optimiser's memory of all classes that belong to those which this distiller moves."""
        each = len(memory) // len(self.classes)
        return memory[each * self._groups[0].classes.start : each * self._groups[-1].classes.stop]
