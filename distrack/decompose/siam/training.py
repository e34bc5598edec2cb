"""Trains a model of events on timbres, on synthetic scenes with known events, and on recordings."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from distrack.adam import adam_step
from distrack.arrays import Floats
from distrack.decompose.losses.spectral import SpectralLoss
from distrack.decompose.siam import detector, timbre
from distrack.decompose.siam.detector import HOP
from distrack.decompose.siam.finder import Finder
from distrack.decompose.siam.model import Model
from distrack.decompose.siam.rows import TIMBRES, sounds_of_rows
from distrack.decompose.siam.scenes import RATE, Draw, Note, Scene, note, scene
from distrack.decompose.siam.timbre import Description, random_descriptions
from distrack.decompose.synthesis.clip import Clip
from distrack.decompose.synthesis.sounds import mixed
from distrack.randomness import derived_seed, generator
from distrack.validation import Config

Phase = Literal["timbres", "scenes", "hear", "recordings"]
# Samples of a scene and of a piece of a recording.
SAMPLES = 64 * HOP
# Descriptions of random instruments, and of them in a batch.
DESCRIPTIONS, BATCH = 12_000, 256
# Notes that scenes are mixed from, in seconds each; scenes in a batch, of which each replaces one note; most events.
NOTES, NOTE_SECONDS, SCENES, MOST = 400, 3.0, 8, 8
# An event this much fainter than the loudest one of its scene need not be found.
FAINT = 0.03
# Events that are found in each recording.
EVENTS = 8
# Largest norm of a gradient, steps until the learning rate is full, and its share at the end.
LARGEST, WARM_UP, LAST = 1.0, 50, 0.02
RATES: dict[Phase, float] = {"timbres": 2e-3, "scenes": 3e-3, "hear": 0.0, "recordings": 5e-4}


class TrainingConfig(Config):
    """How long a model of events is trained, and on what."""

    timbre_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 4_000
    """Steps on the harmonics of random instruments, from which timbres are learnt."""
    scene_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1_400
    """Steps on synthetic scenes, from which onsets and pitches are learnt. They take most of the time."""
    recording_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 400
    """Steps on recordings, whose events are found, rendered and compared with them."""
    recordings: Annotated[int, Field(ge=0, le=10_000)] = 48
    """Most recordings that are used, from the training part of a dataset; 0 trains on synthetic scenes alone."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of all random choices."""

    def plan(self, recordings: int) -> dict[Phase, int]:
        """The phases of a training on so many recordings, and their steps."""
        plan: dict[Phase, int] = {"timbres": self.timbre_steps, "scenes": self.scene_steps}
        if recordings and self.recording_steps:
            plan |= {"hear": recordings, "recordings": self.recording_steps}
        return plan


class Step(NamedTuple):
    """A training step that was done.

    Attributes:
        phase: what is trained on.
        step, steps: steps done in this phase, and steps that it has.
        loss: that of the step; None where nothing is fitted.
    """

    phase: Phase
    step: int
    steps: int
    loss: float | None


