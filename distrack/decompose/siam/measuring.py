"""How well a model hears: events found in synthetic scenes that it was not trained on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

from distrack.decompose.siam.finder import Finder
from distrack.decompose.siam.model import Model
from distrack.decompose.siam.rows import PLACES
from distrack.decompose.siam.scenes import RATE, Draw, Note, Scene, note, scene
from distrack.progress import Progress, unwatched
from distrack.randomness import generator

# An event is found if one was reported within these seconds and this share of an octave (50 cents).
NEAR_TIME, NEAR_PITCH = 0.05, 1 / 24
# Length of a scene in seconds; an event below this share of the loudest one's level is no part of the task.
SECONDS, FAINT = 1.5, 0.1
FEWEST, MOST = 2, 4
# A new store of so many notes for so many scenes.
NOTES, TOGETHER = 40, 20


class Found(NamedTuple):
    """Events found in scenes.

    Attributes:
        right: events found at their onset and pitch.
        reported: events that the model reported.
        real: events that there are.
    """

    right: int
    reported: int
    real: int

    @property
    def f_score(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1."""
        return 2 * self.right / max(self.reported + self.real, 1)


def held_out_scenes(seed: int, count: int) -> list[Scene]:
    """Scenes of 2 to 4 notes that no training draws, each with its audible events."""
    scenes: list[Scene] = []
    draw = Draw(generator(seed, "held-out scenes"))
    notes: list[Note] = []
    while len(scenes) < count:
        if len(scenes) % TOGETHER == 0 and len(notes) != NOTES * (len(scenes) // TOGETHER + 1):
            notes += [note(draw, seconds=2 * SECONDS) for _ in range(NOTES)]
        one = scene(draw, notes[-NOTES:], samples=round(SECONDS * RATE), most=MOST).louder_than(FAINT)
        if FEWEST <= len(one.time) <= MOST and bool((one.noise < 1).all()):
            scenes.append(one)
    return scenes


def scenes_found(model: Model, scenes: Sequence[Scene], progress: Progress = unwatched) -> Found:
    """Events found in scenes, as many reported in each as there are."""
    right = reported = real = 0
    for number, one in enumerate(scenes):
        progress(number, len(scenes))
        finder = Finder(one.wave.numpy(), model, events=len(one.time))
        while not finder.over:
            finder.find()
        rows = np.array(finder.found).reshape(-1, len(PLACES) - 1)
        times, pitches = np.maximum(rows[:, PLACES["time"]], 0), rows[:, PLACES["frequency"]]
        late = np.abs(times[:, None] - one.time.numpy()) <= NEAR_TIME
        off = np.abs(np.log2(pitches[:, None] / one.frequency.numpy())) <= NEAR_PITCH
        pairs = scipy.optimize.linear_sum_assignment(-(late & off).astype(int))
        right += int((late & off)[pairs].sum())
        reported, real = reported + len(rows), real + len(one.time)
    progress(len(scenes), len(scenes))
    return Found(right, reported, real)
