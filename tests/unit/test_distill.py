"""Distillation: it learns, it repeats itself to the bit, it goes on where it stopped, and its result stands alone."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch
from safetensors import safe_open
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.datasets import Prepared, index, prepare
from distrack.datasets.contract import Split
from distrack.distill import DistillConfig, Distiller, RealImages, StepRecord, SyntheticSet, from_preset, real_images
from distrack.distill.config import merged
from distrack.distill.initialisation import random_selection
from distrack.distill.randomness import derived_seed
from distrack.errors import ConfigError, RunError
from distrack.evaluate import EvaluationConfig, evaluate
from distrack.features import Normalisation, build_feature
from distrack.networks import Network, build_network

Images = Mapping[Split, RealImages]
Start = Callable[..., Distiller]


@pytest.fixture
def start(tiny_config: DistillConfig, tiny_images: Images, tiny_prepared: Prepared, cpu: torch.device) -> Start:
    """A distiller of the tiny dataset, with what is asked for in place of the tiny config's values."""

    def distiller(**asked: Any) -> Distiller:
        config = DistillConfig.model_validate(merged(tiny_config.model_dump(), asked))
        return Distiller(config, tiny_images["train"], classes=tiny_prepared.index.classes, device=cpu)

    return distiller


def finished(distiller: Distiller) -> tuple[list[StepRecord], Tensor]:
    return list(distiller), distiller.synthetic_set().parameters


PAPER = {"optimiser": "sgd", "learning_rate": 2.0, "schedule": "constant", "balance": "none", "pool": {"size": 0}}


# It learns


@pytest.mark.parametrize("asked", [{}, PAPER, {"optimiser": "sgd", "learning_rate": 20.0}, {"ipc": 3}])
def test_the_loss_goes_down(start: Start, asked: dict[str, Any]) -> None:
    records, _ = finished(start(initialisation="noise", steps=60, **asked))
    losses = [record.loss for record in records]
    assert [record.step for record in records] == list(range(1, 61))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


def class_means(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        embeddings = network.embed(images)
    return torch.stack([embeddings[labels == label].mean(0) for label in range(int(labels.max()) + 1)])


def everything(side: RealImages, cpu: torch.device) -> tuple[Tensor, Tensor]:
    return side.batch(np.arange(len(side)), cpu), torch.from_numpy(side.labels)


@pytest.mark.parametrize("initialisation", ["noise", "real"])
def test_in_networks_it_never_saw_its_class_means_come_nearer_to_those_of_unseen_clips(
    start: Start, tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device, initialisation: str
) -> None:
    distiller = start(initialisation=initialisation, steps=100, pool={"size": 0, "clips_per_class": 16})
    before = distiller.synthetic_set()
    finished(distiller)
    after = distiller.synthetic_set()
    for seed in range(5):
        unseen = build_network(
            tiny_config.network, shape=tiny_images["train"].shape, classes=3, seed=derived_seed(seed, "unseen")
        )
        real = class_means(unseen, *everything(tiny_images["test"], cpu))
        first, last = (
            (class_means(unseen, kept.tracks(), kept.labels) - real).square().sum() for kept in (before, after)
        )
        assert last < 0.8 * first


@pytest.mark.parametrize("size", [0, 1])
def test_the_loss_is_the_squared_distance_of_class_means_in_units_of_their_spread(
    start: Start, tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device, size: int
) -> None:
    # Twice as many clips as there are of each class: all of them, twice.
    distiller = start(ipc=2, seed=4, pool={"size": size, "clips_per_class": 64})
    first = distiller.synthetic_set()
    loss = next(iter(distiller)).loss
    network = build_network(
        tiny_config.network, shape=tiny_images["train"].shape, classes=3, seed=derived_seed(4, "network", 0)
    )
    real = class_means(network, *everything(tiny_images["train"], cpu))
    distance = (class_means(network, first.tracks(), first.labels) - real).square().sum()
    assert loss == pytest.approx(float(distance / (real - real.mean(0)).square().sum()), rel=1e-4)


def test_at_a_step_size_of_nearly_nothing_a_real_start_stays_those_clips(
    start: Start, tiny_images: Images, cpu: torch.device
) -> None:
    distiller = start(ipc=3, learning_rate=1e-12)
    _, parameters = finished(distiller)
    train = tiny_images["train"]
    chosen = random_selection(train, 3, 0)
    assert len(set(chosen.tolist())) == 9
    assert train.labels[chosen].tolist() == distiller.synthetic_set().labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    torch.testing.assert_close(parameters, train.batch(chosen, cpu), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.038), ("constant", 1.0)])
