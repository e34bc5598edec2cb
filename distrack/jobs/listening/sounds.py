"""A listening: the sounds that a run's tracks can be compared with, as `listening.json` stores them."""

from typing import Literal, NamedTuple

from distrack.validation import Record

Kind = Literal["track", "nearest", "random", "class-mean", "snapshot"]
_ORDER: tuple[Kind, ...] = ("track", "nearest", "random", "class-mean", "snapshot")


class Key(NamedTuple):
    """The key of a source among those of a listening: its kind, its track or its class, and a snapshot's step."""

    kind: Kind
    track: str = ""
    label: int | None = None
    step: int | None = None


class Source(Record):
    """One sound that a player can switch to.

    Attributes:
        kind: `track` is the synthetic track; `nearest` the training clip whose image is the nearest to it, `random` a
            training clip of its class, `class-mean` the mean image of all training clips of its class made audible, and
            `snapshot` the track as it was at an earlier step.
        title: a few words for the screen.
        file: path of its FLAC below the run's folder.
        label: class of what is heard, as a number of the synthetic set's classes.
        loudness: integrated loudness in LUFS (`distrack.audio.loudness`); None for silence.
        track: the track that it belongs to; empty if it belongs to all of its class.
        clip: path of a real clip below the dataset's folder.
        distance: root mean square between the normalised images of the nearest clip and of the track.
        error: inversion error of a sound that was made from an image (`distrack.inversion.inversion_error`).
    """

    kind: Kind
    title: str
    file: str
    label: int
    loudness: float | None = None
    track: str = ""
    clip: str = ""
    distance: float | None = None
    step: int | None = None
    error: float | None = None

    @property
    def key(self) -> Key:
        """The label counts only without a track: a nearest clip may be of another class than its track."""
        return Key(self.kind, self.track, None if self.track else self.label, self.step)


class Listening(Record):
    """`listening.json` of a run.

    Attributes:
        tracks: fingerprint of the synthetic set.
        unit: unit of the errors; empty if they are shares.
    """

    tracks: str
    unit: str
    every: tuple[Source, ...]

    def sources(self, track: str) -> tuple[Source, ...]:
        """What a player of a track switches between: the track first, real clips and mean, snapshots step by step."""
        own = [source for source in self.every if source.track == track]
        label = next((source.label for source in own if source.kind == "track"), None)
        of_class = [source for source in self.every if not source.track and source.label == label]
        return tuple(sorted([*own, *of_class], key=lambda source: (_ORDER.index(source.kind), source.step or 0)))

    def has_snapshots(self, track: str) -> bool:
        """Whether the snapshots of a track were made audible."""
        return any(source.kind == "snapshot" and source.track == track for source in self.every)
