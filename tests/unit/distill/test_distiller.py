"""The distiller: it learns, gives the same bits again, and continues from any step."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, StepRecord
from distrack.distill.initialisations import INITIALISATIONS, Combinations
from distrack.distill.initialisations.real import random_real
from distrack.distill.regression import prediction_error
from distrack.errors import RunError
from distrack.evaluate import Bench, Measurement
from distrack.images import RealImages
from distrack.learning import Recipe
from distrack.networks import Network, NetworkConfig, build_network
from distrack.randomness import derived_seed

Images = Mapping[Split, RealImages]
Start = Callable[..., Distiller]


def finished(distiller: Distiller) -> tuple[list[StepRecord], Tensor]:
    return list(distiller), distiller.synthetic_set().parameters


def losses_of(records: list[StepRecord]) -> list[float]:
    """The losses, all of which are read on a CPU."""
    losses = [record.loss for record in records if record.loss is not None]
    assert len(losses) == len(records)
    return losses


PAPER = {"optimiser": "sgd", "learning_rate": 2.0, "schedule": "constant", "balance": "none", "pool": {"size": 0}}


# It learns


@pytest.mark.parametrize("settings", [{"ipc": 3}, PAPER])
def test_the_loss_goes_down(start: Start, settings: dict[str, Any]) -> None:
    records, _ = finished(start(initialisation="noise", steps=40, **settings))
    losses = losses_of(records)
    assert [record.step for record in records] == list(range(1, 41))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


def test_a_regression_moves_the_tracks_to_where_they_predict_the_clips(
    start: Start, tiny_images: Images, cpu: torch.device
) -> None:
    clips, labels = everything(tiny_images["train"], cpu)
    network = build_network(NetworkConfig(width=4, depth=2), shape=tiny_images["train"].shape, classes=3, seed=99)

    def error(distiller: Distiller) -> float:
        with torch.no_grad():
            real, tracks = network.embed(clips), network.embed(distiller.synthetic_set().tracks())
        return float(
            prediction_error(real[labels.argsort(stable=True)].unflatten(0, (3, -1)), tracks.unflatten(0, (3, -1)))
        )

    errors = {}
    for weight in (0.0, 30.0):
        distiller = start(initialisation="noise", steps=60, ipc=2, regression=weight)
        finished(distiller)
        errors[weight] = error(distiller)
    assert errors[30.0] < 0.8 * errors[0.0]


@pytest.mark.parametrize("changes", [{}, {"tracks_per_step": 2}, {"domain": "waveform"}])
def test_images_that_are_embedded_twice_have_the_same_gradient(
    start: Start, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    _, kept = finished(start(regression=1.0, ipc=4, **changes))
    monkeypatch.setattr("distrack.distill.distiller._NUMBERS_KEPT", 0)
    _, again = finished(start(regression=1.0, ipc=4, **changes))
    assert torch.equal(again, kept)


def test_a_gradient_that_is_not_a_number_ends_the_work_at_its_step(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_real: Tensor, synthetic: Tensor) -> Tensor:
        return synthetic.sum() * torch.nan

    monkeypatch.setattr("distrack.distill.distiller.prediction_error", broken)
    with pytest.raises(RunError, match="diverged at step 1"):
        finished(start(regression=1.0, steps=1))


def class_means(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        embeddings = network.embed(images)
    return torch.stack([embeddings[labels == label].mean(0) for label in range(int(labels.max()) + 1)])


def everything(side: RealImages, cpu: torch.device) -> tuple[Tensor, Tensor]:
    return side.batch(np.arange(len(side)), cpu), torch.from_numpy(side.labels)


def test_in_unseen_networks_the_class_means_of_tracks_approach_those_of_test_clips(
    start: Start, tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    distiller = start(steps=60, pool={"size": 0, "clips_per_class": 16})
    before = distiller.synthetic_set()
    finished(distiller)
    after = distiller.synthetic_set()
    for seed in range(5):
        unseen = build_network(
            tiny_config.network, shape=tiny_images["train"].shape, classes=3, seed=derived_seed(seed, "unseen")
        )
        real = class_means(unseen, *everything(tiny_images["test"], cpu))
        first, last = (
            (class_means(unseen, made.tracks(), made.labels) - real).square().sum() for made in (before, after)
        )
        assert last < 0.8 * first


@pytest.mark.parametrize("size", [0, 1])
def test_the_loss_is_the_squared_distance_of_class_means_in_units_of_their_spread(
    start: Start, tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device, size: int
) -> None:
    # Twice as many clips as a class has: all of them, twice.
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
def test_with_a_learning_rate_of_almost_zero_tracks_stay_the_clips_that_they_start_from(
    start: Start, tiny_images: Images, cpu: torch.device, initialisation: str
) -> None:
    distiller = start(ipc=3, learning_rate=1e-12, initialisation=initialisation, steps=2)
    _, parameters = finished(distiller)
    train = tiny_images["train"]
    chosen = INITIALISATIONS[initialisation](train, 3, 0)
    assert isinstance(chosen, np.ndarray)
    if initialisation == "real":
        assert np.array_equal(chosen, random_real(train, 3, 0))
    assert len(set(chosen.tolist())) == 9
    assert train.labels[chosen].tolist() == distiller.synthetic_set().labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    torch.testing.assert_close(parameters, train.batch(chosen, cpu), atol=1e-6, rtol=0)


def test_noise_has_the_deviation_of_normalised_images_and_differs_between_tracks(start: Start) -> None:
    tracks = start(ipc=8, initialisation="noise").synthetic_set().parameters
    assert abs(float(tracks.mean())) < 0.05
    assert float(tracks.std()) == pytest.approx(1, abs=0.05)
    assert len(tracks.unique(dim=0)) == 24


def test_draws_from_a_class_have_its_mean_and_covariance_and_are_near_no_clip(
    start: Start, tiny_images: Images, cpu: torch.device
) -> None:
    tracks = start(ipc=1000, initialisation="gaussian").synthetic_set().parameters.view(3, 1000, -1)
    for label in range(3):
        clips = tiny_images["train"].batch(tiny_images["train"].of_class(label), cpu).flatten(1)
        apart = clips - clips.mean(0)
        typical = float(apart.square().sum(1).mean().sqrt())
        assert float((tracks[label].mean(0) - clips.mean(0)).norm()) < 0.15 * typical
        axes = torch.linalg.svd(apart, full_matrices=False)[2][:5]
        spread = ((tracks[label] - clips.mean(0)) @ axes.T).std(0) / (apart @ axes.T).std(0)
        assert (spread - 1).abs().max() < 0.15
        # Clips are as far from each other as draws are from clips.
        between = torch.cdist(clips, clips).fill_diagonal_(torch.inf).amin(1).median()
        assert torch.cdist(tracks[label][:100], clips).amin(1).median() > 0.7 * between


def test_a_class_of_one_clip_has_that_clip_for_a_mean(tiny_images: Images) -> None:
    train = tiny_images["train"]
    first = np.array([train.of_class(label)[0] for label in range(3)])
    chosen = INITIALISATIONS["gaussian"](train.at(first), 2, 0)
    assert isinstance(chosen, Combinations)
    assert all(torch.equal(shares, torch.ones(2, 1)) for shares in chosen.shares)


def test_tracks_that_start_from_the_same_clip_differ_a_little(start: Start) -> None:
    # Twenty stored tracks are rendered to forty, but a class has only 32 clips.
    tracks = start(ipc=20, parameterisation="multiformation", factor=2).synthetic_set().render()
    for of_class in tracks.reshape(3, 40, -1):
        assert len(of_class.unique(dim=0)) == 40
        distances = torch.cdist(of_class[32:], of_class[:32])
        assert torch.equal(distances.argmin(1), torch.arange(8))
        assert (distances.amin(1) < 0.3 * distances.median(1).values).all()


@pytest.mark.parametrize("recipe", [{}, {"parameterisation": "dct", "factor": 2}, {"domain": "waveform"}], ids=str)
def test_a_class_with_fewer_clips_than_tracks_has_as_many_tracks(start: Start, recipe: dict[str, Any]) -> None:
    # A class has 32 clips.
    distiller = start(ipc=40, steps=2, initialisation="real", **recipe)
    records = list(distiller)
    assert len(records) == 2
    tracks = distiller.synthetic_set().render()
    for of_class in tracks.reshape(3, 40, -1):
        assert len(of_class.unique(dim=0)) == 40


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.038), ("constant", 1.0)])
def test_steps_shrink_as_the_schedule_demands(start: Start, schedule: str, last: float) -> None:
    # Adam moves every number by about the learning rate, in the first step by exactly that.
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


def test_a_step_moves_the_given_number_of_tracks_of_each_class_and_not_always_the_same(start: Start) -> None:
    settings = {"ipc": 4, "tracks_per_step": 2, "optimiser": {"name": "sgd", "momentum": 0.0}, "learning_rate": 1.0}
    distiller = start(**settings, schedule="constant", steps=12)
    before, counts = distiller.synthetic_set().parameters, torch.zeros(3, 4)
    for _ in distiller:
        after = distiller.synthetic_set().parameters
        moved = (after != before).flatten(1).any(1).view(3, 4)
        assert moved.sum(1).tolist() == [2, 2, 2]
        counts += moved
        before = after
    assert (counts > 0).all()


def test_with_more_tracks_per_step_than_there_are_all_are_moved(start: Start) -> None:
    records, parameters = finished(start(ipc=4, steps=3))
    for count in (4, 1000):
        again, same = finished(start(ipc=4, steps=3, tracks_per_step=count))
        assert again == records
        assert torch.equal(same, parameters)


def test_a_balanced_step_is_in_units_of_the_real_spread(
    start: Start, tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    # Every clip of a class is embedded, so that the spread can be computed from the dataset alone.
    settings = {"optimiser": {"name": "sgd", "momentum": 0.0}, "learning_rate": 0.5, "schedule": "constant", "steps": 1}
    steps, losses = {}, set()
    for balance in ("none", "spread"):
        distiller = start(**settings, balance=balance, pool={"size": 1, "clips_per_class": 32})
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
    # The reported loss is in these units in both cases.
    assert len(losses) == 1


# The same bits: on one machine, with the same config, whatever interrupts it


@pytest.mark.parametrize("settings", [{"initialisation": "noise"}, PAPER])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(start: Start, settings: dict[str, Any]) -> None:
    torch.manual_seed(1)
    records, parameters = finished(start(**settings, steps=4))
    torch.manual_seed(2)
    again, same = finished(start(**settings, steps=4))
    assert again == records
    assert torch.equal(same, parameters)
    others, other = finished(start(seed=1, **settings, steps=4))
    assert others != records
    assert not torch.equal(other, parameters)


@pytest.mark.parametrize(
    ("optimiser", "size", "stop"), [("adam", 3, 0), ("adam", 3, 1), ("sgd", 0, 5), ("adam", 0, 5), ("sgd", 3, 8)]
)
def test_resumed_at_any_step_it_ends_equal_to_one_that_was_not_interrupted(
    start: Start, optimiser: str, size: int, stop: int
) -> None:
    settings = {"optimiser": optimiser, "pool": {"size": size}, "ipc": 2}
    records, parameters = finished(start(**settings))
    stopped = start(**settings)
    drive = iter(stopped)
    assert [next(drive) for _ in range(stop)] == records[:stop]
    # A checkpoint is a safetensors file.
    state = safetensors.torch.load(safetensors.torch.save(stopped.state()))
    resumed = start(**settings)
    resumed.resume(state)
    rest, same = finished(resumed)
    assert rest == records[stop:]
    assert torch.equal(same, parameters)


def test_on_an_accelerator_only_some_losses_are_read(start: Start) -> None:
    records, parameters = finished(start(steps=45))
    elsewhere = start(steps=45)
    # Its tensors are on the CPU; it only takes the device for an accelerator when it decides whether to read a loss.
    elsewhere.device = torch.device("cuda")
    seldom, same = finished(elsewhere)
    assert [record.step for record in seldom] == list(range(1, 46))
    read = {record.step: record.loss for record in seldom if record.loss is not None}
    assert set(read) == {1, 20, 40, 45}
    # Operations run on another number of threads and round otherwise; the difference grows from step to step.
    assert read == pytest.approx({record.step: record.loss for record in records if record.step in read}, rel=1e-3)
    torch.testing.assert_close(same, parameters, atol=1e-2, rtol=0)


@pytest.mark.parametrize("ended", ["through", "closed", "failed"])
def test_the_number_of_threads_is_restored_however_the_iteration_ends(start: Start, ended: str) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        distiller = start()
        drive = distiller.__iter__()
        next(drive)
        # A second distiller begins later and ends earlier.
        list(start(seed=1, steps=1))
        if ended == "failed":
            state = distiller.state()
            state["parameters"] *= torch.nan
            distiller.resume(state)
            with pytest.raises(RunError, match="training diverged"):
                list(drive)
        elif ended == "closed":
            assert isinstance(drive, Generator)
            drive.close()
        else:
            list(drive)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_same_distiller_returns_to_an_earlier_state(start: Start) -> None:
    distiller = start()
    drive = iter(distiller)
    for _ in range(3):
        next(drive)
    state = distiller.state()
    records, parameters = finished(distiller)
    distiller.resume(state)
    again, same = finished(distiller)
    assert len(again) == 5
    assert again == records
    assert torch.equal(same, parameters)


def test_a_state_and_a_set_do_not_change_with_the_next_steps(start: Start) -> None:
    distiller = start()
    next(iter(distiller))
    state = distiller.state()
    copies = {name: value.clone() for name, value in state.items()}
    first = distiller.synthetic_set().parameters.clone()
    early = distiller.synthetic_set()
    finished(distiller)
    assert all(torch.equal(state[name], copies[name]) for name in copies)
    assert torch.equal(early.parameters, first)


def test_a_checkpoint_of_another_config_is_refused(start: Start) -> None:
    with pytest.raises(RunError, match="another config"):
        start(ipc=2).resume(start(ipc=1).state())


def test_a_loss_that_is_not_a_number_ends_it_with_a_reason(start: Start) -> None:
    # Instance norm keeps every step finite here, so the tracks themselves are made to overflow.
    distiller = start()
    state = distiller.state()
    state["parameters"] *= 1e38
    state["parameters"] *= 1e38
    distiller.resume(state)
    with pytest.raises(RunError, match=r"diverged at step 1. Lower the learning rate"):
        list(distiller)


@pytest.mark.parametrize(("steps", "snapshots"), [(600, 20), (7, 20), (1, 2), (8, 3)])
def test_snapshots_are_saved_from_the_start_to_the_end(steps: int, snapshots: int) -> None:
    saved = DistillConfig(steps=steps, snapshots=snapshots).snapshot_steps
    assert {0, steps} <= saved <= set(range(steps + 1))
    assert len(saved) == min(snapshots, steps + 1)


# Accuracy


@pytest.mark.real_data
def test_on_real_digits_one_track_per_class_beats_a_random_clip_by_more_than_the_spread(
    real_data: Path, tiny: Callable[..., DistillConfig], tmp_path: Path, cpu: torch.device
) -> None:
    # Every setting that decides the result is given, so that it does not change with the presets.
    config = tiny(
        **{"dataset": "FSDD", "data_path": real_data / "fsdd", "duration": 0.5, "steps": 40, "learning_rate": 0.15},
        **{"objective": "mmd", "parameterisation": "dct"},
        feature={"n_fft": 1024, "hop_length": 512, "n_mels": 64},
        network={"width": 8, "depth": 3},
        pool={"size": 8, "grow_every": 5, "clips_per_class": 20},
    )
    material = config.material(cache_path=tmp_path)
    distiller = Distiller(config, material.train, classes=material.classes, device=cpu)
    finished(distiller)
    recipe = Recipe(network=NetworkConfig(width=16), steps=60, epochs=1)
    bench = Bench(distiller.synthetic_set(), material.train, material.test, cpu)
    plan = [Measurement("random-cnn", trained_on, recipe) for trained_on in ("synthetic", "random-selection")]
    ours, chance = (line for line in bench.evaluate(plan) if line.finished)
    assert min(ours.accuracy.runs) > max(chance.accuracy.runs)
    assert ours.accuracy.mean - chance.accuracy.mean > ours.accuracy.std + chance.accuracy.std
    assert chance.accuracy.mean > 0.15
