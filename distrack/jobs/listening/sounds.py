"""A listening: which sounds a run's tracks can be heard beside, as `listening.json` keeps it."""

from typing import Literal, NamedTuple

from distrack.validation import Record

Kind = Literal["track", "nearest", "random", "class-mean", "snapshot"]
_ORDER: tuple[Kind, ...] = ("track", "nearest", "random", "class-mean", "snapshot")


class Key(NamedTuple):
    """A listening has one source of each: what it is of a track, or of a class, and at which step."""

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
        file: its FLAC, from the run's folder on.
        label: class of what is heard, as a number of the synthetic set's classes.
        loudness: integrated, in LUFS; None where it is silent. See `distrack.audio.loudness`.
        track: the track that it belongs to; "" where it belongs to all of its class.
        clip: where a real clip comes from, from the dataset's folder on.
        distance: of the nearest clip from the track, root mean square of their normalised images.
        step: of a snapshot.
        error: of a sound that was made of an image, how far its own image is from that; see
            `distrack.inversion.inversion_error`.
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
        """See there; a nearest clip may be of another class than its track."""
        return Key(self.kind, self.track, None if self.track else self.label, self.step)


class Listening(Record):
    """`listening.json` of a run.

    Attributes:
        tracks: fingerprint of the synthetic set.
        unit: of the errors; none where they are shares.
        every: all sources that were made.
    """

    tracks: str
    unit: str
    every: tuple[Source, ...]

    def sources(self, track: str) -> tuple[Source, ...]:
        """What a player of a track switches between: the track first, real clips and mean, snapshots step by step.

        Args:
            track: its name.

        Returns:
            nothing where the listening has no track of that name
        """
        own = [source for source in self.every if source.track == track]
        label = next((source.label for source in own if source.kind == "track"), None)
        of_class = [source for source in self.every if not source.track and source.label == label]
        return tuple(sorted([*own, *of_class], key=lambda source: (_ORDER.index(source.kind), source.step or 0)))

    def has_snapshots(self, track: str) -> bool:
        """Whether the snapshots of a track were made audible."""
        return any(source.kind == "snapshot" and source.track == track for source in self.every)
