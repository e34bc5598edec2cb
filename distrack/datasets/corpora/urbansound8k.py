"""UrbanSound8K: 8,732 excerpts of 10 classes of urban sounds."""

from pathlib import Path

from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import Dataset, register
from distrack.datasets.download import Remote
from distrack.datasets.layout import find_file
from distrack.datasets.listing import Listed, classes_of, disjoint_groups, listed_index, read_list

_LIST = "metadata/UrbanSound8K.csv"
_FOLDS = tuple(range(1, 11))


def index_urbansound8k(root: Path) -> Index:
    """The ten official folds; a group is a sound event.

    A fold holds all excerpts of a sound event, but not all of a recording: five of the recordings have events in two
    folds. The event (``fsID-classID-occurrence``) is the file name without its last number.
    """
    source = find_file(root, _LIST)
    if source is None:
        raise URBANSOUND8K.not_found(root)
    rows = read_list(source, ("slice_file_name", "fold", "classID", "class"))
    classes = classes_of(rows, "class", order="classID")
    audio = source.parent.parent / "audio"
    listed = []
    for row in rows:
        fold = row.number("fold", among=_FOLDS)
        name = f"fold{fold}/{row.text('slice_file_name')}"
        event = row.text("slice_file_name").rpartition("-")[0]
        label = classes.index(row.text("class"))
        listed.append(Listed(name, Clip(audio / name, label, "train", event or name, fold)))
    listed, disjoint_by = disjoint_groups(listed, by="sound event")
    return listed_index(root, source=source, audio=audio, classes=classes, listed=listed, disjoint_by=disjoint_by)


URBANSOUND8K = register(
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
