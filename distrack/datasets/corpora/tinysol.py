"""TinySOL: 2,913 single notes of 14 instruments, told apart by their pitch class or by the instrument."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from distrack.datasets.contract import Clip, Dataset, Index, register
from distrack.datasets.corpora.folder import a_fifth_of_each
from distrack.datasets.download import Remote
from distrack.datasets.layout import find_file, places
from distrack.datasets.listing import Listed, Row, listed_index, read_list

_LIST = "annotation/TinySOL_metadata.csv"
_INSTRUMENT = "Instrument (in full)"
_FOLDS = tuple(range(5))
_TEST_FOLD = 4
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def index_tinysol(root: Path) -> Index:
    """The pitch class of a note; the five official folds, of which the last, 4, is the test side.

    A fold holds every instrument and every dynamic, so the same players are heard on both sides; the notes are
    different ones. Where Ircam lacked a note (``R`` in the last part of its name) it is a neighbour's, retuned.
    """
    return _index(root, TINYSOL, lambda row: PITCH_CLASSES[row.number("Pitch ID") % 12], PITCH_CLASSES)


def index_tinysol_instruments(root: Path) -> Index:
    """The instrument that plays a note; folds as for the pitch classes."""
    return _index(root, TINYSOL_INSTRUMENTS, lambda row: row.text(_INSTRUMENT))


def _index(root: Path, dataset: Dataset, label: Callable[[Row], str], order: tuple[str, ...] = ()) -> Index:
    source = find_file(root, _LIST)
    if source is None:
        raise dataset.not_found(root)
    rows = read_list(source, ("Path", "Fold", _INSTRUMENT, "Pitch ID"))
    named = [label(row) for row in rows]
    classes = tuple(sorted(set(named), key=order.index if order else str))
    families = {row.text("Path").partition("/")[0] for row in rows}
    audio = source.parent.parent / "audio"
    # The archive may have made a folder of its own there.
    audio = next((place for place in places(audio) if any((place / name).is_dir() for name in families)), audio)
    listed = [
        Listed(
            row.text("Path"),
            Clip(audio / row.text("Path"), classes.index(name), "train", "", row.number("Fold", among=_FOLDS)),
        )
        for row, name in zip(rows, named, strict=True)
    ]
    found = listed_index(root, source=source, audio=audio, classes=classes, listed=listed, disjoint_by="note")
    if any(_divides(found.with_test_fold(fold)) for fold in _FOLDS):
        return found.with_test_fold(_TEST_FOLD)
    return _without_folds(found)


def _divides(found: Index) -> bool:
    return len({(clip.label, clip.split) for clip in found.clips}) == 2 * len(found.classes)


def _without_folds(found: Index) -> Index:
    """A few notes, which no official fold divides so that each class has both sides: tested on is a fifth of each.

    A class of one note has nothing to be tested on and is left out. Both is said in the notes.
    """
    by_class = {name: [clip.path for clip in found.clips if clip.label == k] for k, name in enumerate(found.classes)}
    alone = [name for name, paths in by_class.items() if len(paths) < 2]
    kept = {name: paths for name, paths in by_class.items() if name not in alone}
    test = a_fifth_of_each(kept)
    clips = tuple(
        clip._replace(
            label=list(kept).index(found.classes[clip.label]),
            split="test" if clip.path in test else "train",
            fold=None,
        )
        for clip in found.clips
        if found.classes[clip.label] in kept
    )
    notes = ["too few notes for the official folds: a fifth of each class is tested on"]
    notes += [f"left out for having one note only: {', '.join(alone)}"] if alone else []
    return replace(found, classes=tuple(kept), clips=clips, notes=tuple(notes))


_CITATION = (
    "@inproceedings{cella2020orchideasol, author={Cella, Carmine Emanuele and Ghisi, Daniele and Lostanlen, Vincent "
    "and L{\\'e}vy, Fabien and Fineberg, Joshua and Maresz, Yan}, title={{OrchideaSOL}: a dataset of extended "
    "instrumental techniques for computer-aided orchestration}, booktitle={Proceedings of the International Computer "
    "Music Conference (ICMC)}, year={2020}, note={dataset: doi 10.5281/zenodo.3685367}}"
)
_LAYOUT = "annotation/TinySOL_metadata.csv and files named like audio/Winds/Flute/ordinario/Fl-ord-C4-mf-N-T14d.wav"
_SIZE = 1_600_000_000
_DOWNLOADS = (
    Remote(
        "https://zenodo.org/records/3685367/files/TinySOL_metadata.csv?download=1",
        checksum="md5:a86c9bb115f69e61f2f25872e397fc4a",
        size=317_576,
        archive=False,
        path="annotation",
    ),
    Remote(
        "https://zenodo.org/records/3685367/files/TinySOL.tar.gz?download=1",
        checksum="md5:36030a7fe389da86c3419e5ee48e3b7f",
        size=1_026_917_185,
        unpacked=3_000_000_000,
        path="audio",
    ),
)

TINYSOL = register(
    Dataset(
        name="TINYSOL",
        title="TinySOL, by pitch class",
        task="twelve pitch classes",
        pitch_is_class=True,
        stands_for="pitch and harmonic content",
        licence="CC BY 4.0",
        citation=_CITATION,
        url="https://zenodo.org/records/3685367",
        # Of 2 to 10 s: the attack and the steady part.
        seconds=3.0,
        layout=_LAYOUT,
        index=index_tinysol,
        clips=2_913,
        size=_SIZE,
        downloads=_DOWNLOADS,
        folds=_FOLDS,
        test_fold=_TEST_FOLD,
    )
)

TINYSOL_INSTRUMENTS = register(
    Dataset(
        name="TINYSOL_INSTRUMENTS",
        title="TinySOL, by instrument",
        task="14 instruments playing one note",
        stands_for="harmonic content and attack",
        licence="CC BY 4.0",
        citation=_CITATION,
        url="https://zenodo.org/records/3685367",
        seconds=3.0,
        layout=_LAYOUT,
        index=index_tinysol_instruments,
        clips=2_913,
        size=_SIZE,
        downloads=_DOWNLOADS,
        folds=_FOLDS,
        test_fold=_TEST_FOLD,
        folders=("tinysol",),
    )
)
