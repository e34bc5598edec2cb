"""Images of real clips: the feature of each clip once, one normalisation for all sides, no clip on two sides."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from distrack.audio import SAMPLE_RATE
from distrack.datasets import DATASETS, Prepared, index
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig
from distrack.features import FEATURES, Normalisation, build_feature
from distrack.images import Material, RealImages, class_means, load, load_cached

Images = Mapping[Split, RealImages]


def test_a_side_has_the_feature_of_its_own_clips_and_no_clip_is_on_two_sides(
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
    together = train.batch(np.arange(len(train)), cpu)
    torch.testing.assert_close(torch.cat([batch for batch, _ in batches]), together)
    assert torch.cat([labels for _, labels in batches]).tolist() == train.labels.tolist()


def test_class_means_are_those_of_each_class_whatever_the_batches(tiny_images: Images, cpu: torch.device) -> None:
    train = tiny_images["train"]
    expected = torch.stack([train.batch(train.of_class(label), cpu).mean(0) for label in range(3)])
    torch.testing.assert_close(class_means(train.batches(cpu, size=7), 3), expected, atol=1e-5, rtol=1e-5)
    with_an_empty_class = class_means(train.batches(cpu), 4)
    assert with_an_empty_class[3].abs().max() == 0
    with pytest.raises(ValueError, match="no images"):
        class_means([], 3)


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
    # The split depends on the files' names: the test side has the same ones.
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


def test_cached_images_are_those_that_were_computed_and_none_without_them(
    tiny_prepared: Prepared, tiny_config: DistillConfig
) -> None:
    root, feature = tiny_prepared.index.root, tiny_config.feature
    assert load_cached("FOLDER", root, seconds=0.3, feature=feature) is None
    made = load("FOLDER", root, seconds=0.3, feature=feature)
    cached = load_cached("FOLDER", root, seconds=0.3, feature=feature)
    assert cached is not None
    assert cached.train.fingerprint == made.train.fingerprint
    assert np.array_equal(cached.test.images, made.test.images)


@pytest.mark.parametrize("feature", list(FEATURES))
def test_bands_may_be_shifted_only_where_they_are_pitch_and_pitch_is_not_the_class(
    tiny_prepared: Prepared, monkeypatch: pytest.MonkeyPatch, feature: str
) -> None:
    def shift_bands() -> bool:
        config = FEATURES.choice(feature)
        root = tiny_prepared.index.root
        return load("FOLDER", root, seconds=0.5, feature=config).train.shift_bands

    assert shift_bands() == (feature in ("melspectrogram", "logmelspectrogram"))
    monkeypatch.setitem(DATASETS._entries, "FOLDER", replace(DATASETS["FOLDER"], pitch_is_class=True))
    assert not shift_bands()


def test_where_pitch_is_the_class_no_image_is_shifted_in_frequency(
    tiny_prepared: Prepared, tiny_config: DistillConfig, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {"seconds": 0.5, "feature": tiny_config.feature, "cache_path": tmp_path}
    usual = load("FOLDER", tiny_prepared.index.root, **arguments)
    pitched = load("FOLDER", tiny_prepared.index.root, **arguments, pitch_is_class=True)
    assert (usual.train.shift_bands, pitched.train.shift_bands, pitched.test.shift_bands) == (True, False, False)
    # Predictions of the one are not taken for those of the other.
    assert usual.train.fingerprint != pitched.train.fingerprint
    job = tiny_config.model_copy(update={"data_path": tiny_prepared.index.root, "pitch_is_class": True})
    assert not job.material(cache_path=tmp_path).train.shift_bands
