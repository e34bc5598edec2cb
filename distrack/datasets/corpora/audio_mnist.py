"""AudioMNIST: 30,000 English digits by 60 speakers."""

from functools import partial

from distrack.datasets.contract import Dataset, register
from distrack.datasets.digits import speaker_disjoint_index
from distrack.datasets.download import Remote

register(
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
        index=partial(speaker_disjoint_index, below=("data/*/*.wav", "*/*.wav")),
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
