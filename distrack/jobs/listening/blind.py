"""A blind listening test: which class is this, and which of two is synthetic; the answers are stored with the run."""

import random
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import scipy
import soundfile
from pydantic import Field

from distrack.audio import flac_bytes
from distrack.errors import RunError
from distrack.files import csv_text
from distrack.jobs.listening.sounds import Listening, Source
from distrack.runs.folder import Run
from distrack.validation import Record, read_model

Task = Literal["class", "synthetic"]
QUESTIONS: dict[Task, str] = {"class": "Which class do you hear?", "synthetic": "Which one is synthetic?"}

_FOUND: dict[Task, str] = {"class": "named the class", "synthetic": "found the synthetic one"}
_FOLDER = "blind-tests"
_CONFIDENCE = 0.95
# All sounds are played at this loudness, or as near to it as their peaks allow.
_LUFS = -20.0


class Trial(Record):
    """One question.

    Attributes:
        task: `class` asks which class a synthetic track is of, `synthetic` which of two sounds of a class is synthetic.
        sounds: what is heard, in this order.
        truth: number of the class, or position of the synthetic sound.
    """

    task: Task
    sounds: tuple[Source, ...]
    truth: int


class BlindTest(Record):
    """One listener's test; `blind-tests/<id>.json` in the run's folder.

    Attributes:
        started: seconds since the epoch.
        tracks: fingerprint of the synthetic set that is heard.
        audience: name of the session of an audience that the listener belongs to; empty for a single listener.
        answers: the answers so far, one per trial in their order.
    """

    id: str
    started: float
    tracks: str
    classes: tuple[str, ...]
    trials: tuple[Trial, ...] = Field(min_length=1)
    audience: str = ""
    answers: tuple[int, ...] = ()

    @property
    def current(self) -> Trial | None:
        """The question that waits for an answer; None at the end."""
        return self.trials[len(self.answers)] if len(self.answers) < len(self.trials) else None

    def choices(self, trial: Trial) -> tuple[str, ...]:
        """The possible answers; an answer is a position among these."""
        return self.classes if trial.task == "class" else ("A", "B")

    def sentences(self, trial: Trial) -> tuple[str, ...]:
        """The possible answers as a listener reads them."""
        choices = self.choices(trial)
        return choices if trial.task == "class" else tuple(f"{choice} is the synthetic one" for choice in choices)


class Result(NamedTuple):
    """How often listeners were right.

    Attributes:
        interval: 95 % confidence interval of the share of right answers.
        chance: share of right answers by guessing.
    """

    task: Task
    right: int
    answered: int
    interval: tuple[float, float]
    chance: float

    def verdict(self, who: str) -> tuple[str, str]:
        """Two sentences: how often a listener was right, and how often guessing is.

        >>> Result("synthetic", 4, 6, (0.3, 0.9), 0.5).verdict("You")
        ('You found the synthetic one 4 of 6 times.', 'Guessing finds 3. 95 % interval: 30% to 90%.')
        """
        low, high = self.interval
        return (
            f"{who} {_FOUND[self.task]} {self.right} of {self.answered} times.",
            f"Guessing finds {self.chance * self.answered:.2g}. 95 % interval: {low:.0%} to {high:.0%}.",
        )


def begin(run: Run, listening: Listening, classes: Sequence[str], *, trials: int, audience: str = "") -> BlindTest:
    """A new test on a run's tracks, shuffled and stored.

    Args:
        listening: its sounds; real clips are the random and the nearest ones.
        trials: number of trials; half of them of each task, as far as there are real clips.
        audience: as the test stores it.

    Raises:
        RunError: nothing can be heard, or the folder cannot be written.
    """
    name = f"{time.strftime('%Y-%m-%dT%H-%M-%S')}_{secrets.token_hex(4)}"
    draw = random.Random(name)
    heard = [source for source in listening.every if source.loudness is not None]
    tracks = [source for source in heard if source.kind == "track"]
    real = [source for source in heard if source.kind in ("random", "nearest")]
    if not tracks:
        raise RunError(f"run {run.id} has no track that can be heard", remedy=f"python -m distrack listen {run.id}")
    of_class = {label: [clip for clip in real if clip.label == label] for label in range(len(classes))}
    paired = [track for track in tracks if of_class[track.label]]
    pairs = trials // 2 if paired else 0
    single = _drawn(tracks, trials - pairs, draw)
    questions = [Trial(task="class", sounds=(track,), truth=track.label) for track in single]
    questions += [_which_one(track, of_class[track.label], draw) for track in _drawn(paired, pairs, draw)]
    draw.shuffle(questions)
    test = BlindTest(
        id=name,
        started=time.time(),
        tracks=listening.tracks,
        classes=tuple(classes),
        trials=tuple(questions),
        audience=audience,
    )
    _store(run, test)
    return test


