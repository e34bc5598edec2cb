"""FSDD, the Free Spoken Digit Dataset: 3,000 English digits by 6 speakers."""

from pathlib import Path

from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import Dataset, register
from distrack.datasets.digits import DIGITS, FILE_NAME
from distrack.datasets.download import Remote
from distrack.datasets.layout import named_files

_TEST_TAKES = range(5)


def index_fsdd(root: Path) -> Index:
    """The official split: takes 0-4 of every speaker and digit are the test clips."""
    named, skipped = named_files(root, FILE_NAME, "recordings/*.wav", "*.wav")
    clips = tuple(
        Clip(path, int(match["digit"]), "test" if int(match["take"]) in _TEST_TAKES else "train", group=path.stem)
        for path, match in named
    )
    return Index(root, DIGITS, clips, disjoint_by="recording", skipped=skipped)


register(
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
