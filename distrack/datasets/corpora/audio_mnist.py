"""AudioMNIST: 30,000 English digits by 60 speakers."""

import re
from pathlib import Path

from distrack.datasets.clips import Clip, Index
from distrack.datasets.contract import Dataset, register
from distrack.datasets.download import Remote
from distrack.datasets.layout import nearest_folder, places, usable
from distrack.datasets.splits import held_out

_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<take>\d+)\.wav")


def index_audio_mnist(root: Path) -> Index:
    """Speaker-disjoint split: a fifth of the speakers (12 of 60), drawn by a fixed seed, are the test split."""
    for place in places(root):
        files, skipped = usable(sorted(nearest_folder(place, ["data"]).glob("*/*.wav")))
        named = [
            (path, match)
            for path in files
            if (match := _NAME.fullmatch(path.name)) and match["speaker"] == path.parent.name
        ]
        if named:
            break
    else:
        raise AUDIO_MNIST.not_found(root)
    test = held_out(match["speaker"] for _, match in named)
    clips = tuple(
        Clip(path, int(match["digit"]), "test" if match["speaker"] in test else "train", match["speaker"])
        for path, match in named
    )
    return Index(root, tuple("0123456789"), clips, disjoint_by="speaker", skipped=skipped)


AUDIO_MNIST = register(
    Dataset(
        name="AUDIO_MNIST",
        title="AudioMNIST",
        task="spoken digits",
        stands_for="phonetic structure",
        licence="MIT",
        citation=(
            '@article{becker2024audiomnist, author={Becker, S{\\"o}ren and Vielhaben, Johanna and Ackermann, Marcel '
            'and M{\\"u}ller, Klaus-Robert and Lapuschkin, Sebastian and Samek, Wojciech}, title={AudioMNIST: '
            "Exploring Explainable Artificial Intelligence for audio analysis on a simple benchmark}, "
            "journal={Journal of the Franklin Institute}, volume={361}, number={1}, pages={418--428}, year={2024}}"
        ),
        url="https://github.com/soerenab/AudioMNIST",
        seconds=1.0,
        layout="files named like data/01/0_01_0.wav",
        index=index_audio_mnist,
        clips=30_000,
        # About: 0.64 s each, at 48 kHz and 16 bit. Neither this nor the archive's size or checksum is published.
        size=1_900_000_000,
        downloads=(
            Remote(
                "https://github.com/soerenab/AudioMNIST/archive/refs/heads/master.zip",
                size=1_000_000_000,
            ),
        ),
    )
)
