"""TinySOL: 2,913 single notes of 14 instruments, with their pitch class or their instrument as the class."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import Dataset, register
from distrack.datasets.download import Remote
from distrack.datasets.listing import Row, listed_index, read_list
from distrack.datasets.splits import clips_by_class, fifth_of_each

_FOLDS = tuple(range(5))
_INSTRUMENT = "Instrument (in full)"
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def index_tinysol(root: Path) -> Index:
    """Pitch classes, in the five official folds.

    A fold holds every instrument and every dynamic, so the same players are in both splits, with different notes. Where
    Ircam lacked a note (``R`` in the last part of its name), it is a neighbouring note, retuned.
    """
    return _index(root, lambda row: PITCH_CLASSES[row.number("Pitch ID") % 12], PITCH_CLASSES)


def index_tinysol_instruments(root: Path) -> Index:
    """Instruments, in the five official folds."""
    return _index(root, lambda row: row.text(_INSTRUMENT))


def _index(root: Path, label: Callable[[Row], str], order: tuple[str, ...] = ()) -> Index:
    rows = read_list(root, "annotation/TinySOL_metadata.csv", ("Path", "Fold", _INSTRUMENT, "Pitch ID"))
    classes = tuple(sorted({label(row) for row in rows}, key=order.index if order else str))

    def clip(row: Row) -> Clip:
        fold = row.number("Fold", among=_FOLDS)
        return Clip(Path(row.text("Path")), classes.index(label(row)), "train", fold=fold)

    index = listed_index(root, rows[0].source, map(clip, rows), classes, disjoint_by="note")
    sides = [{(clip.label, clip.split) for clip in index.with_test_fold(fold).clips} for fold in _FOLDS]
    if any(len(each) == 2 * len(index.classes) for each in sides):
        return index
    # In each official fold some class has no training or no test clip.
    return _without_folds(index)


def _without_folds(index: Index) -> Index:
    """The index with a fifth of each class as the test split; classes of one note are left out."""
    by_class = {name: [clip.path for clip in index.clips if clip.label == k] for k, name in enumerate(index.classes)}
    single = [name for name, paths in by_class.items() if len(paths) < 2]
    usable = {name: paths for name, paths in by_class.items() if name not in single}
    clips = sorted(clips_by_class(usable, test=fifth_of_each(usable)), key=lambda clip: clip.path.as_posix())
    notes = ["Too few notes for the official folds: a fifth of each class is the test split"]
    notes += [f"Classes left out because they have only one note: {', '.join(single)}"] if single else []
    return replace(index, classes=tuple(usable), clips=tuple(clips), notes=tuple(notes), random=True)


TINYSOL = register(
    Dataset(
        name="TINYSOL",
        title="TinySOL, by pitch class",
        task="12 pitch classes",
        pitch_is_class=True,
        stands_for="pitch and harmonic content",
        licence="CC BY 4.0",
        citation=(
            "@inproceedings{cella2020orchideasol, author={Cella, Carmine Emanuele and Ghisi, Daniele and Lostanlen, "
            "Vincent and L{\\'e}vy, Fabien and Fineberg, Joshua and Maresz, Yan}, title={{OrchideaSOL}: a dataset of "
            "extended instrumental techniques for computer-aided orchestration}, booktitle={Proceedings of the "
            "International Computer Music Conference (ICMC)}, year={2020}, note={dataset: doi 10.5281/zenodo.3685367}}"
        ),
        url="https://zenodo.org/records/3685367",
        # Notes last 2 to 10 s; this is the attack and the steady part.
        seconds=3.0,
        layout=(
            "annotation/TinySOL_metadata.csv and files named like audio/Winds/Flute/ordinario/Fl-ord-C4-mf-N-T14d.wav"
        ),
        index=index_tinysol,
        clips=2_913,
        size=1_600_000_000,
        downloads=(
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
        ),
        folds=_FOLDS,
        test_fold=4,
    )
)

register(
    replace(
        TINYSOL,
        name="TINYSOL_INSTRUMENTS",
        title="TinySOL, by instrument",
        task="14 instruments, single notes",
        pitch_is_class=False,
        stands_for="harmonic content and attack",
        index=index_tinysol_instruments,
        folders=("tinysol",),
    )
)
