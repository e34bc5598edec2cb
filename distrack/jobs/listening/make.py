"""Sources: real clips, class means and snapshots made into the sounds of a listening, each once."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
import soundfile
import torch
from torch import Tensor

from distrack.audio import Wave, flac_bytes, level, loudness
from distrack.datasets import Index
from distrack.distill import SyntheticSet
from distrack.distill.initialisations.real import random_real
from distrack.errors import RunError, unknown
from distrack.evaluate.memorisation import NearestClips
from distrack.images import RealImages, class_means
from distrack.inversion import INVERSIONS, at_level_of, inversion_error, invert
from distrack.jobs.listening.sounds import Key, Kind, Listening, Source
from distrack.jobs.results import track_file
from distrack.progress import DetailedProgress
from distrack.randomness import derived_seed
from distrack.runs import Run

_FOLDER = "listening"
# Sounds between two reports of progress: about a second of inversion.
_AT_ONCE = 16
_TITLES: dict[Kind, str] = {
    "track": "Synthetic track",
    "nearest": "Nearest real clip",
    "random": "Random real clip",
    "class-mean": "Class mean",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Clips:
    """The real clips of a listening: the training side, its index, and which clip is the nearest to each track."""

    train: RealImages
    index: Index
    near: NearestClips


class _Draft(NamedTuple):
    """A source that is still to be made from samples, from an image in the feature's own unit, or from both."""

    source: Source
    wave: Wave | None = None
    image: Tensor | None = None