def _drawn(tracks: Sequence[Source], count: int, draw: random.Random) -> list[Source]:
    """Draws `count` tracks, none a second time before all were drawn."""
    drawn: list[Source] = []
    while tracks and len(drawn) < count:
        drawn += draw.sample(tracks, min(len(tracks), count - len(drawn)))
    return drawn


def _which_one(track: Source, clips: Sequence[Source], draw: random.Random) -> Trial:
    sounds = [track, draw.choice(clips)]
    draw.shuffle(sounds)
    return Trial(task="synthetic", sounds=tuple(sounds), truth=sounds.index(track))


def answer(run: Run, test: BlindTest, choice: int) -> BlindTest:
    """Stores one more answer, a position among `choices`, and returns the test with it.

    Raises:
        ValueError: the test is at its end, or there is no such choice.
        RunError: the folder cannot be written.
    """
    trial = test.current
    if trial is None or not 0 <= choice < len(test.choices(trial)):
        raise ValueError(f"answer {choice} to question {len(test.answers) + 1} of {len(test.trials)}")
    test = test.model_copy(update={"answers": (*test.answers, choice)})
    _store(run, test)
    return test


def at_equal_loudness(run: Run, source: Source) -> bytes:
    """A sound of a run's listening as FLAC at -20 LUFS, or as near to it as its peak allows."""
    wave, _ = soundfile.read(run.path / source.file, dtype="float32")
    gain = 10 ** ((_LUFS - (source.loudness or _LUFS)) / 20)
    return flac_bytes(wave * min(gain, 1 / max(float(abs(wave).max()), 1e-6)))


def _store(run: Run, test: BlindTest) -> None:
    run.write(f"{_FOLDER}/{test.id}.json", test.model_dump_json())


def find(run: Run, test_id: str) -> BlindTest | None:
    """The test of that id; None if it is missing or damaged."""
    return next((test for test in all_tests(run) if test.id == test_id), None)


def all_tests(run: Run) -> Iterator[BlindTest]:
    """Every test on a run, the oldest first; damaged ones are left out."""
    for path in sorted((run.path / _FOLDER).glob("*.json")):
        if test := read_model(path, BlindTest):
            yield test


def results(tests: Sequence[BlindTest]) -> list[Result]:
    """A result for each task with at least one answer."""
    found = []
    for task in QUESTIONS:
        given = [
            (trial.truth == choice, 1 / len(test.choices(trial)))
            for test in tests
            for trial, choice in zip(test.trials, test.answers, strict=False)
            if trial.task == task
        ]
        if given:
            right = sum(correct for correct, _ in given)
            chance = sum(share for _, share in given) / len(given)
            found.append(Result(task, right, len(given), interval(right, len(given)), chance))
    return found


def interval(right: int, answered: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson's score.

    >>> tuple(round(end, 3) for end in interval(8, 10))
    (0.49, 0.943)
    """
    bounds = scipy.stats.binomtest(right, answered).proportion_ci(_CONFIDENCE, method="wilson")
    return float(bounds.low), float(bounds.high)


def table(tests: Sequence[BlindTest]) -> str:
    """Every answer as a line of CSV, for other tools."""
    columns = ("test", "started", "audience", "question", "task", "sounds", "truth", "answer", "right")
    rows: list[Sequence[object]] = [columns]
    for test in tests:
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(test.started))
        for number, (trial, choice) in enumerate(zip(test.trials, test.answers, strict=False), start=1):
            choices = test.choices(trial)
            sounds = " ".join(source.file for source in trial.sounds)
            truth, given = choices[trial.truth], choices[choice]
            asked = (test.id, started, test.audience, number, trial.task, sounds)
            rows.append((*asked, truth, given, trial.truth == choice))
    return csv_text(rows)
