"""Distillation: it learns, it repeats itself to the bit, it goes on where it stopped, and real clips stay real."""

import shutil
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.datasets import Prepared, index
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, StepRecord
from distrack.distill.initialisations import INITIALISATIONS
from distrack.distill.initialisations.real import random_selection
from distrack.errors import ConfigError, RunError
from distrack.evaluate import EvaluationConfig, evaluate, measurements
from distrack.features import Normalisation, build_feature
from distrack.images import Material, RealImages, load
from distrack.networks import Network, build_network
from distrack.randomness import derived_seed

Images = Mapping[Split, RealImages]
Start = Callable[..., Distiller]


def finished(distiller: Distiller) -> tuple[list[StepRecord], Tensor]:
    return list(distiller), distiller.synthetic_set().parameters


def losses_of(records: list[StepRecord]) -> list[float]:
    """On the CPU every one of them is read."""
    found = [record.loss for record in records if record.loss is not None]
    assert len(found) == len(records)
    return found


PAPER = {"optimiser": "sgd", "learning_rate": 2.0, "schedule": "constant", "balance": "none", "pool": {"size": 0}}


# It learns


@pytest.mark.parametrize("asked", [{}, PAPER, {"optimiser": "sgd", "learning_rate": 20.0}, {"ipc": 3}])
def test_the_loss_goes_down(start: Start, asked: dict[str, Any]) -> None:
    records, _ = finished(start(initialisation="noise", steps=60, **asked))
    losses = losses_of(records)
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


@pytest.mark.parametrize("initialisation", ["real", "herding", "k-means"])
def test_at_a_step_size_of_nearly_nothing_a_start_from_clips_stays_those_clips(
    start: Start, tiny_images: Images, cpu: torch.device, initialisation: str
) -> None:
    distiller = start(ipc=3, learning_rate=1e-12, initialisation=initialisation)
    _, parameters = finished(distiller)
    train = tiny_images["train"]
    chosen = INITIALISATIONS[initialisation].select(train, 3, 0)
    assert chosen is not None
    if initialisation == "real":
        assert np.array_equal(chosen, random_selection(train, 3, 0))
    assert len(set(chosen.tolist())) == 9
    assert train.labels[chosen].tolist() == distiller.synthetic_set().labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    torch.testing.assert_close(parameters, train.batch(chosen, cpu), atol=1e-6, rtol=0)


def test_noise_is_as_large_as_normalised_images_and_each_track_s_own(start: Start) -> None:
    tracks = start(ipc=8, initialisation="noise").synthetic_set().parameters
    assert abs(float(tracks.mean())) < 0.05
    assert float(tracks.std()) == pytest.approx(1, abs=0.05)
    assert len(tracks.unique(dim=0)) == 24


def test_tracks_that_start_from_the_same_clip_are_told_apart_and_stay_near_it(start: Start) -> None:
    # Twenty stored tracks hold two each: forty, where there are 32 clips.
    tracks = start(ipc=20, parameterisation="multiformation", factor=2).synthetic_set().render()
    for of_class in tracks.reshape(3, 40, -1):
        assert len(of_class.unique(dim=0)) == 40
        distances = torch.cdist(of_class[32:], of_class[:32])
        assert torch.equal(distances.argmin(1), torch.arange(8))
        assert (distances.amin(1) < 0.3 * distances.median(1).values).all()


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


@pytest.mark.parametrize("some", [1, 2])
def test_a_step_moves_as_many_tracks_of_each_class_as_asked_and_not_always_the_same(start: Start, some: int) -> None:
    asked = {"ipc": 4, "tracks_per_step": some, "optimiser": {"name": "sgd", "momentum": 0.0}, "learning_rate": 1.0}
    distiller = start(**asked, schedule="constant", steps=12)
    before, counts = distiller.synthetic_set().parameters, torch.zeros(3, 4)
    for _ in distiller:
        after = distiller.synthetic_set().parameters
        moved = (after != before).flatten(1).any(1).view(3, 4)
        assert moved.sum(1).tolist() == [some, some, some]
        counts += moved
        before = after
    assert (counts > 0).all()


@pytest.mark.parametrize("some", [4, 1000])
def test_as_many_tracks_a_step_as_there_are_is_all_of_them(start: Start, some: int) -> None:
    records, parameters = finished(start(ipc=4))
    again, same = finished(start(ipc=4, tracks_per_step=some))
    assert again == records
    assert torch.equal(same, parameters)


