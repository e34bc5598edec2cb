"""Spoken digits: datasets whose files are named by digit, speaker and take, as in 7_jackson_12.wav."""

import re
from collections.abc import Sequence
from pathlib import Path

from distrack.datasets.clips import Clip, Index, NotThereError
from distrack.datasets.layout import named_files
from distrack.datasets.splits import held_out

DIGITS = tuple("0123456789")
FILE_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>.+)_(?P<take>\d+)\.\w+")


def speaker_disjoint_index(root: Path, *, below: Sequence[str]) -> Index:
    """The index of files in a folder for each speaker: a fifth of the speakers, drawn by a fixed seed, are tested.

    `below` holds the patterns of the files' paths, such as "data/*/*.wav".
    """
    files, skipped = named_files(root, FILE_NAME, *below)
    named = [(path, match) for path, match in files if match["speaker"] == path.parent.name]
    if not named:
        raise NotThereError
    test = held_out(match["speaker"] for _, match in named)
    clips = tuple(
        Clip(path, int(match["digit"]), "test" if match["speaker"] in test else "train", match["speaker"])
        for path, match in named
    )
    return Index(root, DIGITS, clips, disjoint_by="speaker", skipped=skipped)
