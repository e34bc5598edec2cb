"""Initialisations: the clips that each selects, in the embedding that it compares them in, for any class and image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from distrack.distill.initialisations import INITIALISATIONS
from distrack.distill.initialisations.herding import herded
from distrack.distill.initialisations.k_means import medoids
from distrack.distill.initialisations.selection import embed, selection_network
from distrack.errors import ConfigError
from distrack.features import FEATURES, Normalisation
from distrack.images import RealImages, load

SELECTIONS = [name for name in INITIALISATIONS if name not in ("noise", "gaussian")]
every_selection = pytest.mark.parametrize("name", SELECTIONS)
by_embedding = pytest.mark.parametrize("name", ["herding", "k-means"])


def chosen(name: str, train: RealImages, count: int, seed: int = 0) -> list[int]:
    positions = INITIALISATIONS[name](train, count, seed)
    assert isinstance(positions, np.ndarray)
    assert positions.dtype == np.int64
    listed: list[int] = positions.tolist()
    return listed


def clips(images: np.ndarray[tuple[int, ...], np.dtype[np.float64]], labels: list[int]) -> RealImages:
    """Real clips of these images ``[n, bands, frames]``, on random rows among other clips of the dataset."""
    n = len(labels)
    rows = np.random.default_rng(7).permutation(2 * n)[:n]
    dataset = np.full((2 * n, 1, *images.shape[1:]), np.nan, dtype=np.float32)
    dataset[rows, 0] = images
    return RealImages(
        images=dataset,
        waveforms=np.zeros((2 * n, 8), dtype=np.float32),
        rows=rows,
        labels=np.array(labels),
        classes=max(labels) + 1,
        normalisation=Normalisation(mean=0.0, std=1.0),
    )


def random_clips(*counts: int, shape: tuple[int, int] = (16, 8), seed: int = 0) -> RealImages:
    """Unrelated images, the given number of each class, the classes mixed."""
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.repeat(np.arange(len(counts)), counts))
    return clips(draw.standard_normal((len(labels), *shape)), labels.tolist())


def embeddings_of(train: RealImages, label: int, seed: int) -> tuple[Tensor, list[int]]:
    members = train.of_class(label)
    return embed(train, members, selection_network(train.shape, train.classes, seed)), members.tolist()


# All selections


@every_selection
def test_a_selection_is_class_by_class_and_has_no_clip_twice(name: str) -> None:
    train = random_clips(9, 20, 12)
    for count in (1, 5, 9):
        positions = chosen(name, train, count)
        assert train.labels[positions].tolist() == [0] * count + [1] * count + [2] * count
        assert len(set(positions)) == 3 * count


@every_selection
def test_a_class_with_too_few_clips_gives_all_of_them_and_then_the_same_again(name: str) -> None:
    train = random_clips(3, 20)
    few = chosen(name, train, 8)[:8]
    assert set(few[:3]) == set(train.of_class(0).tolist())
    assert few == (few[:3] * 3)[:8]
    assert len(set(chosen(name, train, 8)[8:])) == 8


@every_selection
def test_a_selection_depends_on_its_seed_alone(name: str) -> None:
    train = random_clips(30, 30)
    torch.manual_seed(1)
    np.random.seed(1)
    first = chosen(name, train, 6)
    torch.manual_seed(2)
    np.random.seed(2)
    state = torch.get_rng_state()
    assert chosen(name, train, 6) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert chosen(name, train, 6, seed=1) != first


@every_selection
@pytest.mark.parametrize("shape", [(64, 5), (2, 2), (3, 100), (300, 400)])
def test_images_of_any_size_that_a_network_takes_can_be_selected(name: str, shape: tuple[int, int]) -> None:
    train = random_clips(6, 6, shape=shape)
    assert len(set(chosen(name, train, 4))) == 8


@every_selection
def test_of_equal_clips_different_ones_are_selected(name: str) -> None:
    train = clips(np.ones((12, 8, 8)), [0] * 12)
    assert len(set(chosen(name, train, 7))) == 7


@every_selection
def test_a_class_without_clips_is_named(name: str) -> None:
    train = clips(np.ones((4, 8, 8)), [0, 0, 2, 2])
    with pytest.raises(ConfigError, match="class number 1 has no training clips"):
        INITIALISATIONS[name](train, 2, 0)


def test_noise_selects_no_clips() -> None:
    assert INITIALISATIONS["noise"](random_clips(3), 2, 0) is None


# Random clips


def test_every_clip_can_be_selected() -> None:
    train = random_clips(6)
    assert {position for seed in range(40) for position in chosen("real", train, 2, seed)} == set(range(6))


# By embedding


@by_embedding
def test_in_a_large_class_only_some_clips_are_candidates_and_others_with_another_seed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distrack.distill.initialisations.selection._CANDIDATES", 10)
    seen: list[list[int]] = []

    def watched(train: RealImages, positions: np.ndarray[tuple[int], np.dtype[np.int64]], network: object) -> Tensor:
        seen.append(positions.tolist())
        return embed(train, positions, network)  # type: ignore[arg-type]

    monkeypatch.setattr("distrack.distill.initialisations.selection.embed", watched)
    train = random_clips(40, 7)
    assert set(chosen(name, train, 4)[:4]) <= set(seen[0])
    assert [len(looked) for looked in seen] == [10, 7]
    chosen(name, train, 4, seed=1)
    assert set(seen[2]) != set(seen[0])
    # There are never fewer candidates than clips to select.
    assert len(set(chosen(name, train, 30)[:30])) == 30


def test_embedding_in_parts_gives_the_same_embeddings(monkeypatch: pytest.MonkeyPatch) -> None:
    train = random_clips(10)
    network = selection_network(train.shape, 1, 0)
    whole = embed(train, np.arange(10), network)
    assert whole.dtype == torch.float32
    assert not whole.requires_grad
    monkeypatch.setattr("distrack.distill.initialisations.selection._PIXELS", 3 * 16 * 8)
    torch.testing.assert_close(embed(train, np.arange(10), network), whole)
    torch.testing.assert_close(embed(train, np.array([4]), network)[0], whole[4])


# Herding


@pytest.mark.parametrize("count", [1, 3, 10])
def test_the_mean_of_herded_clips_is_nearer_to_that_of_their_class_than_that_of_random_clips(count: int) -> None:
    train = random_clips(40, 40)
    gaps: dict[str, list[float]] = {"herding": [], "real": []}
    for seed in range(5):
        embeddings, members = embeddings_of(train, 1, seed)
        for name, of_seeds in gaps.items():
            rows = [members.index(position) for position in chosen(name, train, count, seed)[count:]]
            of_seeds.append(float((embeddings[rows].mean(0) - embeddings.mean(0)).norm()))
    assert all(herd < random for herd, random in zip(gaps["herding"], gaps["real"], strict=True))
    assert np.mean(gaps["herding"]) < 0.85 * np.mean(gaps["real"])


def test_each_herded_row_is_the_best_next_one() -> None:
    rows = torch.randn(30, 5, generator=torch.Generator().manual_seed(0)).double() + 3
    selected = herded(rows, 12)
    for k in range(12):
        gaps = {row: float((rows[[*selected[:k], row]].mean(0) - rows.mean(0)).norm()) for row in range(30)}
        left = {row: gap for row, gap in gaps.items() if row not in selected[:k]}
        assert selected[k] == min(left, key=left.__getitem__)
    assert herded(rows, 5) == selected[:5]


def test_all_rows_can_be_herded() -> None:
    assert sorted(herded(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), 8)) == list(range(8))


# Clusters


@pytest.mark.parametrize("seed", range(5))
def test_each_of_three_kinds_of_sound_in_a_class_has_one_clip(seed: int) -> None:
    draw = np.random.default_rng(0)
    kinds = draw.standard_normal((6, 16, 16))
    # One kind is rare: random clips would often miss it.
    of_clip = np.array([0] * 30 + [1] * 12 + [2] * 4 + [3] * 8 + [4] * 8 + [5] * 8)
    train = clips(kinds[of_clip] + 0.3 * draw.standard_normal((70, 16, 16)), [0] * 46 + [1] * 24)
    positions = chosen("k-means", train, 3, seed)
    assert sorted(of_clip[positions[:3]].tolist()) == [0, 1, 2]
    assert sorted(of_clip[positions[3:]].tolist()) == [3, 4, 5]


def test_a_medoid_is_the_row_nearest_to_the_middle_of_its_cluster() -> None:
    draw = torch.Generator().manual_seed(0)
    clusters = 20 * torch.eye(4)[:, None] + torch.randn(4, 25, 4, generator=draw)
    rows = sorted(medoids(clusters.flatten(0, 1), 4, draw))
    nearest = (clusters - clusters.mean(1, keepdim=True)).norm(dim=2).argmin(1) + 25 * torch.arange(4)
    assert rows == nearest.tolist()


def test_clusters_are_about_as_tight_as_those_of_scikit_learn() -> None:
    from sklearn.cluster import KMeans

    rows = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))

    def unexplained(centres: Tensor) -> float:
        return float(torch.cdist(rows, centres).square().min(1).values.sum())

    ours = [unexplained(rows[medoids(rows, 8, torch.Generator().manual_seed(seed))]) for seed in range(10)]
    theirs = []
    for seed in range(10):
        centres = torch.from_numpy(KMeans(8, n_init=1, random_state=seed).fit(rows.numpy()).cluster_centers_)
        theirs.append(unexplained(rows[torch.cdist(centres, rows).argmin(1)]))
    chance = [
        unexplained(rows[torch.randperm(200, generator=torch.Generator().manual_seed(seed))[:8]]) for seed in range(10)
    ]
    assert np.mean(ours) < 1.03 * np.mean(theirs)
    assert np.mean(ours) < 0.9 * np.mean(chance)


@pytest.mark.parametrize("different", [1, 2, 5])
def test_with_more_clusters_than_different_rows_there_are_still_as_many_rows(different: int) -> None:
    rows = torch.randn(different, 4, generator=torch.Generator().manual_seed(0))[torch.arange(12) % different]
    selected = medoids(rows, 7, torch.Generator())
    assert len(set(selected)) == 7
    assert len({row % different for row in selected}) == different


# On real recordings


@pytest.mark.real_data
def test_a_selection_of_real_digits_in_one_network_is_good_in_another(real_data: Path, tmp_path: Path) -> None:
    feature = FEATURES.choice("logmelspectrogram")
    train = load("FSDD", real_data / "fsdd", seconds=0.5, feature=feature, cache_path=tmp_path).train
    selections = {name: chosen(name, train, 10) for name in SELECTIONS}
    gaps, distances = dict.fromkeys(SELECTIONS, 0.0), dict.fromkeys(SELECTIONS, 0.0)
    network = selection_network(train.shape, train.classes, 1)
    for label in range(train.classes):
        embeddings = embed(train, train.of_class(label), network)
        for name, positions in selections.items():
            selected = embed(train, np.array(positions[10 * label : 10 * label + 10]), network)
            gaps[name] += float((selected.mean(0) - embeddings.mean(0)).square().sum())
            distances[name] += float(torch.cdist(embeddings, selected).square().min(1).values.mean())
    assert gaps["herding"] < 0.4 * gaps["real"]
    assert distances["k-means"] < 0.85 * distances["real"]