class Sources:
    """The sources of a run's tracks: reads those that exist, and makes those that do not.

    Args:
        tracks: names of the tracks whose snapshots are wanted; the first of each class if none is named.
        before: the sounds that were made earlier.
        snapshots: whether any snapshots are wanted.

    Raises:
        ConfigError: a track is not known.
    """

    def __init__(
        self, run: Run, synthetic: SyntheticSet, tracks: Sequence[str], before: Listening | None, *, snapshots: bool
    ) -> None:
        self._run, self._synthetic, self._fingerprint = run, synthetic, synthetic.fingerprint
        names = synthetic.track_names()
        for name in tracks:
            if name not in names:
                raise unknown("track", name, names)
        self._positions = {name: position for position, name in enumerate(names)}
        self._snapshots = run.snapshots() if snapshots else {}
        every = () if before is None else before.every
        self._made = {source.key: source for source in every if (run.path / source.file).is_file()}
        wanted = [Key(kind, track=name) for kind in ("track", "nearest") for name in names]
        wanted += [Key(kind, label=n) for kind in ("random", "class-mean") for n in range(len(synthetic.classes))]
        selected = dict.fromkeys(tracks) or names[:: synthetic.tracks_per_class]
        wanted += [Key("snapshot", track=name, step=step) for step in self._snapshots for name in selected]
        self._missing = [key for key in wanted if key not in self._made]

    @property
    def lack_clips(self) -> bool:
        """Whether real clips are needed to make what is missing."""
        return any(key.kind in ("nearest", "random", "class-mean") for key in self._missing)

    def make(self, clips: Clips | None, progress: DetailedProgress) -> Listening:
        """Makes the missing sounds; those that are made before an interruption are not made again.

        Args:
            clips: needed if `lack_clips`.

        Raises:
            RunError: a track was not made audible, a snapshot cannot be read or holds values that are not numbers.
        """
        done, total = 0, len(self._missing)
        progress(done, total, "")
        if not self._made:  # what lies there belongs to other tracks
            shutil.rmtree(self._run.path / _FOLDER, ignore_errors=True)
        for some in self._drafts(clips):
            for source, wave in self._sounded(some):
                if not (self._run.path / source.file).is_file():
                    self._run.write(source.file, flac_bytes(wave))
                self._made[source.key] = source.model_copy(update={"loudness": loudness(wave)})
            self._run.write("listening.json", self._listening().model_dump_json())
            done += len(some)
            progress(done, total, some[-1].source.title)
        return self._listening()

    def _listening(self) -> Listening:
        unit = INVERSIONS[self._synthetic.config.feature.name].unit
        return Listening(tracks=self._fingerprint, unit=unit, every=tuple(self._made.values()))

    def _sounded(self, drafts: Sequence[_Draft]) -> Iterator[tuple[Source, Wave]]:
        """Sources and their samples; all images are inverted, or compared with the sounds that they have, at once."""
        config, images = self._synthetic.config, [draft.image for draft in drafts if draft.image is not None]
        waves: Iterator[Wave] = iter(())
        errors: Iterator[float] = iter(())
        if images:
            features = torch.stack(images)
            heard = [draft.wave for draft in drafts if draft.image is not None and draft.wave is not None]
            if heard:  # tracks, some of them at another level than their images
                sounds = at_level_of(features, torch.from_numpy(np.stack(heard)), config.feature)
            else:
                sounds = invert(features, config.feature, samples=config.samples)
            errors, waves = iter(inversion_error(features, sounds, config.feature).tolist()), iter(sounds.numpy())
        for source, wave, image in drafts:
            if image is not None:
                made = next(waves)
                yield source.model_copy(update={"error": next(errors)}), level(made) if wave is None else wave
            elif wave is not None:
                yield source, wave

    def _drafts(self, clips: Clips | None) -> Iterator[list[_Draft]]:
        """The missing sources, a few at a time; tracks come first, because a snapshot may be equal to its track."""
        later = chain.from_iterable(self._snapshot(step) for step in self._snapshots)
        if clips is not None:
            later = chain(self._real_clips(clips), self._means(clips.train), later)
        yield from _in_parts(self._tracks(), _AT_ONCE)
        yield from _in_parts(later, _AT_ONCE)

    def _of_kind(self, *kinds: Kind) -> Iterator[tuple[Key, int]]:
        """The missing sources of these kinds, each with the number of its track or class."""
        for key in self._missing:
            if key.kind in kinds:
                yield key, self._positions[key.track] if key.label is None else key.label

    def _tracks(self) -> Iterator[_Draft]:
        """The tracks themselves, as they were made audible; only those that were images have an inversion error."""
        labels, spectral = self._synthetic.labels.tolist(), self._synthetic.config.domain.name != "waveform"
        for key, position in self._of_kind("track"):
            file = track_file(self._run, key.track).relative_to(self._run.path).as_posix()
            image = self._images[position] if spectral else None
            yield _Draft(_source(key, file, labels[position]), self._heard(key.track), image)

    @cached_property
    def _images(self) -> Tensor:
        return self._synthetic.images()

    def _heard(self, name: str) -> Wave:
        try:
            wave, _ = soundfile.read(track_file(self._run, name), dtype="float32")
        except (soundfile.SoundFileError, OSError):
            wave = np.empty(0)
        if wave.shape != (self._synthetic.config.samples,):
            problem = f"the sound of track {name} is missing or damaged. Remove its file, then resume the run"
            raise RunError(problem, remedy=f"python -m distrack resume {self._run.id}")
        samples: Wave = wave
        return samples

    def _real_clips(self, clips: Clips) -> Iterator[_Draft]:
        """For each track the clip that is nearest to it, for each class a random clip."""
        seed = derived_seed(self._synthetic.config.seed, "listening")
        drawn = random_real(clips.train, 1, seed)
        for key, number in self._of_kind("nearest", "random"):
            nearest = key.kind == "nearest"
            position = clips.near.clips[number] if nearest else int(drawn[number])
            path = clips.index.clips[int(clips.train.rows[position])].path.relative_to(clips.index.root)
            source = _source(
                key,
                f"{_FOLDER}/clip-{position}.flac",
                int(clips.train.labels[position]),
                # A file's name may hold bytes that are no text.
                clip=os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace"),
                distance=clips.near.distances[number] if nearest else None,
            )
            yield _Draft(source, wave=level(clips.train.sounds(np.array([position]))[0].numpy()))

    def _means(self, train: RealImages) -> Iterator[_Draft]:
        """The mean image of each class."""
        missing = list(self._of_kind("class-mean"))
        if not missing:
            return
        images = train.normalisation.undo(class_means(train.batches(torch.device("cpu")), train.classes))
        for key, label in missing:
            yield _Draft(_source(key, f"{_FOLDER}/mean-{label}.flac", label), image=images[label])

    def _snapshot(self, step: int) -> Iterator[_Draft]:
        """The selected tracks as they were at a step; at the last step, as they are."""
        missing = [(key, position) for key, position in self._of_kind("snapshot") if key.step == step]
        if not missing:
            return
        then, labels = SyntheticSet.load(self._snapshots[step]), self._synthetic.labels.tolist()
        last, waveforms = then.fingerprint == self._fingerprint, not then.config.inverts
        tracks = then.render() if waveforms else then.normalisation.undo(then.drawn())
        for key, position in missing:
            if not tracks[position].isfinite().all():
                raise RunError(f"run {self._run.id}: track {key.track} was not made of numbers at step {step}")
            source = _source(key, f"{_FOLDER}/{key.track}-step-{step}.flac", labels[position])
            if last:
                track = self._made[Key("track", track=key.track)]
                same = {"file": track.file, "error": track.error}
                yield _Draft(source.model_copy(update=same), wave=self._heard(key.track))
            elif waveforms:
                yield _Draft(source, wave=tracks[position].clamp(-1, 1).numpy())
            else:
                yield _Draft(source, image=tracks[position])


def _source(key: Key, file: str, label: int, **more: Any) -> Source:
    title = _TITLES[key.kind] if key.step is None else f"Step {key.step}"
    return Source(kind=key.kind, title=title, file=file, label=label, track=key.track, step=key.step, **more)


def _in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
