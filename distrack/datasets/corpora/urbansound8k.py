"""UrbanSound8K: 8,732 excerpts of 10 classes of urban sounds."""

from pathlib import Path

from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import Dataset, register
from distrack.datasets.download import Remote
from distrack.datasets.listing import Row, classes_of, listed_index, read_list

_FOLDS = tuple(range(1, 11))


def index_urbansound8k(root: Path) -> Index:
    """The ten official folds; a group is a sound event.

    A fold holds all excerpts of a sound event, but not all of a recording: five of the recordings have events in two
    folds. The event (``fsID-classID-occurrence``) is the file name without its last number.
    """
    columns = ("slice_file_name", "fold", "classID", "class")
    rows = read_list(root, "metadata/UrbanSound8K.csv", columns)
    classes = classes_of(rows, "class", order="classID")

    def clip(row: Row) -> Clip:
        name, fold = row.text("slice_file_name"), row.number("fold", among=_FOLDS)
        path = Path(f"fold{fold}", name)
        event = name.rpartition("-")[0] or path.as_posix()
        return Clip(path, classes.index(row.text("class")), "train", event, fold)

    return listed_index(root, rows[0].source, map(clip, rows), classes, disjoint_by="sound event")


register(
    Dataset(
        name="URBANSOUND8K",
        title="UrbanSound8K",
        task="10 urban sound classes",
        stands_for="urban sound events",
        licence="CC BY-NC 4.0, non-commercial use only (3.0 in its readme)",
        citation=(
            "@inproceedings{salamon2014urbansound, author={Salamon, Justin and Jacoby, Christopher and Bello, "
            "Juan Pablo}, title={A Dataset and Taxonomy for Urban Sound Research}, booktitle={22nd ACM International "
            "Conference on Multimedia}, pages={1041--1044}, year={2014}, doi={10.1145/2647868.2655045}}"
        ),
        url="https://urbansounddataset.weebly.com/urbansound8k.html",
        seconds=4.0,
        layout="metadata/UrbanSound8K.csv and files named like audio/fold5/100032-3-0-0.wav",
        index=index_urbansound8k,
        clips=8_732,
        size=7_000_000_000,
        downloads=(
            Remote(
                "https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz?download=1",
                checksum="md5:9aa69802bbf37fb986f71ec1483a196e",
                size=6_023_741_708,
                unpacked=12_000_000_000,
            ),
        ),
        folds=_FOLDS,
        test_fold=10,
    )
)
