"""FSDD, the Free Spoken Digit Dataset: 3,000 English digits by 6 speakers."""

import re
from pathlib import Path

from distrack.datasets.clips import Clip, Index, Split
from distrack.datasets.contract import Dataset, register
from distrack.datasets.download import Remote
from distrack.datasets.layout import nearest_folder, places, usable

_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<take>\d+)\.wav")
_TEST_TAKES = range(5)


def index_fsdd(root: Path) -> Index:
    """The official split: takes 0-4 of every speaker and digit are the test clips."""
    for place in places(root):
        files, skipped = usable(sorted(nearest_folder(place, ["recordings"]).glob("*.wav")))
        named = [(path, match) for path in files if (match := _NAME.fullmatch(path.name))]
        if named:
            break
    else:
        raise FSDD.not_found(root)
    clips = []
    for path, match in named:
        split: Split = "test" if int(match["take"]) in _TEST_TAKES else "train"
        clips.append(Clip(path, int(match["digit"]), split, group=path.stem))
    return Index(root, tuple("0123456789"), tuple(clips), disjoint_by="recording", skipped=skipped)


FSDD = register(
    Dataset(
        name="FSDD",
        title="Free Spoken Digit Dataset",
        task="spoken digits",
        stands_for="phonetic structure",
        licence="CC BY-SA 4.0",
        citation=(
            "@misc{fsdd, author={Jackson, Zohar and Souza, C{\\'e}sar and Flaks, Jason and Pan, Yuxin and "
            "Nicolas, Hereman and Thite, Adhish}, title={Free Spoken Digit Dataset: v1.0.8}, year={2018}, "
            "doi={10.5281/zenodo.1342401}}"
        ),
        url="https://github.com/Jakobovski/free-spoken-digit-dataset",
        seconds=1.0,
        layout="files named like recordings/7_jackson_12.wav",
        index=index_fsdd,
        clips=3_000,
        size=21_128_848,
        downloads=(
            # This tag has all 3,000 clips, v1.0.9 only 2,500. No checksum is published.
            Remote(
                "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
                size=16_419_872,
            ),
        ),
    )
)
