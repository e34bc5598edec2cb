"""The same-storage control: real clips in the tracks' storage, as images and as sounds."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from distrack.audio import SAMPLE_RATE, flac_bytes
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.distill.sounds import decoded, exported, heard
from distrack.evaluate import BASELINES, Accuracy, Comparison, Evaluation, comparisons, training_set_of
from distrack.images import RealImages

Images = Mapping[Split, RealImages]
CONTROLS = [name for name in BASELINES if BASELINES[name].is_stored]


def start(config: DistillConfig, images: Images, cpu: torch.device) -> SyntheticSet:
    """The set before the first step."""
    return Distiller(config, images["train"], classes=("chirp", "noise", "tone"), device=cpu).synthetic_set()


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.parametrize(
    "stored",
    [
        {"parameterisation": "dct", "factor": 4},
        {"parameterisation": "multiformation", "factor": 2},
        {"domain": "waveform", "parameterisation": "mdct"},
        {"ipc": 2},
        {"domain": "waveform", "parameterisation": "vocoder", "factor": 8},
    ],
)
def test_a_control_takes_the_storage_of_the_tracks_and_holds_as_many(
    tiny: Callable[..., DistillConfig], tiny_images: Images, cpu: torch.device, name: str, stored: dict[str, Any]
) -> None:
    like = start(tiny(initialisation="noise", **stored), tiny_images, cpu)
    control = BASELINES[name].choose(tiny_images["train"], like, 0)
    assert isinstance(control, SyntheticSet)
    assert control.floats_per_class == like.floats_per_class
    assert torch.equal(control.labels, like.labels)
    assert control.tracks().shape == like.tracks().shape
    other = BASELINES[name].choose(tiny_images["train"], like, 1)
    assert isinstance(other, SyntheticSet)
    assert not torch.equal(control.tracks(), other.tracks()), "another seed, other clips"


def test_whole_tracks_hold_real_clips_exactly_and_fewer_numbers_come_near(
    tiny: Callable[..., DistillConfig], tiny_images: Images, cpu: torch.device
) -> None:
    train = tiny_images["train"]
    clips = torch.cat([images for images, _ in train.batches(cpu)]).flatten(1)

    def nearest(**stored: Any) -> torch.Tensor:
        control = BASELINES["same-storage"].choose(train, start(tiny(**stored), tiny_images, cpu), 0)
        assert isinstance(control, SyntheticSet)
        distances: torch.Tensor = torch.cdist(control.tracks().flatten(1), clips).min(1).values
        share: torch.Tensor = distances / clips.norm(dim=1).mean()
        return share

    assert nearest(ipc=2).max() < 1e-3
    coarse = nearest(ipc=2, parameterisation="dct", factor=8)
    assert coarse.min() > 1e-3
    assert coarse.max() < 0.9


def test_a_sound_is_analysed_as_it_was_exported(synthetic: SyntheticSet, tiny_images: Images) -> None:
    files = list(exported(synthetic))
    assert files == list(exported(synthetic)), "the same bytes, however often"
    assert [len(wave) for wave in decoded(files)] == [round(synthetic.config.seconds * SAMPLE_RATE)] * len(files)
    seen = heard(files, synthetic)
    assert seen.shape == synthetic.tracks().shape
    assert not torch.equal(seen, synthetic.tracks())
    # Nearly the image again, at its own level.
    error = (seen - synthetic.tracks()).square().mean().sqrt()
    louder = [flac_bytes(np.clip(wave * 10**0.5, -1, 1).astype(np.float32)) for wave in decoded(files)]
    assert error < 0.5 * (heard(louder, synthetic) - synthetic.tracks()).square().mean().sqrt()
    presented = training_set_of(synthetic, tiny_images["train"], sounds=files)
    assert torch.equal(presented.labels, synthetic.labels)


def test_what_distillation_adds_is_the_difference_to_the_control_in_the_same_form() -> None:
    def line(trained_on: str, accuracy: float, form: str = "image", evaluator: str = "random-cnn") -> Evaluation:
        return Evaluation(
            evaluator=evaluator,
            trained_on=trained_on,
            network="n",
            form=form,
            accuracy=Accuracy.of([accuracy]),
            macro_f1=accuracy,
            confusion=((1,),),
        )

    (one,) = comparisons(
        [
            line("synthetic", 0.875),
            line("synthetic", 0.75, "sound"),
            line("same-storage", 0.625),
            line("same-storage", 0.5, "sound"),
            line("random-selection", 0.375),
            line("full", 1.0),
            line("synthetic", 0.75, evaluator="random-cnn-plain"),
            line("random-selection", 0.25, evaluator="random-cnn-plain"),
        ]
    )[:1]
    assert (one.added, one.added_as_sound, one.gain, one.lost) == (0.25, 0.25, 0.5, 0.125)
    # Improvements over random of 0.5 with and without augmentation: (e^0.5 - e^-1) / (e - e^-1).
    assert one.augmentation_robust_score == pytest.approx(0.5449, abs=1e-4)
    (heard_alone,) = comparisons([line("synthetic", 0.75, "sound"), line("same-storage", 0.5, "sound")])
    assert (heard_alone.tracks, heard_alone.added) == (heard_alone.sound, 0.25)
    none = Comparison("random-cnn", "n", Accuracy.of([0.5]))
    assert (none.added, none.added_as_sound, none.gain, none.augmentation_robust_score) == (None,) * 4
