"""The method "splat": finds events by a pursuit or at onsets, then fits all of them at once by gradient descent."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from distrack.adam import adam_step
from distrack.arrays import Floats
from distrack.decompose.decomposer import Budget, Decomposer, Progress
from distrack.decompose.events import Events
from distrack.decompose.losses import LOSSES
from distrack.decompose.losses.spectral import least_important
from distrack.decompose.quality import snr_db
from distrack.decompose.splat.config import SplatConfig
from distrack.decompose.splat.initialisation import Initialiser
from distrack.decompose.splat.parameters import COLUMNS
from distrack.decompose.splat.variables import (
    PLACES,
    TONES,
    VARIABLES,
    bounds,
    initial_variables,
    sounds_of_variables,
    stored_rows,
)
from distrack.decompose.synthesis.clip import Clip
from distrack.decompose.synthesis.sounds import mixed
from distrack.device import one_thread
from distrack.perception import Distance

# Adam's decay rates: the mean square has a shorter memory than usual, as there are few steps.
BETAS, EPSILON = (0.9, 0.99), 1e-12
# The first steps are small until Adam's means are known, and the last ones are small so that the fit settles.
WARM_UP, LAST_RATE = 20, 0.01
PRUNE_AT = 0.4
# With a sparsity penalty, an event 60 dB below the strongest one is removed; this is checked after every so many steps.
FAINT, FAINT_EVERY = 1e-3, 50
# Share of the time limit that finding the first events may take.
FINDING = 0.4


class Splatter(Decomposer):
    """Gradient descent on all events at once; the loss compares their sum with the clip.

    Attributes:
        done: steps of gradient descent; -1 while the first events are being found.
        variables: the numbers that gradient descent changes, ``[events, variables]``.
        scale: unit of each event's levels, ``[events]``.
        noise: number of each event's noise, ``[events]``.
    """

    settings: SplatConfig

    def __init__(self, wave: Floats, sample_rate: int, budget: Budget, settings: SplatConfig) -> None:
        super().__init__(wave, sample_rate, budget, settings)
        self.clip = Clip(sample_rate, wave.shape[1], budget.seed, settings.envelope)
        self.initialiser = Initialiser(wave, sample_rate, events=self._most, method=settings.initialisation)
        self.done = -1
        self.variables = np.zeros((0, len(VARIABLES)))
        self.scale = self.noise = np.zeros(0)
        self.adam: dict[str, Tensor] = {}
        self.loss: float | None = None
        self._rendered_wave = np.zeros_like(wave)
        self._distance: Distance | None = None

    @property
    def _most(self) -> int:
        """Most events: together they must not have more numbers than the clip has samples."""
        return min(self.budget.events, max(1, self.wave.size // len(COLUMNS)))

    @property
    def over(self) -> bool:
        """Whether all iterations are done, or there are no events, or time is up."""
        if self.count == 0:
            return self.done >= 0
        return self.late() or self.done >= self.settings.iterations

    def step(self) -> None:
        """Finds one more event, or does one step of gradient descent."""
        if self.done < 0:
            self._find()
        else:
            with one_thread():
                self._descend()

    @property
    def count(self) -> int:
        return len(self.initialiser.groups) if self.done < 0 else len(self.variables)

    def progress(self) -> Progress:
        """The signal-to-noise ratio is that of the last rendered sound."""
        step = len(self.initialiser.groups) if self.done < 0 else self._most + self.done
        sound = self._rendered_wave if self.done > 0 else self.wave - self.initialiser.residual.astype(np.float32)
        return Progress(step, self._most + self.settings.iterations, self.count, snr_db(self.wave, sound), self.loss)

    def _find(self) -> None:
        """Finds one more event, or prepares gradient descent if there are enough."""
        hurried = self.late(FINDING) and self.count > 0
        if not hurried and self.initialiser.find():
            return
        self.variables, self.scale = initial_variables(self.initialiser.groups, sample_rate=self.sample_rate)
        self.noise = np.arange(len(self.variables), dtype=np.float64)
        self.adam = {}
        self.done = 0

    def _descend(self) -> None:
        settings = self.settings
        if self._distance is None:
            make, clip = LOSSES[settings.loss], torch.from_numpy(self.wave)
            self._distance = make(clip, self.sample_rate, settings.phases, settings.bands)
        variables = torch.from_numpy(self.variables).requires_grad_()
        sound = self._render(variables)
        loss = self._distance(sound)
        if settings.sparsity:
            loss = loss + settings.sparsity * self._sparsity(variables)
        loss.backward()
        gradient = variables.grad
        if gradient is None:
            raise RuntimeError("a loss without a gradient")
        self.loss, self._rendered_wave = float(loss.detach()), sound.detach().numpy()
        direction = adam_step(gradient, self.adam, betas=BETAS, epsilon=EPSILON, order="published").numpy()
        steps = np.array([variable.step for variable in VARIABLES.values()])
        self.variables = np.clip(self.variables - self._rate() * steps * direction, *bounds())
        self.done += 1
        self._remove()

    def _render(self, variables: Tensor) -> Tensor:
        sounds = sounds_of_variables(
            variables,
            torch.from_numpy(self.scale),
            torch.from_numpy(self.noise),
            channels=len(self.wave),
            sample_rate=self.sample_rate,
        )
        return mixed(sounds, self.clip)

    def _rate(self) -> float:
        share = self.done / self.settings.iterations
        if self.budget.time_limit is not None:
            share = max(share, min(1.0, self.seconds_spent / self.budget.time_limit))
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        return self.settings.learning_rate * min(1.0, (self.done + 1) / WARM_UP) * (cosine + LAST_RATE)

    def _sparsity(self, variables: Tensor) -> Tensor:
        """Mean logarithm of the events' strengths: it weakens faint events more than strong ones.

        Source:
            Candès, Wakin and Boyd, "Enhancing Sparsity by Reweighted l1 Minimization", 2008, section 2.2.
        """
        strength = self._strength(variables)
        return torch.log1p(strength / (0.1 * strength.detach().mean())).mean()

    def _strength(self, variables: Tensor) -> Tensor:
        """Approximate square root of each event's energy, ``[events]``."""
        duration = variables[:, PLACES["attack"]].exp() + variables[:, PLACES["decay"]].exp()
        tones = variables[:, TONES].square().sum(1) * duration
        noise = variables[:, PLACES["level"]].square() * variables[:, PLACES["burst"]].exp()
        return torch.from_numpy(self.scale) * (tones + noise + 1e-20).sqrt()

    def _remove(self) -> None:
        """Removes the events that pruning or the sparsity penalty select at this step."""
        settings = self.settings
        remaining = np.ones(len(self.variables), np.bool_)
        if settings.prune and self.done == max(1, round(PRUNE_AT * settings.iterations)):
            count = round(settings.prune * len(remaining))
            remaining[least_important(self.events_in_order(), self.wave, count)] = False
        elif settings.sparsity and self.done % FAINT_EVERY == 0:
            strength = self._strength(torch.from_numpy(self.variables)).numpy()
            remaining = strength > FAINT * strength.max()
        if not remaining.all():
            self.variables, self.scale, self.noise = (
                array[remaining] for array in (self.variables, self.scale, self.noise)
            )
            for name in ("mean", "square"):
                self.adam[name] = self.adam[name][torch.from_numpy(remaining)]

    def events_in_order(self) -> Events:
        variables, scale, noise = self.variables, self.scale, self.noise
        if self.done < 0:
            variables, scale = initial_variables(self.initialiser.groups, sample_rate=self.sample_rate)
            variables[:, PLACES["level"]], noise = 0.0, np.arange(len(variables), dtype=np.float64)
        rows = stored_rows(variables, scale, noise, channels=len(self.wave))
        return self.clip_events("splat", rows, settings={"envelope": self.settings.envelope})

    def state(self) -> Mapping[str, NDArray[Any]]:
        nothing = torch.zeros(self.variables.shape, dtype=torch.float64)
        rendered = {"heard": self._rendered_wave} if self.done > 0 else {}
        return {
            **{f"beginning.{name}": array for name, array in self.initialiser.state().items()},
            "done": np.array([self.done]),
            "spent": np.array([self.seconds_spent]),
            "loss": np.array([math.nan if self.loss is None else self.loss]),
            "numbers": self.variables.copy(),
            "scale": self.scale.copy(),
            "noise": self.noise.copy(),
            **{name: self.adam.get(name, nothing).numpy().copy() for name in ("mean", "square")},
            **rendered,
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        prefix = "beginning."
        self.initialiser.restore(
            {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
        )
        self.done, self.seconds_spent = int(state["done"][0]), float(state["spent"][0])
        loss = float(state["loss"][0])
        self.loss = None if math.isnan(loss) else loss
        self.variables, self.scale, self.noise = (state[name].copy() for name in ("numbers", "scale", "noise"))
        self.adam = {name: torch.from_numpy(state[name].copy()) for name in ("mean", "square")}
        self.adam["step"] = torch.tensor(float(max(self.done, 0)))
        if "heard" in state:
            self._rendered_wave = state["heard"].copy()