class Trainer:
    """Trains one model. It yields after every step; one that restores the state of another continues bit for bit.

    Args:
        recordings: pieces of recordings, none silent; none if there are no recordings.

    Shape:
        - recordings: ``[samples]`` each, at 16 kHz
    """

    def __init__(self, config: TrainingConfig, recordings: Sequence[Floats] = ()) -> None:
        self.config = config
        pieces = [np.pad(one[:SAMPLES], (0, max(0, SAMPLES - len(one)))) for one in recordings[: config.recordings]]
        self.recordings = pieces
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(config.seed, "event model"))
            self.model = Model.new()
        self.plan = config.plan(len(pieces))
        self.done = 0
        self.memory: dict[str, Tensor] = {}
        # What was found in recordings: rows, what was measured of them, and the recordings' numbers.
        self.rows: list[Floats] = []
        self.described: list[Description] = []
        self.places: list[int] = []
        self._pool: Description | None = None
        self._notes: dict[int, Note] = {}
        self._losses: dict[int, SpectralLoss] = {}

    @property
    def phase(self) -> tuple[Phase, int, int]:
        """The current phase, steps done in it, and steps that it has."""
        left = self.done
        for phase, steps in self.plan.items():
            if left < steps:
                return phase, left, steps
            left -= steps
        return phase, steps, steps

    def __iter__(self) -> Iterator[Step]:
        while self.done < sum(self.plan.values()):
            phase, step, steps = self.phase
            if step == 0:
                self.memory = {}
            loss = self._tasks[phase](step)
            value = None if loss is None else self._descend(loss, phase, step / steps, step)
            self.done += 1
            yield Step(phase, step + 1, steps, value)

    @property
    def _tasks(self) -> dict[Phase, Callable[[int], Tensor | None]]:
        """What is done in a step of each phase, with the loss that it gives."""
        return {"timbres": self._timbres, "scenes": self._scenes, "hear": self._hear, "recordings": self._recordings}

    def _parameters(self, phase: Phase) -> list[Tensor]:
        if phase == "scenes":
            return list(self.model.detector.parameters())
        return [*self.model.encoder.parameters(), *self.model.decoder.values()]

    def _descend(self, loss: Tensor, phase: Phase, share: float, step: int) -> float:
        parameters = self._parameters(phase)
        gradient = torch.cat([one.flatten() for one in torch.autograd.grad(loss, parameters)])
        gradient = gradient * min(1.0, LARGEST / float(gradient.norm() + 1e-12))
        direction = adam_step(gradient, self.memory)
        rate = RATES[phase] * min(1.0, (step + 1) / WARM_UP) * (0.5 * (1 + math.cos(math.pi * share)) + LAST)
        with torch.no_grad():
            for parameter, move in zip(parameters, direction.split([p.numel() for p in parameters]), strict=True):
                parameter.sub_(rate * move.view_as(parameter))
        return float(loss.detach())

    # Phases

    def _timbres(self, step: int) -> Tensor:
        given = self._random_batch(step, BATCH)
        return timbre.loss_of(given, self.model.encoder(given), self.model.decoder)

    def _random_batch(self, step: int, count: int) -> Description:
        """Some of the random instruments, each with phases of its own."""
        if self._pool is None:
            self._pool = random_descriptions(Draw(generator(self.config.seed, "instruments")), DESCRIPTIONS)
        draw = generator(self.config.seed, "batch", step)
        given = self._pool.at(torch.randint(DESCRIPTIONS, (count,), generator=draw))
        turn = 2 * math.pi * torch.rand(given.audible.shape, generator=draw)
        turn[:, 0] = 0
        turned = torch.view_as_complex(given.harmonics.contiguous()) * torch.polar(torch.ones_like(turn), turn)
        return given._replace(harmonics=torch.view_as_real(turned))

    def _scenes(self, step: int) -> Tensor:
        scenes = self.scenes(step)
        with torch.no_grad():
            levels = detector.levels_of(detector.powers(torch.stack([one.wave for one in scenes])))
        return detector.loss_of(self.model.detector(levels), [one.louder_than(FAINT) for one in scenes])

    def scenes(self, step: int) -> list[Scene]:
        """The scenes of a step; they depend on the seed and the step only."""
        first = step * SCENES
        notes = [self._note(number) for number in range(first, first + NOTES)]
        self._notes = {number: one for number, one in self._notes.items() if number >= first}
        draw = Draw(generator(self.config.seed, "scenes", step))
        return [scene(draw, notes, samples=SAMPLES, most=MOST) for _ in range(SCENES)]

    def _note(self, number: int) -> Note:
        if number not in self._notes:
            draw = Draw(generator(self.config.seed, "note", number))
            self._notes[number] = note(draw, seconds=NOTE_SECONDS)
        return self._notes[number]

    def _hear(self, step: int) -> None:
        """Finds the events of one recording."""
        finder = Finder(self.recordings[step], self.model, events=EVENTS)
        while not finder.over:
            finder.find()
        self.rows += finder.found
        self.described += finder.described
        self.places += [step] * len(finder.found)

    def _recordings(self, step: int) -> Tensor:
        """Random instruments, all that was measured in recordings, and the sound of one recording's events."""
        given = self._random_batch(self.config.timbre_steps + step, BATCH // 2)
        loss = timbre.loss_of(given, self.model.encoder(given), self.model.decoder)
        if not self.rows:
            return loss
        draw = generator(self.config.seed, "recordings", step)
        some = torch.randint(len(self.rows), (BATCH // 2,), generator=draw).tolist()
        real = joined([self.described[number] for number in some])
        loss = loss + timbre.loss_of(real, self.model.encoder(real), self.model.decoder)
        place = self.places[int(torch.randint(len(self.rows), (1,), generator=draw))]
        here = [number for number, other in enumerate(self.places) if other == place]
        given = joined([self.described[number] for number in here])
        rows = torch.from_numpy(np.stack([self.rows[number] for number in here]))
        rows = torch.cat([rows[:, : TIMBRES.start], self.model.encoder(given)], 1)
        sound = mixed(sounds_of_rows(rows, self.model.decoder, sample_rate=RATE), Clip(RATE, SAMPLES, 0, "gamma"))
        if place not in self._losses:
            self._losses[place] = SpectralLoss(torch.from_numpy(self.recordings[place][None]), phases=0.1, bands=0.1)
        return loss + self._losses[place](sound)

    # State

    def state(self) -> Mapping[str, NDArray[Any]]:
        """Arrays that hold everything needed to continue."""
        arrays = {name: array.numpy().copy() for name, array in self.model.arrays().items()}
        arrays |= {f"memory.{name}": array.numpy().copy() for name, array in self.memory.items()}
        if self.rows:
            arrays["rows"] = np.stack(self.rows)
            described = joined(self.described)
            arrays |= {f"described.{name}": getattr(described, name).numpy() for name in Description._fields}
        return {**arrays, "places": np.array(self.places, np.int64), "done": np.array([self.done])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continues from the state of another trainer of the same config and recordings."""
        with torch.no_grad():
            for name, array in self.model.arrays().items():
                array.copy_(torch.from_numpy(state[name]))
        prefix = "memory."
        self.memory = {
            name.removeprefix(prefix): torch.from_numpy(array.copy())
            for name, array in state.items()
            if name.startswith(prefix)
        }
        self.done, self.places = int(state["done"][0]), state["places"].tolist()
        if self.places:
            self.rows = list(state["rows"])
            fields = [torch.from_numpy(state[f"described.{name}"]) for name in Description._fields]
            self.described = [Description(*(one[[number]] for one in fields)) for number in range(len(self.places))]


def joined(given: Sequence[Description]) -> Description:
    """All events of some descriptions."""
    return Description(*(torch.cat(parts) for parts in zip(*given, strict=True)))
