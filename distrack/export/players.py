"""A run's tracks as images and sounds inside an HTML page, without other files."""

import base64
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distrack.distill import SyntheticSet
from distrack.errors import RunError
from distrack.figures.images import image_uris
from distrack.jobs.results import played_track, synthetic_file
from distrack.runs.folder import Run

_MOST_TRACKS = 10
# Bytes of a run's FLAC files in one page; as Base64 text they take a third more.
_MOST_SOUND = 2_500_000


class Player(NamedTuple):
    """One track, its class, and its image and FLAC as `data:` URIs; the sound is None if there is none."""

    name: str
    of_class: str
    picture: str
    sound: str | None


class Players(NamedTuple):
    """A run's tracks in a page.

    Attributes:
        classes: their names; empty if the synthetic set is missing.
        total: the number of tracks in the synthetic set, shown or not.
        missing: sentences about what is not shown.
    """

    classes: tuple[str, ...]
    players: tuple[Player, ...]
    total: int
    missing: tuple[str, ...]


def players(run: Run) -> Players:
    """Up to ten tracks: the first of each class, then the second of each, and so on."""
    try:
        synthetic = SyntheticSet.load(synthetic_file(run))
    except RunError:
        return Players((), (), 0, ("The synthetic set is missing or damaged, so there are no tracks to show.",))
    images: NDArray[np.float32] = synthetic.images().squeeze(1).numpy()
    names, labels = synthetic.track_names(), synthetic.labels.tolist()
    places = [number % synthetic.tracks_per_class for number in range(len(names))]
    shown = sorted(sorted(range(len(names)), key=lambda number: (places[number], labels[number]))[:_MOST_TRACKS])
    result, silent, too_large = list[Player](), list[str](), list[str]()
    room = _MOST_SOUND
    for number, picture in zip(shown, image_uris(images[shown], like=images), strict=True):
        name, sound = names[number], None
        try:
            flac = played_track(run, name)
            if len(flac) > room:
                too_large.append(name)
            else:
                room -= len(flac)
                sound = "data:audio/flac;base64," + base64.b64encode(flac).decode()
        except OSError:
            silent.append(name)
        result.append(Player(name, synthetic.classes[labels[number]], picture, sound))
    missing = []
    if silent:
        which = "all tracks" if len(silent) == len(shown) else ", ".join(silent)
        missing.append(f"Audio file missing: {which}.")
    if too_large:
        missing.append(f"Audio left out to keep this file small: {', '.join(too_large)}.")
    return Players(synthetic.classes, tuple(result), len(names), tuple(missing))
