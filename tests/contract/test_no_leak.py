"""Nothing of the test clips gets into a figure: planted labels, planted copies, and what the distiller is handed."""

import inspect
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from distrack import datasets, jobs
from distrack.audio import SAMPLE_RATE
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.evaluate import BASELINES, EVALUATORS, Bench, Evaluation, EvaluationConfig, measurements, training_set_of
from distrack.evaluate import inspect as inspected
from distrack.images import RealImages
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.learning import TrainingSet
from distrack.networks import NetworkConfig
from distrack.randomness import generator

Images = Mapping[Split, RealImages]
EVERYTHING = EvaluationConfig(
    evaluators=tuple(EVALUATORS),
    baselines=tuple(BASELINES),
    network=NetworkConfig(width=4, depth=2),
    steps=30,
    epochs=1,
    seeds=1,
)
# These take little time for a training set; the others are asked for the synthetic set and for all clips alone.
QUICK = ("linear-probe", "prototype", "prototype-ensemble")
PLAN = [one for one in measurements(EVERYTHING) if one.evaluator in QUICK or one.trained_on in ("synthetic", "full")]


def measured(images: Images, config: DistillConfig, cpu: torch.device) -> list[Evaluation]:
    """The plan's measurements of a set that was distilled from these training clips."""
    distiller = Distiller(config, images["train"], classes=("chirp", "noise", "tone"), device=cpu)
    list(distiller)
    bench = Bench(distiller.synthetic_set(), images["train"], images["test"], cpu)
    return [line for line in bench.evaluate(PLAN) if line.finished]