def test_steps_shrink_to_almost_nothing_as_the_schedule_says(start: Start, schedule: str, last: float) -> None:
    # Adam moves every number by about the learning rate, by exactly that in the first step.
    distiller = start(schedule=schedule, pool={"size": 1})
    drive, before = iter(distiller), distiller.synthetic_set().parameters
    next(drive)
    assert float((distiller.synthetic_set().parameters - before).abs().max()) == pytest.approx(0.05, rel=1e-3)
    for _ in range(6):
        next(drive)
    before = distiller.synthetic_set().parameters
    next(drive)
    moved = float((distiller.synthetic_set().parameters - before).abs().median())
    assert moved == pytest.approx(0.05 * last, rel=0.5)


# It repeats itself


@pytest.mark.parametrize("asked", [{}, PAPER, {"initialisation": "noise"}])
def test_the_same_seed_gives_the_same_bits_and_another_one_others(start: Start, asked: dict[str, Any]) -> None:
    torch.manual_seed(1)
    records, parameters = finished(start(**asked))
    torch.manual_seed(2)
    again, same = finished(start(**asked))
    assert again == records
    assert torch.equal(same, parameters)
    others, other = finished(start(seed=1, **asked))
    assert others != records
    assert not torch.equal(other, parameters)


# It goes on where it stopped


@pytest.mark.parametrize("stop", [0, 1, 5, 8])
@pytest.mark.parametrize("size", [0, 3])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_resumed_at_any_step_it_ends_equal_to_one_that_was_not(
    start: Start, optimiser: str, size: int, stop: int
) -> None:
    asked = {"optimiser": optimiser, "pool": {"size": size}, "ipc": 2}
    records, parameters = finished(start(**asked))
    stopped = start(**asked)
    drive = iter(stopped)
    assert [next(drive) for _ in range(stop)] == records[:stop]
    # As a checkpoint keeps it.
    state = safetensors.torch.load(safetensors.torch.save(stopped.state()))
    resumed = start(**asked)
    resumed.resume(state)
    rest, same = finished(resumed)
    assert rest == records[stop:]
    assert torch.equal(same, parameters)


@pytest.mark.parametrize("back_to", [0, 3])
def test_the_same_distiller_goes_back_to_an_earlier_state(start: Start, back_to: int) -> None:
    distiller = start()
    drive = iter(distiller)
    for _ in range(back_to):
        next(drive)
    state = distiller.state()
    records, parameters = finished(distiller)
    distiller.resume(state)
    again, same = finished(distiller)
    assert len(again) == 8 - back_to
    assert again == records
    assert torch.equal(same, parameters)


def test_a_state_does_not_change_as_the_distiller_goes_on(start: Start) -> None:
    distiller = start()
    next(iter(distiller))
    state = distiller.state()
    kept = {name: value.clone() for name, value in state.items()}
    first = distiller.synthetic_set().parameters.clone()
    early = distiller.synthetic_set()
    finished(distiller)
    assert all(torch.equal(state[name], kept[name]) for name in kept)
    assert torch.equal(early.parameters, first)


def test_a_checkpoint_of_another_config_is_refused(start: Start) -> None:
    with pytest.raises(RunError, match="another config"):
        start(ipc=2).resume(start(ipc=1).state())


def test_a_loss_that_is_not_a_number_ends_it_with_a_reason(start: Start) -> None:
    # Instance norm keeps every step size finite here, so the tracks themselves are made to overflow.
    distiller = start()
    state = distiller.state()
    state["parameters"] *= 1e38
    state["parameters"] *= 1e38
    distiller.resume(state)
    with pytest.raises(RunError, match=r"loss is not a number after step 1: lower the learning rate"):
        list(distiller)


def test_more_tracks_than_clips_are_refused_with_the_number_there_is(start: Start) -> None:
    assert start(ipc=32).synthetic_set().labels.shape == (96,)
    with pytest.raises(ConfigError, match=r"ipc 33.*only 32 training clips"):
        start(ipc=33)


# Its result stands alone


@pytest.fixture
def distilled(start: Start, tiny_prepared: Prepared) -> SyntheticSet:
    distiller = start(ipc=2, data_path=tiny_prepared.index.root)
    finished(distiller)
    return distiller.synthetic_set()


def test_a_synthetic_set_survives_its_file(distilled: SyntheticSet, tmp_path: Path) -> None:
    path = tmp_path / "synthetic.safetensors"
    path.write_bytes(distilled.to_bytes())
    loaded = SyntheticSet.load(path)
    assert torch.equal(loaded.tracks(), distilled.tracks())
    assert torch.equal(loaded.images(), distilled.images())
    assert torch.equal(loaded.labels, distilled.labels)
    assert loaded.classes == ("chirp", "noise", "tone")
    assert loaded.normalisation == distilled.normalisation
    assert loaded.config == distilled.config.model_copy(update={"data_path": None})


