"""The method "siam": a trained model finds the events, and gradient descent on all of them refines them if asked."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.adam import adam_step
from distrack.arrays import Doubles, Floats
from distrack.audio import to_mono
from distrack.decompose.decomposer import Budget, Decomposer, Progress
from distrack.decompose.events import Events
from distrack.decompose.losses import LOSSES
from distrack.decompose.quality import snr_db
from distrack.decompose.siam.config import SiamConfig
from distrack.decompose.siam.finder import Finder
from distrack.decompose.siam.kind import SIAM
from distrack.decompose.siam.model import load
from distrack.decompose.siam.model_files import model_file
from distrack.decompose.siam.rows import COLUMNS, PLACES, sounds_of_rows
from distrack.decompose.siam.scenes import RATE
from distrack.decompose.synthesis.clip import Clip
from distrack.decompose.synthesis.sounds import mixed
from distrack.device import one_thread
from distrack.perception import Distance

# Adam's decay rates, the steps until the rate is full, and its share at the end, as in splatting.
BETAS, EPSILON, WARM_UP, LAST_RATE = (0.9, 0.99), 1e-12, 20, 0.01
# How far one step moves each number, about; that of a column without an entry is that of the timbre.
STEPS = {"time": 3e-4, "frequency": 2e-4, "noise": 0.01, "pan": 0.01}
TIMBRE_STEP, STEP = 0.03, 0.02
SHAPED = ("amplitude", "attack", "decay", "brightness")
# Share of the noise that a tone starts with, so that refinement can find out whether it needs any.
BREATH = 0.02
QUIETEST = 1e-7
# Weights of the phases and of the bands in the loss of refinement, those of a splatting.
PHASES, BANDS = 0.1, 0.1


class Listener(Decomposer):
    """A network proposes events, each is fitted and subtracted; gradient descent then refines all of them.

    Attributes:
        finder: finds the events, in one channel at 16 kHz.
        variables: the numbers that refinement changes, ``[events, columns]``; logarithms of positive numbers.
        done: steps of refinement; -1 while events are being found.

    Source:
        The idea of few events, each a time and a short vector: Vinyard, "Sparse Interpretable Audio Model".
    """

    settings: SiamConfig

    def __init__(self, wave: Floats, sample_rate: int, budget: Budget, settings: SiamConfig) -> None:
        super().__init__(wave, sample_rate, budget, settings)
        self.model = load(model_file(settings.model))
        mono = to_mono(wave).wave
        heard = mono if sample_rate == RATE else soxr.resample(mono, sample_rate, RATE, quality="HQ")
        self.finder = Finder(np.asarray(heard, np.float32), self.model, events=budget.events)
        self.clip = Clip(sample_rate, wave.shape[1], budget.seed, "gamma")
        self.columns = SIAM.columns(len(wave))
        self.done = -1
        self.variables: Doubles = np.zeros((0, len(self.columns)))
        self.adam: dict[str, Tensor] = {}
        self.loss: float | None = None
        self._sound: Floats | None = None
        self._distance: Distance | None = None

    @property
    def over(self) -> bool:
        """Whether all events are found and refined, or time is up."""
        if self.done < 0:
            return False
        return self.count == 0 or self.late() or self.done >= self.settings.refine

    @property
    def count(self) -> int:
        return len(self.finder.found) if self.done < 0 else len(self.variables)

    def step(self) -> None:
        """Finds a few events, or does one step of refinement."""
        with one_thread():
            if self.done < 0:
                self._find()
            else:
                self._refine()

    def _find(self) -> None:
        if not self.finder.over and not (self.late() and self.count):
            self.finder.find()
            return
        rows = self._rows().astype(np.float64)
        if self.settings.refine:
            tonal = rows[:, PLACES["noise"]] == 0
            rows[tonal, PLACES["noise"]] = BREATH
        self.variables = np.where(self._logarithmic, np.log(np.maximum(rows, QUIETEST)), rows)
        self.done = 0

    def _rows(self) -> Floats:
        """The events found, panned to where each of them is in both channels."""
        mono = np.array(self.finder.found, np.float32).reshape(-1, len(COLUMNS))
        if len(self.wave) == 1:
            return mono
        rows = np.concatenate([mono, np.zeros((len(mono), 1), np.float32)], 1)
        for row, one in zip(rows, mono, strict=True):
            with torch.no_grad():
                sounds = sounds_of_rows(torch.from_numpy(one[None]), self.model.decoder, sample_rate=self.sample_rate)
                alone = mixed(sounds, self.clip)[0].numpy()
            left, right = np.abs(self.wave @ alone)
            row[PLACES["pan"]] = np.arctan2(right, left) * 4 / np.pi - 1 if left + right > 0 else 0.0
        # The gains of an event in the middle are the root of a half each.
        rows[:, PLACES["amplitude"]] *= np.sqrt(2)
        return rows

    @property
    def _logarithmic(self) -> NDArray[np.bool_]:
        return np.array([column.between == "geometric" or column.name == "amplitude" for column in self.columns])

    def _refine(self) -> None:
        if self._distance is None:
            make = LOSSES[self.settings.loss]
            self._distance = make(torch.from_numpy(self.wave), self.sample_rate, PHASES, BANDS)
        variables = torch.from_numpy(self.variables).requires_grad_()
        rows = torch.where(torch.from_numpy(self._logarithmic), variables.exp(), variables)
        sounds = sounds_of_rows(rows, self.model.decoder, sample_rate=self.sample_rate)
        sound = mixed(sounds, self.clip)
        loss = self._distance(sound)
        (gradient,) = torch.autograd.grad(loss, [variables])
        self.loss, self._sound = float(loss.detach()), sound.detach().numpy()
        direction = adam_step(gradient, self.adam, betas=BETAS, epsilon=EPSILON, order="published").numpy()
        steps = [STEPS.get(one.name, STEP if one.name in SHAPED else TIMBRE_STEP) for one in self.columns]
        moved = self.variables - self._rate() * np.array(steps) * direction
        self.variables = np.clip(moved, *self._bounds())
        self.done += 1

    def _bounds(self) -> tuple[Doubles, Doubles]:
        ends = np.array([(column.low, column.high) for column in self.columns])
        low, high = np.where(self._logarithmic, np.log(np.maximum(ends.T, QUIETEST)), ends.T)
        return low, high

    def _rate(self) -> float:
        share = self.done / self.settings.refine
        if self.budget.time_limit is not None:
            share = max(share, min(1.0, self.seconds_spent / self.budget.time_limit))
        return min(1.0, (self.done + 1) / WARM_UP) * (0.5 * (1 + math.cos(math.pi * share)) + LAST_RATE)

    def progress(self) -> Progress:
        """The signal-to-noise ratio is that of the last rendered sound; none before refinement."""
        step = self.count if self.done < 0 else self.budget.events + self.done
        snr = None if self._sound is None else snr_db(self.wave, self._sound)
        return Progress(step, self.budget.events + self.settings.refine, self.count, snr, self.loss)

    def events_in_order(self) -> Events:
        if self.done < 0:
            rows = self._rows()
        else:
            rows = np.where(self._logarithmic, np.exp(self.variables), self.variables).astype(np.float32)
        shared = {name: array.numpy() for name, array in self.model.decoder.items()}
        return self.clip_events("siam", rows, shared=shared)

    def state(self) -> Mapping[str, NDArray[Any]]:
        return {
            **{f"finder.{name}": array for name, array in self.finder.state().items()},
            "done": np.array([self.done]),
            "spent": np.array([self.seconds_spent]),
            "loss": np.array([math.nan if self.loss is None else self.loss]),
            "variables": self.variables.copy(),
            **{f"adam.{name}": array.numpy().copy() for name, array in self.adam.items()},
            **({} if self._sound is None else {"sound": self._sound}),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(prefix): one for name, one in state.items() if name.startswith(prefix)}

        self.finder.restore(part("finder."))
        self.adam = {name: torch.from_numpy(array.copy()) for name, array in part("adam.").items()}
        self.done, self.seconds_spent = int(state["done"][0]), float(state["spent"][0])
        loss = float(state["loss"][0])
        self.loss = None if math.isnan(loss) else loss
        self.variables = state["variables"].copy()
        if "sound" in state:
            self._sound = state["sound"].copy()
