"""An independent ear: a speech recogniser that never saw the dataset judges spoken tracks and real clips alike."""

import importlib.util
import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from distrack.audio import SAMPLE_RATE, SILENCE, Wave, level
from distrack.errors import ConfigError
from distrack.validation import Record

EXTRA = "pip install 'distrack[speech]'"
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Seconds of silence before and after a clip: a recogniser expects that a word begins and ends.
_SILENCE = 0.3
# Quantile of the normal distribution of a 95 % interval.
_Z = 1.959964


class Recognised(Record):
    """Sounds of which a recogniser was asked for the word.

    Attributes:
        right: number of sounds whose word is that of their class.
        sounds: number of sounds.
    """

    right: int
    sounds: int

    @property
    def share(self) -> float:
        """Share of the sounds whose word was recognised."""
        return self.right / self.sounds

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the share.

        Source:
            Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
            Statistical Association 22(158), 1927.

        >>> [round(end, 3) for end in Recognised(right=8, sounds=10).interval]
        [0.49, 0.943]
        """
        n, share = self.sounds, self.share
        centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        return centre - half, centre + half

    @property
    def text(self) -> str:
        """The share and its interval."""
        return f"{self.share:.3f} ({self.interval[0]:.3f} to {self.interval[1]:.3f})"


class Speech(Record):
    """The content of `speech.json`.

    Attributes:
        synthetic: fingerprint of the synthetic set.
        recogniser: its name and version.
        words: the word of each class.
        tracks: all tracks, as exported sounds.
        clips: random real test clips.
    """

    synthetic: str
    recogniser: str
    words: tuple[str, ...]
    tracks: Recognised
    clips: Recognised

    @property
    def ratio(self) -> float | None:
        """Share of the recognised tracks divided by that of the clips; None if no clip was recognised."""
        return self.tracks.share / self.clips.share if self.clips.right else None


def is_installed() -> bool:
    """Whether the recogniser is installed."""
    return importlib.util.find_spec("pocketsphinx") is not None


def word_of(name: str) -> str:
    """The word that a class is spoken as.

    >>> word_of("7"), word_of("Bird_call")
    ('seven', 'bird call')
    """
    if name in map(str, range(10)):
        return _DIGITS[int(name)]
    return " ".join(re.findall(r"[a-z']+", name.lower()))


def words_of(classes: Sequence[str]) -> tuple[str, ...]:
    """The words of all classes.

    Raises:
        ConfigError: the recogniser is not installed, or a class is no English word that it knows.
    """
    if not is_installed():
        raise ConfigError("speech recognition needs PocketSphinx, which is not installed", remedy=EXTRA)
    words = tuple(map(word_of, classes))
    known = _known_words()
    for name, word in zip(classes, words, strict=True):
        missing = next((part for part in word.split() or [name] if part not in known), None)
        if missing is not None:
            raise ConfigError(f"class {name}: the recogniser knows no English word {missing!r}, so it cannot judge")
    if len(set(words)) < len(words):
        raise ConfigError(f"two classes have the same word: {', '.join(words)}")
    return words


def recogniser(words: Sequence[str]) -> tuple[str, Callable[[Wave], int | None]]:
    """The name of a recogniser that chooses among these words, and what tells the word of a sound, by its position.

    It is PocketSphinx with its own model of American English and a grammar of the words. Silence has no word, nor has a
    sound in which it hears none of them. Every sound is judged at the same level and by itself, so that their order
    does not matter.

    Source:
        Huggins-Daines et al., "PocketSphinx: A Free, Real-Time Continuous Speech Recognition System for Hand-Held
        Devices", ICASSP 2006.
    """
    from importlib.metadata import version

    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, samprate=SAMPLE_RATE, cmn="batch", loglevel="FATAL")
    decoder.add_jsgf_string("classes", f"#JSGF V1.0; grammar classes; public <class> = {' | '.join(words)};")
    decoder.activate_search("classes")
    silence = np.zeros(round(_SILENCE * SAMPLE_RATE), dtype=np.float32)

    def hear(wave: Wave) -> int | None:
        if np.abs(wave).max(initial=0.0) < SILENCE:
            return None  # a grammar finds a word in anything
        padded = np.concatenate([silence, level(wave), silence])
        decoder.start_utt()
        decoder.process_raw((padded * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        heard = hypothesis.hypstr if hypothesis else ""
        return words.index(heard) if heard in words else None

    return f"PocketSphinx {version('pocketsphinx')}", hear


@cache
def _known_words() -> frozenset[str]:
    from pocketsphinx import get_model_path

    lines = Path(get_model_path(), "en-us", "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines()
    return frozenset(line.split(" ", 1)[0] for line in lines)
