"""MusicNet: 330 recordings of classical music, whole pieces to decompose. It has no classes."""

import re
from pathlib import Path

from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import Dataset, register
from distrack.datasets.download import Remote
from distrack.datasets.layout import named_files

_PIECE = re.compile(r"\d{4}\.wav")


def index_musicnet(root: Path) -> Index:
    """All pieces in one class and one split, as MusicNet has no classes.

    Args:
        root: the folder of the pieces, such as ``train_data``, or the folder above it.
    """
    pieces, skipped = named_files(root, _PIECE, "train_data/*.wav", "test_data/*.wav", "*.wav")
    clips = tuple(Clip(path, 0, "train") for path, _ in pieces)
    return Index(root, ("piece",), clips, disjoint_by="piece", skipped=skipped)


register(
    Dataset(
        name="MUSICNET",
        title="MusicNet",
        task="classical pieces (for Decompose)",
        stands_for="whole pieces of music",
        licence="CC BY 4.0",
        citation=(
            "@inproceedings{thickstun2017musicnet, author={Thickstun, John and Harchaoui, Zaid and Kakade, Sham M.}, "
            "title={Learning Features of Music from Scratch}, booktitle={International Conference on Learning "
            "Representations (ICLR)}, year={2017}}"
        ),
        url="https://zenodo.org/records/5120004",
        # A piece lasts minutes; a longer excerpt is hard to see in one picture.
        seconds=30.0,
        layout="files named like train_data/1727.wav; AUDIO_PATH may name that folder",
        index=index_musicnet,
        clips=330,
        size=22_000_000_000,
        downloads=(
            Remote(
                "https://zenodo.org/records/5120004/files/musicnet.tar.gz?download=1",
                checksum="md5:844764911fa0d5b97c97da944a057590",
                size=11_097_394_998,
                unpacked=30_000_000_000,
            ),
        ),
        setting="audio_path",
        labelled=False,
    )
)
