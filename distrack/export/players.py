"""A run's tracks as pictures and sounds that stand in a page, without a file beside it."""

import base64
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distrack.distill import SyntheticSet
from distrack.errors import RunError
from distrack.figures.images import colour_range, data_uri, image_png
from distrack.jobs.results import synthetic_file, track_file
from distrack.runs.folder import Run

_MOST = 10
# Of a run's sound in one file, in bytes before they are written as text, which takes a third more.
_MOST_SOUND = 2_500_000


class Player(NamedTuple):
    """One track.

    Attributes:
        picture: its image as a URI.
        sound: its audio as a URI; None where there is none.
    """

    name: str
    of_class: str
    picture: str
    sound: str | None


class Heard(NamedTuple):
    """What a page shows of a run's tracks.

    Attributes:
        classes: their names; none where the synthetic set is gone.
        tracks: how many the set has.
        missing: what is not there, in sentences.
    """

    classes: tuple[str, ...]
    players: tuple[Player, ...]
    tracks: int
    missing: tuple[str, ...]


def heard(run: Run) -> Heard:
    """Up to ten tracks: one of each class, then a second of each, as far as they go."""
    try:
        synthetic = SyntheticSet.load(synthetic_file(run))
    except RunError:
        return Heard((), (), 0, ("Its synthetic set is missing or damaged: there are no tracks to show.",))
    images: NDArray[np.float32] = synthetic.images().squeeze(1).numpy()
    low, high = colour_range(images)
    names, labels = synthetic.track_names(), synthetic.labels.tolist()
    places = [number % synthetic.tracks_per_class for number in range(len(names))]
    chosen = sorted(sorted(range(len(names)), key=lambda number: (places[number], labels[number]))[:_MOST])
    players: list[Player] = []
    silent: list[str] = []
    left_out: list[str] = []
    room = _MOST_SOUND
    for number in chosen:
        name, sound = names[number], None
        try:
            content = track_file(run, name).read_bytes()
        except OSError:
            silent.append(name)
        else:
            if len(content) > room:
                left_out.append(name)
            else:
                room -= len(content)
                sound = "data:audio/flac;base64," + base64.b64encode(content).decode()
        picture = data_uri(image_png(images[number], low=low, high=high))
        players.append(Player(name, synthetic.classes[labels[number]], picture, sound))
    missing = []
    if silent:
        which = "all of them" if len(silent) == len(chosen) else ", ".join(silent)
        missing.append(f"Not made audible, or the audio is gone: {which}.")
    if left_out:
        missing.append(f"Without its sound, to keep this file small: {', '.join(left_out)}.")
    return Heard(synthetic.classes, tuple(players), len(names), tuple(missing))