def test_a_balanced_step_is_one_in_units_of_the_real_spread(
    start: Start, tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    # Every clip of a class, so that the spread can be computed from the dataset alone.
    asked = {"optimiser": {"name": "sgd", "momentum": 0.0}, "learning_rate": 0.5, "schedule": "constant", "steps": 1}
    steps, losses = {}, set()
    for balance in ("none", "spread"):
        distiller = start(**asked, balance=balance, pool={"size": 1, "clips_per_class": 32})
        before = distiller.synthetic_set().parameters
        records, after = finished(distiller)
        steps[balance] = after - before
        losses.add(records[0].loss)
    network = build_network(
        tiny_config.network, shape=tiny_images["train"].shape, classes=3, seed=derived_seed(0, "network", 0)
    )
    means = class_means(network, *everything(tiny_images["train"], cpu))
    spread = (means - means.mean(0)).square().sum()
    assert (steps["none"] - steps["spread"] * spread).norm() < 1e-4 * steps["none"].norm()
    assert abs(float(spread) - 1) > 0.1
    # What is reported is in these units either way.
    assert len(losses) == 1


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


def test_on_an_accelerator_only_some_losses_are_read_and_the_tracks_are_the_same(start: Start) -> None:
    records, parameters = finished(start(steps=45))
    elsewhere = start(steps=45)
    # Its tensors are on the CPU; only what it takes its device for decides whether it reads a loss.
    elsewhere.device = torch.device("cuda")
    seldom, same = finished(elsewhere)
    assert [record.step for record in seldom] == list(range(1, 46))
    read = {record.step: record.loss for record in seldom if record.loss is not None}
    assert {1, 20, 40, 45} == set(read)
    # On an accelerator all classes are one group: the sums are rounded otherwise.
    assert read == pytest.approx({record.step: record.loss for record in records if record.step in read}, rel=1e-4)
    torch.testing.assert_close(same, parameters, atol=1e-3, rtol=0)


@pytest.mark.parametrize("ended", ["through", "closed", "failed"])
def test_who_drives_it_has_as_many_threads_afterwards_as_before(start: Start, ended: str) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        distiller = start()
        drive = distiller.__iter__()
        next(drive)
        # Another one beside it, begun later and ended earlier.
        list(start(seed=1))
        if ended == "failed":
            state = distiller.state()
            state["parameters"] *= torch.nan
            distiller.resume(state)
            with pytest.raises(RunError, match="not a number"):
                list(drive)
        elif ended == "closed":
            assert isinstance(drive, Generator)
            drive.close()
        else:
            list(drive)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


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
    material = load("FOLDER", root, seconds=0.5, feature=config.feature, cache_path=cache)
    train, test = material.train, material.test
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


def test_clips_are_decoded_and_images_computed_once(
    tiny_prepared: Prepared, tiny_config: DistillConfig, tmp_path: Path
) -> None:
    calls: list[tuple[int, int, str]] = []
    feature = tiny_config.feature.model_copy(update={"n_mels": 12})

    def loaded() -> Material:
        return load(
            "FOLDER",
            tiny_prepared.index.root,
            seconds=0.5,
            feature=feature,
            cache_path=tmp_path,
            progress=lambda done, total, detail: calls.append((done, total, detail)),
        )

    loaded()
    assert {(120, 120, "decoding"), (120, 120, "computing features")} <= set(calls)
    calls.clear()
    assert loaded().train.shape == (12, 32)
    assert not calls


# It is worth something


@pytest.mark.real_data
def test_on_real_digits_one_track_a_class_beats_a_random_clip_by_more_than_the_spread(
    real_data: Path, tiny: Callable[..., DistillConfig], tmp_path: Path, cpu: torch.device
) -> None:
    # Every number that decides the result is said, so that it does not change as the presets are tuned.
    config = tiny(
        **{"dataset": "FSDD", "data_path": real_data / "fsdd", "duration": 1.0, "steps": 200},
        feature={"n_fft": 1024, "hop_length": 512, "n_mels": 64},
        network={"width": 16, "depth": 3},
        pool={"size": 32, "grow_every": 10, "clips_per_class": 50},
    )
    material = config.material(cache_path=tmp_path)
    distiller = Distiller(config, material.train, classes=material.classes, device=cpu)
    finished(distiller)
    recipe = EvaluationConfig(evaluators=("random-cnn",), baselines=("random-selection",), steps=60)
    ours, chance = evaluate(
        distiller.synthetic_set(),
        material.train,
        material.test,
        measurements(recipe),
        device=cpu,
        progress=lambda _what, _done: None,
    )
    assert min(ours.accuracy.runs) > max(chance.accuracy.runs)
    assert ours.accuracy.mean - chance.accuracy.mean > ours.accuracy.std + chance.accuracy.std
    assert chance.accuracy.mean > 0.15
