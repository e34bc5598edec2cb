"""A training continues bit for bit, whatever phase it was stopped in."""

from itertools import islice

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose.siam.training import Trainer, TrainingConfig

CONFIG = TrainingConfig(timbre_steps=4, scene_steps=3, recording_steps=3, recordings=2)


def recordings() -> list[Floats]:
    time = np.arange(8_000) / 16_000
    return [
        np.asarray(0.4 * np.exp(-5 * time) * np.sin(2 * np.pi * pitch * time), np.float32) for pitch in (220, 330, 440)
    ]


@pytest.mark.usefixtures("small")
def test_a_training_that_was_stopped_anywhere_ends_equal() -> None:
    whole = Trainer(CONFIG, recordings())
    steps = list(whole)
    assert [step.phase for step in steps] == ["timbres"] * 4 + ["scenes"] * 3 + ["hear"] * 2 + ["recordings"] * 3
    assert all(step.loss is None or np.isfinite(step.loss) for step in steps)
    for done in (2, 4, 6, 8, 10):
        first, second = Trainer(CONFIG, recordings()), Trainer(CONFIG, recordings())
        for _ in islice(first, done):
            pass
        second.restore(dict(first.state()))
        assert list(second) == steps[done:]
        assert second.model.to_bytes() == whole.model.to_bytes()


@pytest.mark.usefixtures("small")
def test_without_recordings_it_learns_from_synthetic_scenes_alone() -> None:
    trainer = Trainer(CONFIG)
    before = trainer.model.to_bytes()
    assert {step.phase for step in trainer} == {"timbres", "scenes"}
    assert trainer.model.to_bytes() != before


@pytest.mark.usefixtures("small")
def test_another_seed_gives_another_model_and_torchs_own_numbers_stay() -> None:
    import torch

    before = torch.random.get_rng_state()
    one, other = (Trainer(CONFIG.model_copy(update={"seed": seed})) for seed in (0, 1))
    assert one.model.to_bytes() != other.model.to_bytes()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.usefixtures("small")
def test_timbres_are_learnt() -> None:
    losses = [step.loss for step in Trainer(TrainingConfig(timbre_steps=200, scene_steps=1)) if step.phase == "timbres"]
    assert np.mean(losses[-20:]) < 0.6 * np.mean(losses[:5])  # type: ignore[arg-type]