def test_its_images_are_in_the_feature_s_own_unit(
    start: Start, tiny_prepared: Prepared, tiny_images: Images, tiny_config: DistillConfig
) -> None:
    untouched = start(ipc=2).synthetic_set()
    rows = tiny_images["train"].rows[random_selection(tiny_images["train"], 2, 0)]
    sounds = torch.from_numpy(np.array(tiny_prepared.waveforms[rows]))
    torch.testing.assert_close(untouched.images(), build_feature(tiny_config.feature)(sounds), atol=1e-4, rtol=0)


def test_the_same_set_gives_the_same_bytes(distilled: SyntheticSet) -> None:
    assert len({distilled.to_bytes() for _ in range(20)}) == 1


def test_its_file_says_nothing_of_the_machine_s_folders(distilled: SyntheticSet, tmp_path: Path) -> None:
    content = distilled.to_bytes()
    assert distilled.config.data_path is not None
    assert str(distilled.config.data_path).encode() not in content
    assert distilled.config.data_path.parent.name.encode() not in content
    path = tmp_path / "synthetic.safetensors"
    path.write_bytes(content)
    with safe_open(path, framework="pt") as file:
        assert set(file.metadata()) == {"format", "classes", "normalisation", "config"}


def of_another_dataset(content: bytes) -> bytes:
    assert content.count(b"FOLDER") == 1
    return content.replace(b"FOLDER", b"FOLDED")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "cut-in-the-header": lambda content: content[:20],
    "empty": lambda _: b"",
    "text": lambda _: b"these are my notes, not tracks\n" * 100,
    "zeros": lambda content: bytes(len(content)),
    "no-config": lambda content: content.replace(b'"config"', b'"confog"'),
    "no-labels": lambda content: content.replace(b'"labels"', b'"labelz"'),
    "impossible-config": lambda content: content.replace(b'\\"n_mels\\":16', b'\\"n_mels\\":-9'),
    "unknown-dataset": of_another_dataset,
    "no-metadata": lambda _: safetensors.torch.save({"parameters": torch.ones(2)}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_in_one_sentence_that_names_it(
    distilled: SyntheticSet, tmp_path: Path, damage: str
) -> None:
    content = distilled.to_bytes()
    damaged = DAMAGE[damage](content)
    assert damaged != content
    path = tmp_path / "synthetic.safetensors"
    path.write_bytes(damaged)
    with pytest.raises(RunError, match=r"synthetic\.safetensors is not a synthetic set that can be read"):
        SyntheticSet.load(path)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.safetensors", tmp_path):
        with pytest.raises(RunError, match="is not a synthetic set"):
            SyntheticSet.load(path)


def named(*classes: str, ipc: int = 1) -> list[str]:
    labels = torch.arange(len(classes)).repeat_interleave(ipc)
    config = DistillConfig(ipc=ipc)
    return SyntheticSet(
        torch.zeros(len(labels), 1, 64, 32), labels, classes, Normalisation(mean=0, std=1), config
    ).track_names()


def test_a_track_is_named_after_its_class_and_number() -> None:
    assert named("dog", "cat", ipc=2) == ["dog_0", "dog_1", "cat_0", "cat_1"]


@pytest.mark.parametrize(
    "classes",
    [
        ("a/b", "ä b", "..", "."),
        ("a b", "a-b", "a/b"),
        ("a b", "a-b", "a-b-0", "a-b-1"),
        ("class-1", "..", "???", "class"),
        ("Dog", "dog", "DOG"),
        ("../../etc/passwd", "C:\\con", "nul\0", "a\nb", "*", "<>|"),
        ("x" * 255, "x" * 254, "ä" * 127, "音" * 85),
    ],
)
def test_no_class_name_gives_an_unsafe_or_a_second_name(classes: tuple[str, ...], tmp_path: Path) -> None:
    names = named(*classes, ipc=2)
    assert len(set(map(str.casefold, names))) == 2 * len(classes)
    for name in names:
        assert not set(name) & set('/\\:*?"<>| \n\0')
        assert not name.startswith((".", "-"))
        (tmp_path / f"{name}.flac").touch()
    assert len(list(tmp_path.iterdir())) == 2 * len(classes)


@pytest.mark.parametrize("ipc", [1, 5])
def test_the_budget_counts_every_stored_number_and_the_labels(start: Start, ipc: int) -> None:
    assert start(ipc=ipc).synthetic_set().floats_per_class == ipc * (16 * 32 + 1)


@pytest.mark.parametrize(("steps", "snapshots"), [(600, 20), (7, 20), (1, 2), (8, 3)])
def test_snapshots_are_kept_from_the_start_to_the_end(steps: int, snapshots: int) -> None:
    kept = DistillConfig(steps=steps, snapshots=snapshots).snapshot_steps
    assert {0, steps} <= kept <= set(range(steps + 1))
    assert len(kept) == min(snapshots, steps + 1)


# The real side


def test_a_side_is_the_feature_of_its_own_clips_and_no_clip_stands_on_both(
    tiny_prepared: Prepared, tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    train, test = tiny_images["train"], tiny_images["test"]
    assert not set(train.rows) & set(test.rows)
    assert set(train.rows) | set(test.rows) == set(tiny_prepared.rows)
    assert np.bincount(train.labels).tolist() == [32, 32, 32]
    assert np.bincount(test.labels).tolist() == [8, 8, 8]
    feature = build_feature(tiny_config.feature)
    assert len(tiny_images["validation"]) == 0
    for split, side in (("train", train), ("test", test)):
        for position in (0, 5, len(side) - 1):
            clip = tiny_prepared.index.clips[side.rows[position]]
            samples, rate = soundfile.read(clip.path, dtype="float32")
            assert (clip.split, clip.label, rate) == (split, side.labels[position], SAMPLE_RATE)
            expected = side.normalisation.apply(feature(torch.from_numpy(samples)[None]))
            torch.testing.assert_close(side.batch(np.array([position]), cpu), expected, atol=1e-4, rtol=0)


def test_batches_are_all_clips_in_order(tiny_images: Images, cpu: torch.device) -> None:
    train = tiny_images["train"]
    batches = list(train.batches(cpu, size=7))
    assert [len(labels) for _, labels in batches] == [7] * 13 + [5]
    images, labels = everything(train, cpu)
    assert torch.equal(torch.cat([batch for batch, _ in batches]), images)
    assert torch.equal(torch.cat([batch for _, batch in batches]), labels)


def normalisations(root: Path, cache: Path, config: DistillConfig) -> tuple[Normalisation, Tensor, Tensor]:
    sides = real_images(prepare(index("FOLDER", root), seconds=0.5, cache_path=cache), config.feature)
    train, test = sides["train"], sides["test"]
    assert train.normalisation == test.normalisation
    return train.normalisation, torch.from_numpy(train.images[train.rows]), torch.from_numpy(test.images[test.rows])


def test_the_normalisation_comes_from_the_training_side_alone(
    tiny_prepared: Prepared, tiny_config: DistillConfig, tiny_folder: Callable[[Path, int], None], tmp_path: Path
) -> None:
    original, other = tmp_path / "original", tmp_path / "other"
    shutil.copytree(tiny_prepared.index.root, original)
    tiny_folder(other, 1)
    first, train, test = normalisations(original, tmp_path / "cache", tiny_config)
    assert first.mean == pytest.approx(float(train.double().mean()))
    assert first.std == pytest.approx(float(train.double().std(correction=0)))
    # The split goes by the files' names: the same ones are the test side.
    for clip in index("FOLDER", original).clips:
        if clip.split == "test":
            shutil.copy(other / clip.path.relative_to(original), clip.path)
    second, same_train, other_test = normalisations(original, tmp_path / "cache", tiny_config)
    assert not torch.equal(other_test, test)
    assert torch.equal(same_train, train)
    assert second == first


def test_images_are_computed_once(tiny_prepared: Prepared, tiny_config: DistillConfig) -> None:
    told: list[tuple[int, int]] = []
    config = tiny_config.feature.model_copy(update={"n_mels": 12})
    real_images(tiny_prepared, config, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (120, 120)
    told.clear()
    assert real_images(tiny_prepared, config)["train"].shape == (12, 32)
    assert not told


# It is worth something


@pytest.mark.real_data
def test_on_real_digits_one_track_a_class_beats_a_random_clip_by_more_than_the_spread(
    real_data: Path, tmp_path: Path, cpu: torch.device
) -> None:
    config = from_preset(DistillConfig, {"dataset": "FSDD", "preset": "quick", "ipc": 1, "steps": 120})
    prepared = prepare(index("FSDD", real_data / "fsdd"), seconds=config.seconds, cache_path=tmp_path)
    sides = real_images(prepared, config.feature)
    distiller = Distiller(config, sides["train"], classes=prepared.index.classes, device=cpu)
    finished(distiller)
    recipe = EvaluationConfig(evaluators=("random-cnn",), baselines=("random-selection",), steps=60)
    plan = [("random-cnn", "synthetic"), ("random-cnn", "random-selection")]
    ours, chance = evaluate(
        distiller.synthetic_set(),
        sides["train"],
        sides["test"],
        recipe,
        plan=plan,
        device=cpu,
        watch=lambda _what, _done: None,
    )
    assert min(ours.accuracy.runs) > max(chance.accuracy.runs)
    assert ours.accuracy.mean - chance.accuracy.mean > ours.accuracy.std + chance.accuracy.std
    assert chance.accuracy.mean > 0.15
