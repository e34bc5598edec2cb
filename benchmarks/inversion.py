"""Error and time of the inversion of every feature, and the share of inverted clips that are recognised.

The command inverts the images of real test clips, compares them with the images of the resulting sounds, and has a CNN
classify these sounds that was trained on the log-mel-spectrograms of all training clips. It writes `inversion.md`.

    python -m benchmarks.inversion --dataset FSDD --data-path FOLDER
"""

import argparse
import os
import platform
import time
from pathlib import Path

from distrack.process_environment import compute_fast

compute_fast()

import numpy as np
import torch
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.evaluate import EVALUATORS, Trial
from distrack.features import FEATURES, build_feature
from distrack.images import RealImages, load
from distrack.inversion import INVERSIONS, inversion_error, invert
from distrack.learning import Recipe, TrainingSet

TABLE = Path(__file__).with_suffix(".md")
_EXPLANATION = """\
The error is `distrack.inversion.inversion_error`: for features with mel bands the mean absolute difference in dB over
all bands of the frames within 60 dB of the clip's loudest, for MFCC that of the envelopes which the coefficients
describe, for a chromagram that of the shares. Recognised: share of the sounds that are classified correctly by a CNN
which was trained on the log-mel-spectrograms of all training clips."""
_HEADER = "| feature | error, mean | 95th percentile | largest | seconds for 100 clips | recognised |"


def recognised(sounds: dict[str, Tensor], labels: Tensor, train: RealImages) -> dict[str, float]:
    """Share of the sounds of each kind that a CNN, trained on all training clips, classifies correctly."""
    images = build_feature(FEATURES.choice("logmelspectrogram"))(torch.cat(list(sounds.values())))
    clips = TrainingSet.of_clips(train)
    examined = TrainingSet.of_images(
        train.normalisation.apply(images),
        labels.repeat(len(sounds)),
        classes=train.classes,
        shift_bands=train.shift_bands,
    )
    predicted = EVALUATORS["random-cnn"].predict(
        Trial(
            clips,
            examined,
            Recipe(),
            clips=clips,
            seed=0,
            device=torch.device("cpu"),
            progress=lambda _done, _total: None,
        )
    )
    right = (predicted == examined.labels).float().view(len(sounds), -1).mean(1)
    return dict(zip(sounds, right.tolist(), strict=True))


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="SPOKEN_DIGITS")
    parser.add_argument("--data-path", type=Path)
    parser.add_argument("--clips", type=int, default=300, help="number of test clips that are inverted")
    arguments = parser.parse_args()
    feature = FEATURES.choice("logmelspectrogram")
    material = load(arguments.dataset, arguments.data_path, seconds=1.0, feature=feature)
    test = material.test
    positions = np.linspace(0, len(test) - 1, arguments.clips).round().astype(np.int64)
    real, labels = test.sounds(positions), torch.from_numpy(test.labels[positions])
    sounds, rows = {"real": real}, {}
    for name in FEATURES:
        config = FEATURES.choice(name)
        images = build_feature(config)(real)
        invert(images[:1], config, samples=SAMPLE_RATE)  # loads the filters
        start = time.perf_counter()
        sounds[name] = invert(images, config, samples=SAMPLE_RATE)
        took = time.perf_counter() - start
        errors = inversion_error(images, sounds[name], config)
        unit = INVERSIONS[name].unit
        shown = (f"{value:.3g} {unit}".strip() for value in (errors.mean(), errors.quantile(0.95), errors.max()))
        rows[name] = [FEATURES[name].title, *shown, f"{100 * took / len(real):.1f}"]
        print(name, *rows[name][1:])
    right = recognised(sounds, labels, material.train)
    lines = [
        f"{arguments.clips} test clips of {arguments.dataset}, one second each; {platform.machine()}, {os.cpu_count()} "
        f"cores, torch {torch.__version__}.",
        _EXPLANATION,
        f"Of the real clips themselves, {right['real']:.0%} are recognised.",
        "",
        _HEADER,
        "|---|---|---|---|---|---|",
        *("| " + " | ".join([*row, f"{right[name]:.0%}"]) + " |" for name, row in rows.items()),
    ]
    text = "\n".join(lines) + "\n"
    TABLE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
