"""Medley-solos-DB: 21,571 excerpts of 8 solo instruments."""

from pathlib import Path

from distrack.datasets.clips import Clip, Index, Split
from distrack.datasets.contract import Dataset, register
from distrack.datasets.download import Remote
from distrack.datasets.listing import Row, classes_of, listed_index, read_list

_SPLITS: dict[str, Split] = {"training": "train", "validation": "validation", "test": "test"}


def index_medley_solos_db(root: Path) -> Index:
    """The official split: training and validation from MedleyDB, test from solosDb. No track is in two splits."""
    columns = ("subset", "instrument", "instrument_id", "track_id", "uuid4")
    rows = read_list(root, "annotation/Medley-solos-DB_metadata.csv", columns)
    classes = classes_of(rows, "instrument", order="instrument_id")

    def clip(row: Row) -> Clip:
        subset = row.text("subset", among=_SPLITS)
        name = f"Medley-solos-DB_{subset}-{row.text('instrument_id')}_{row.text('uuid4')}.wav"
        return Clip(Path(name), classes.index(row.text("instrument")), _SPLITS[subset], row.text("track_id"))

    return listed_index(root, rows[0].source, map(clip, rows), classes, disjoint_by="track")


register(
    Dataset(
        name="MEDLEY_SOLOS_DB",
        title="Medley-solos-DB",
        task="8 solo instruments",
        stands_for="timbre",
        licence="CC BY 4.0",
        citation=(
            "@inproceedings{lostanlen2016pitchspiral, author={Lostanlen, Vincent and Cella, Carmine-Emanuele}, "
            "title={Deep Convolutional Networks on the Pitch Spiral for Music Instrument Recognition}, booktitle="
            "{Proceedings of the International Society for Music Information Retrieval Conference (ISMIR)}, "
            "pages={612--618}, year={2016}, note={dataset: doi 10.5281/zenodo.1344102}}"
        ),
        url="https://zenodo.org/records/3464194",
        # 131,072 samples at 44.1 kHz, every one of them.
        seconds=2.972,
        layout=(
            "annotation/Medley-solos-DB_metadata.csv and files named like "
            "audio/Medley-solos-DB_test-0_0e4371ac-1c6a-51ab-fdb7-f8abd5fbf1a3.wav"
        ),
        index=index_medley_solos_db,
        clips=21_571,
        size=11_300_000_000,
        downloads=(
            Remote(
                "https://zenodo.org/records/3464194/files/Medley-solos-DB_metadata.csv?download=1",
                checksum="md5:fda6a589c56785f2195c9227809c521a",
                size=1_300_000,
                archive=False,
                path="annotation",
            ),
            Remote(
                "https://zenodo.org/records/3464194/files/Medley-solos-DB.tar.gz?download=1",
                checksum="md5:f5facf398793ef5c1f80c013afdf3e5f",
                size=7_900_000_000,
                unpacked=16_000_000_000,
                path="audio",
            ),
        ),
    ),
    aliases=("MedleySolos",),
)
