"""Splatting: events found by a pursuit or at onsets, then all of them moved together by gradient descent."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from distrack.decompose.decomposer import DECOMPOSERS, Progress
from distrack.decompose.events import Events
from distrack.decompose.quality import snr_db
from distrack.decompose.splat.beginning import Beginning
from distrack.decompose.splat.loose import AT, NUMBERS, TONES, bounds, loose_sounds, loosened, rows
from distrack.decompose.splat.loss import SpectralLoss
from distrack.decompose.splat.parameters import COLUMNS, add_up
from distrack.decompose.splat.prune import missed_least
from distrack.decompose.splat.threads import one_thread

if TYPE_CHECKING:
    from distrack.decompose.config import DecomposeConfig

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# Adam: Kingma and Ba, ICLR 2015, algorithm 1; a second moment of shorter memory than theirs, as steps are few.
MEAN, SQUARE, EPSILON = 0.9, 0.99, 1e-12
# The first steps are small, until the moments are known; the last ones are too, so that the fit settles.
WARM_UP, LAST_RATE = 20, 0.01
PRUNE_AT = 0.4
# With a weight on sparsity, an event 60 dB below the strongest is gone; looked for every so many steps.
FAINT, FAINT_EVERY = 1e-3, 50
# Of a time limit, what finding the first events may take.
FINDING = 0.4


@DECOMPOSERS.register("splat")
class Splatter:
    """Gradient descent on all events at once; the loss is of their sum.

    Args:
        wave: ``[channels, samples]``
    """

    def __init__(self, wave: Floats, sample_rate: int, config: "DecomposeConfig") -> None:
        self.wave, self.sample_rate, self.config = wave, sample_rate, config
        self.beginning = Beginning(wave, sample_rate, events=self._most(), method=config.splat.initialisation)
        self.spent = 0.0
        self.done = -1
        self.numbers = np.zeros((0, len(NUMBERS)))
        self.scale = self.noise = np.zeros(0)
        self.mean = self.square = np.zeros_like(self.numbers)
        self.loss: float | None = None
        self._heard = np.zeros_like(wave)
        self._distance: SpectralLoss | None = None

    def _most(self) -> int:
        """More numbers than the clip has samples would be no decomposition of it."""
        return min(self.config.events, max(1, self.wave.size // len(COLUMNS)))

    def __iter__(self) -> Iterator[Progress]:
        while not self.over:
            began = time.monotonic()
            if self.done < 0:
                self._find()
            else:
                with one_thread():
                    self._descend()
            self.spent += time.monotonic() - began
            yield self.progress()

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        limit = self.config.time_limit
        enough = limit is not None and self.spent >= limit and self.count > 0
        nothing = self.done >= 0 and self.count == 0
        return enough or nothing or self.done >= self.config.splat.iterations

    @property
    def count(self) -> int:
        """Events so far."""
        return len(self.beginning.groups) if self.done < 0 else len(self.numbers)

    def progress(self) -> Progress:
        """How far it is; the signal-to-noise ratio is that of the last wave that was rendered."""
        iterations = self.config.splat.iterations
        step = len(self.beginning.groups) if self.done < 0 else self._most() + self.done
        return Progress(step, self._most() + iterations, self.count, self._snr(), self.loss)

    def _snr(self) -> float | None:
        heard = self._heard if self.done > 0 else self.wave - self.beginning.residual.astype(np.float32)
        return snr_db(self.wave, heard)

    def _find(self) -> None:
        limit = self.config.time_limit
        hurried = limit is not None and self.spent > FINDING * limit and self.count > 0
        if not hurried and self.beginning.find():
            return
        self.numbers, self.scale = loosened(self.beginning.groups, sample_rate=self.sample_rate)
        self.noise = np.arange(len(self.numbers), dtype=np.float64)
        self.mean, self.square = np.zeros_like(self.numbers), np.zeros_like(self.numbers)
        self.done = 0

    def _descend(self) -> None:
        splat = self.config.splat
        distance = self._distance = self._distance or SpectralLoss(
            torch.from_numpy(self.wave), phases=splat.phases, bands=splat.bands
        )
        numbers = torch.from_numpy(self.numbers).requires_grad_()
        heard = self._rendered(numbers)
        loss = distance(heard)
        if splat.sparsity:
            loss = loss + splat.sparsity * self._sparsity(numbers)
        loss.backward()
        gradient = numbers.grad
        if gradient is None:
            raise RuntimeError("a loss without a gradient")
        self.loss, self._heard = float(loss.detach()), heard.detach().numpy()
        self._step(gradient.numpy())
        self.done += 1
        self._remove()

    def _rendered(self, numbers: torch.Tensor) -> torch.Tensor:
        given = loose_sounds(
            numbers,
            torch.from_numpy(self.scale),
            torch.from_numpy(self.noise),
            channels=len(self.wave),
            sample_rate=self.sample_rate,
        )
        samples, envelope = self.wave.shape[1], self.config.splat.envelope
        return add_up(given, sample_rate=self.sample_rate, samples=samples, seed=self.config.seed, envelope=envelope)

    def _step(self, gradient: Doubles) -> None:
        """One of Adam's, within the bounds."""
        self.mean = MEAN * self.mean + (1 - MEAN) * gradient
        self.square = SQUARE * self.square + (1 - SQUARE) * gradient**2
        count = self.done + 1
        direction = self.mean / (1 - MEAN**count) / (np.sqrt(self.square / (1 - SQUARE**count)) + EPSILON)
        steps = np.array([number.step for number in NUMBERS.values()])
        self.numbers = np.clip(self.numbers - self._rate() * steps * direction, *bounds())

    def _rate(self) -> float:
        share = self.done / self.config.splat.iterations
        if self.config.time_limit is not None:
            share = max(share, min(1.0, self.spent / self.config.time_limit))
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        return self.config.splat.learning_rate * min(1.0, (self.done + 1) / WARM_UP) * (cosine + LAST_RATE)

    def _sparsity(self, numbers: torch.Tensor) -> torch.Tensor:
        """Mean logarithm of the events' strengths: reweighting that presses on the faint, not on the strong.

        Source:
            Candès, Wakin and Boyd, "Enhancing Sparsity by Reweighted l1 Minimization", 2008, section 2.2.
        """
        strength = self._strength(numbers)
        return torch.log1p(strength / (0.1 * strength.detach().mean())).mean()

    def _strength(self, numbers: torch.Tensor) -> torch.Tensor:
        """Square root of about each event's energy."""
        tones = numbers[:, TONES].square().sum(1) * (numbers[:, AT["attack"]].exp() + numbers[:, AT["decay"]].exp())
        noise = numbers[:, AT["level"]].square() * numbers[:, AT["burst"]].exp()
        return torch.from_numpy(self.scale) * (tones + noise + 1e-20).sqrt()

    def _remove(self) -> None:
        splat = self.config.splat
        keep = np.ones(len(self.numbers), np.bool_)
        if splat.prune and self.done == max(1, round(PRUNE_AT * splat.iterations)):
            gone = round(splat.prune * len(keep))
            keep[missed_least(self.events_as_they_are(), self.wave, gone)] = False
        elif splat.sparsity and self.done % FAINT_EVERY == 0:
            strength = self._strength(torch.from_numpy(self.numbers)).numpy()
            keep = strength > FAINT * strength.max()
        if not keep.all():
            self.numbers, self.mean, self.square = self.numbers[keep], self.mean[keep], self.square[keep]
            self.scale, self.noise = self.scale[keep], self.noise[keep]

    def events_as_they_are(self) -> Events:
        """What was found so far, in the order in which it was found."""
        numbers, scale = self.numbers, self.scale
        noise = self.noise
        if self.done < 0:
            numbers, scale = loosened(self.beginning.groups, sample_rate=self.sample_rate)
            numbers[:, AT["level"]], noise = 0.0, np.arange(len(numbers), dtype=np.float64)
        return Events.of(
            "splat",
            rows(numbers, scale, noise, channels=len(self.wave)),
            sample_rate=self.sample_rate,
            samples=self.wave.shape[1],
            channels=len(self.wave),
            seed=self.config.seed,
            settings={"envelope": self.config.splat.envelope},
        )

    def events(self) -> Events:
        """What was found so far, the most energetic first."""
        found = self.events_as_they_are()
        order = np.argsort(-found.how.boxes(found).energy, kind="stable")
        return replace(found, parameters=found.parameters[order])

    def state(self) -> Mapping[str, NDArray[Any]]:
        """All that going on needs."""
        heard = {"heard": self._heard} if self.done > 0 else {}
        return {
            **{f"beginning.{name}": array for name, array in self.beginning.state().items()},
            "done": np.array([self.done]),
            "spent": np.array([self.spent]),
            "loss": np.array([math.nan if self.loss is None else self.loss]),
            "numbers": self.numbers.copy(),
            "scale": self.scale.copy(),
            "noise": self.noise.copy(),
            "mean": self.mean.copy(),
            "square": self.square.copy(),
            **heard,
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Takes the state of another over."""
        own = {name.removeprefix("beginning."): array for name, array in state.items() if name.startswith("beginning.")}
        self.beginning.restore(own)
        self.done, self.spent = int(state["done"][0]), float(state["spent"][0])
        loss = float(state["loss"][0])
        self.loss = None if math.isnan(loss) else loss
        self.numbers, self.scale, self.noise = (state[name].copy() for name in ("numbers", "scale", "noise"))
        self.mean, self.square = state["mean"].copy(), state["square"].copy()
        if "heard" in state:
            self._heard = state["heard"].copy()