def test_from_shuffled_labels_every_evaluator_and_baseline_is_at_chance(
    tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    assert {one.evaluator for one in PLAN} == set(EVALUATORS)
    assert {one.trained_on for one in PLAN} >= set(BASELINES)
    config = tiny_config.model_copy(update={"ipc": 4})
    plain = {found.key[:2]: found.accuracy.mean for found in measured(tiny_images, config, cpu)}
    train = tiny_images["train"]
    runs: dict[tuple[str, str], list[float]] = {}
    for seed in range(4):
        order = torch.randperm(len(train), generator=generator(seed, "planted")).numpy()
        planted = {**tiny_images, "train": replace(train, labels=train.labels[order])}
        for found in measured(planted, config, cpu):
            runs.setdefault(found.key[:2], []).extend(found.accuracy.runs)
    assert runs.keys() == plain.keys()
    # With the true labels each is far above what it has with shuffled ones, which is about a third.
    for key, accuracies in runs.items():
        if EVALUATORS[key[0]].tests_tracks:
            continue  # it names the tracks, which bear the same shuffled labels
        assert plain[key] > 0.6, key
        assert np.mean(accuracies) < 0.55, key


def test_a_set_made_of_test_clips_is_flagged(
    tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    train, test = tiny_images["train"], tiny_images["test"]
    honest = Distiller(tiny_config, train, classes=("chirp", "noise", "tone"), device=cpu).synthetic_set()
    copied = replace(honest, parameters=test.batch(np.array([0, 8, 16]), cpu))
    found = inspected(copied, train, test, device=cpu, progress=lambda _done, _total: None).memorisation
    for space in ("feature", "embedding"):
        near = found.of(space, "test")
        assert near.clips == (0, 8, 16)
        assert near.flagged == (0, 1, 2)


def test_the_distiller_is_handed_the_training_side_alone(
    tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    assert list(inspect.signature(Distiller).parameters) == ["config", "train", "classes", "device", "part"]
    spoilt = np.array(tiny_images["train"].images)
    spoilt[tiny_images["test"].rows] = np.nan
    clean, blind = (
        Distiller(tiny_config, train, classes=("a", "b", "c"), device=cpu)
        for train in (tiny_images["train"], replace(tiny_images["train"], images=spoilt))
    )
    list(clean)
    list(blind)
    assert torch.equal(clean.synthetic_set().parameters, blind.synthetic_set().parameters)


def test_a_run_distills_the_same_from_other_test_clips(
    tiny_job: Callable[..., DistillJob], sounds: Path, tmp_path: Path
) -> None:
    index = datasets.look("FOLDER", sounds)
    assert {clip.split for clip in index.clips} >= {"train", "test"}
    shutil.copytree(sounds, tmp_path / "other")
    draw = np.random.default_rng(1)
    for clip in index.clips:
        if clip.split == "test":
            noise = 0.1 * draw.standard_normal(SAMPLE_RATE // 2)
            path = tmp_path / "other" / clip.path.relative_to(sounds)
            soundfile.write(path, noise, SAMPLE_RATE, subtype="FLOAT")
    made = []
    for name, folder in (("first", sounds), ("second", tmp_path / "other")):
        run = tiny_job(data_path=folder).create(tmp_path, name)
        jobs.work(run)
        made.append((SyntheticSet.load(synthetic_file(run)), evaluation_report(run)))
    (one, tested), (other, otherwise) = made
    assert torch.equal(one.parameters, other.parameters)
    assert one.normalisation == other.normalisation
    # The other clips were there: noise is not recognised.
    assert tested is not None
    assert otherwise is not None
    assert tested.accuracy("prototype", "synthetic") != otherwise.accuracy("prototype", "synthetic")


@pytest.mark.parametrize("name", list(BASELINES))
def test_a_baseline_looks_at_no_test_clip(
    tiny_images: Images, synthetic: SyntheticSet, cpu: torch.device, name: str
) -> None:
    train = tiny_images["train"]
    spoilt = np.array(train.images)
    spoilt[tiny_images["test"].rows] = np.nan
    chosen = [BASELINES[name].choose(clips, synthetic, 0) for clips in (train, replace(train, images=spoilt))]
    sets = [each if isinstance(each, TrainingSet) else training_set_of(each, train) for each in chosen]
    first, second = (chosen.images(np.arange(len(chosen)), cpu) for chosen in sets)
    assert torch.equal(first, second)
    assert torch.equal(sets[0].labels, sets[1].labels)


def digits_of(root: Path, speakers: list[str], *, said: Callable[[int], int]) -> None:
    """Digits of some speakers as AudioMNIST lays them out: each digit is the tone of the digit that `said` gives."""
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    for speaker in speakers:
        (root / "data" / speaker).mkdir(parents=True, exist_ok=True)
        for digit in range(10):
            for take in range(2):
                pitch = 200 * 1.4 ** said(digit) * (1 + 0.002 * int(speaker) + 0.01 * take)
                path = root / "data" / speaker / f"{digit}_{speaker}_{take}.wav"
                soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * time), SAMPLE_RATE, subtype="FLOAT")


def test_tracks_of_some_speakers_are_measured_on_the_others(
    tiny_job: Callable[..., DistillJob], tmp_path: Path
) -> None:
    speakers = [f"{number:02}" for number in range(1, 11)]
    digits_of(tmp_path / "alike", speakers, said=lambda digit: digit)
    index = datasets.look("AUDIO_MNIST", tmp_path / "alike")
    by_side = {side: {clip.group for clip in index.clips if clip.split == side} for side in ("train", "test")}
    assert by_side["train"]
    assert by_side["test"]
    assert not by_side["train"] & by_side["test"]
    # Those who are tested call each tone by another name, which no track can teach.
    digits_of(tmp_path / "otherwise", speakers, said=lambda digit: digit)
    digits_of(tmp_path / "otherwise", sorted(map(str, by_side["test"])), said=lambda digit: (digit + 5) % 10)
    accuracies = []
    for name in ("alike", "otherwise"):
        run = tiny_job(dataset="AUDIO_MNIST", data_path=tmp_path / name).create(tmp_path / "runs", name)
        report = jobs.work(run)
        assert "speaker" in report.split.sentence
        accuracies.append(report.accuracy("prototype", "synthetic"))
    assert accuracies[0] > 0.8
    assert accuracies[1] < 0.1
