"""Our figures beside the same ones computed another way: librosa's spectrograms, a CNN of torch's own layers."""

import math
import shutil
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from distrack.distill.initialisations.real import random_real
from distrack.evaluate import EVALUATORS, EvaluationConfig, Trial
from distrack.features import FEATURES
from distrack.jobs.distillation import DistillJob
from distrack.learning import TrainingSet
from distrack.networks import NetworkConfig

pytestmark = pytest.mark.real_data

_SEEDS = 3
# Fewer than the recipe's, of both sides.
_STEPS = 60
_A_CLASS = 10
_WIDTH = 16
_BATCH = 16


def spectrograms(paths: list[Path]) -> Tensor:
    """Decibels of librosa's mel bands over the first half second, ``[n, 1, 64, 16]``."""
    images = []
    for path in paths:
        wave, rate = soundfile.read(path)
        wave = librosa.util.fix_length(librosa.resample(wave, orig_sr=rate, target_sr=16_000), size=8_000)
        power = librosa.feature.melspectrogram(
            y=wave, sr=16_000, n_fft=FEATURES.choice("logmelspectrogram").n_fft, hop_length=512, n_mels=64
        )
        images.append(librosa.power_to_db(power, amin=1e-6, top_db=None))
    return torch.tensor(np.stack(images), dtype=torch.float32).unsqueeze(1)


def changed(images: Tensor, random: np.random.Generator) -> Tensor:
    """Each image moved by an eighth of its frames and a twentieth of its bands at most, louder or softer, noisier."""
    moved = []
    for image in images:
        bands, frames = image.shape[1:]
        up, along = (int(random.integers(-far, far + 1)) for far in (bands // 20, frames // 8))
        shifted = torch.full_like(image, float(image.min()))
        inside = image[:, max(-up, 0) : bands - max(up, 0), max(-along, 0) : frames - max(along, 0)]
        shifted[:, max(up, 0) : max(up, 0) + inside.shape[1], max(along, 0) : max(along, 0) + inside.shape[2]] = inside
        noise = torch.tensor(random.standard_normal(image.shape), dtype=torch.float32)
        moved.append(shifted + 0.3 * random.standard_normal() + 0.1 * noise)
    return torch.stack(moved).float()


def accuracy_of(seed: int, train: list[Path], test: Tensor, truth: Tensor) -> float:
    """Of a CNN that learns from random clips of each class."""
    random = np.random.default_rng(seed)
    by_class = [[path for path in train if path.stem[0] == str(label)] for label in range(10)]
    chosen = [path for some in by_class for path in random.choice(np.array(some), _A_CLASS, replace=False)]
    images = spectrograms(chosen)
    centre, spread = images.mean(), images.std()
    images, test = (images - centre) / spread, (test - centre) / spread
    targets = nn.functional.one_hot(torch.arange(10).repeat_interleave(_A_CLASS), 10).float()
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for channels in (1, _WIDTH, _WIDTH):
        layers += [
            nn.Conv2d(channels, _WIDTH, 3, padding=1),
            nn.InstanceNorm2d(_WIDTH, affine=True),
            nn.ReLU(),
            nn.AvgPool2d(2),
        ]
    network = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(10))
    network(test[:1])
    kernels = [layer.weight for layer in network if isinstance(layer, nn.Conv2d)]
    # The optimiser wants matrices: these share their numbers with the kernels.
    matrices = [nn.Parameter(kernel.detach().flatten(1)) for kernel in kernels]
    others = [each for each in network.parameters() if all(each is not kernel for kernel in kernels)]
    hidden = torch.optim.Muon(matrices, lr=0.05, weight_decay=0.01, momentum=0.9)
    rest = torch.optim.AdamW(others, lr=0.01, weight_decay=0.01, betas=(0.9, 0.95))
    for step in range(_STEPS):
        for optimiser, peak in ((hidden, 0.05), (rest, 0.01)):
            optimiser.param_groups[0]["lr"] = peak * min(1, (step + 1) / (0.1 * _STEPS), (1 - step / _STEPS) / 0.7)
        some = torch.tensor(random.integers(len(images), size=_BATCH))
        batch, wanted, weight = changed(images[some], random), targets[some], random.beta(0.3, 0.3)
        partner = torch.tensor(random.permutation(_BATCH))
        batch, wanted = (weight * part + (1 - weight) * part[partner] for part in (batch, wanted))
        network.zero_grad()
        nn.functional.cross_entropy(network(batch), wanted).backward()
        for matrix, kernel in zip(matrices, kernels, strict=True):
            matrix.grad = kernel.grad.flatten(1) if kernel.grad is not None else None
        hidden.step()
        rest.step()
    with torch.no_grad():
        return float((network(test).argmax(1) == truth).float().mean())


def test_random_clips_teach_what_an_independent_computation_says(real_data: Path, tmp_path: Path) -> None:
    # FSDD's rule: of each speaker's fifty takes of a digit the first five are for testing. Ten are enough here.
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for path in (real_data / "fsdd" / "recordings").glob("*_?.wav"):
        shutil.copy(path, folder)
    job = DistillJob.validated({"dataset": "FSDD", "data_path": tmp_path / "fsdd", "duration": 0.5})
    images = job.material(cache_path=tmp_path / "cache").sides
    device = torch.device("cpu")

    def ours(seed: int) -> float:
        training = TrainingSet.of_clips(images["train"], random_real(images["train"], _A_CLASS, seed))
        found = EVALUATORS["random-cnn"].predict(
            Trial(
                training,
                images["test"],
                EvaluationConfig(steps=_STEPS, epochs=1, network=NetworkConfig(width=_WIDTH)),
                clips=training,
                seed=seed,
                device=device,
                progress=lambda *_: None,
            )
        )
        return float(np.mean(found.numpy() == images["test"].labels))

    files = sorted(folder.glob("*.wav"))
    test = [path for path in files if int(path.stem.rsplit("_", 1)[1]) < 5]
    train = [path for path in files if int(path.stem.rsplit("_", 1)[1]) >= 5]
    tested, truth = spectrograms(test), torch.tensor([int(path.stem[0]) for path in test])
    theirs = [accuracy_of(seed, train, tested, truth) for seed in range(_SEEDS)]
    mine = [ours(seed) for seed in range(_SEEDS)]
    spread = math.hypot(np.std(theirs, ddof=1), np.std(mine, ddof=1))

    assert abs(np.mean(theirs) - np.mean(mine)) < 2 * spread + 0.01, (theirs, mine)
