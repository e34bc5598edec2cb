"""Hearing: networks see the images of the sounds that tracks become, and sounds stay what a listener can be given."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.distill.audible import audible, image_of_sound
from distrack.distill.hearing import Hearing
from distrack.distill.sounds import exported, heard
from distrack.features import FEATURES, LOG_FLOOR
from distrack.images import RealImages
from distrack.inversion import QUICK

Images = Mapping[Split, RealImages]
Start = Callable[..., Distiller]

VOCODER: dict[str, Any] = {"domain": "waveform", "parameterisation": "vocoder", "factor": 8, "objective": "mmd"}


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def hearing(config: DistillConfig, images: Images, **changes: Any) -> Hearing:
    return Hearing(config.model_copy(update=changes), images["train"].normalisation, torch.device("cpu"))


def test_corrected_images_are_those_of_the_sounds_and_the_gradient_does_not_know(
    tiny_config: DistillConfig, tiny_images: Images
) -> None:
    ears, tracks = hearing(tiny_config, tiny_images), torch.arange(6)
    images = normal(6, 1, 16, 32).requires_grad_()
    assert torch.equal(ears.seen(images, tracks, 0), images), "nothing was heard yet"
    ears.listen(images.detach(), tracks, ears.corrections(6))
    silence = ears.normalisation.apply(torch.tensor(math.log(LOG_FLOOR)))
    sounds = image_of_sound(
        images.detach().maximum(silence), tiny_config.feature, ears.normalisation, samples=8_000, effort=QUICK
    )
    seen = ears.seen(images, tracks, 0)
    torch.testing.assert_close(seen, sounds)
    assert (seen - images).abs().max() > 0.1
    (gradient,) = torch.autograd.grad(seen.sum(), images)
    torch.testing.assert_close(gradient, (images > silence).float())
    # Some tracks have their own corrections, and both images and sounds are seen where both are a result.
    torch.testing.assert_close(ears.seen(images[4:], tracks[4:], 2), sounds[4:])
    assert torch.equal(ears.seen(images, tracks, 1), images)


@pytest.mark.parametrize("name", list(FEATURES))
def test_sounds_of_any_image_are_below_full_scale(name: str) -> None:
    bands = {} if name == "chromagram" else {"n_mels": 24}
    config = FEATURES.choice(name, n_fft=512, hop_length=256, **bands)
    shape = (3, 1, *config.shape(4_000))
    for images in (torch.zeros(shape), torch.full(shape, -1e4), 1e3 * normal(*shape), 1e30 * normal(*shape)):
        waves = audible(images, config, samples=4_000, effort=QUICK)
        assert waves.shape == (3, 4_000)
        assert waves.abs().max() <= 10 ** (-1 / 20) + 1e-4


def error_of(made: SyntheticSet, images: torch.Tensor) -> float:
    return float((heard(list(exported(made)), made) - images).square().mean().sqrt())


def test_a_vocoder_s_sounds_are_what_its_networks_see_and_what_is_exported(start: Start) -> None:
    distiller = start(**VOCODER, hearings=2, steps=6)
    list(distiller)
    made = distiller.synthetic_set()
    waves = made.render()
    assert waves.shape == (24, 8_000)
    assert waves.abs().max() <= 10 ** (-1 / 20) + 1e-4
    assert error_of(made, made.tracks()) < 0.02, "16 bits are all that a file changes"
    assert error_of(made, made.drawn()) > 0.1
    assert made.floats_per_class <= made.config.plan(3).budget == 8_001
    assert b"Griffin-Lim" in made.to_bytes()


@pytest.mark.parametrize("domain", ["spectral", "waveform"])
def test_a_state_holds_what_was_heard(start: Start, domain: str) -> None:
    form = VOCODER if domain == "waveform" else {"parameterisation": "dct", "factor": 4, "objective": "mmd"}
    settings = {**form, "hearings": 2, "tracks_per_step": 3, "regression": 1.0, "steps": 5}
    whole, stopped, resumed = (start(**settings) for _ in range(3))
    records = list(whole)
    drive = iter(stopped)
    assert "correction" not in stopped.state()
    # After the third step the tracks have moved since they were heard.
    assert [next(drive) for _ in range(3)] == records[:3]
    state = stopped.state()
    drive.close()  # type: ignore[attr-defined]
    assert state["correction"].any()
    resumed.resume(state)
    assert list(resumed) == records[3:]
    assert torch.equal(resumed.synthetic_set().parameters, whole.synthetic_set().parameters)
    deaf = start(**{**settings, "hearings": 0})
    list(deaf)
    assert not torch.equal(deaf.synthetic_set().parameters, whole.synthetic_set().parameters)


@pytest.mark.parametrize("domain", ["spectral", "waveform"])
def test_with_an_enormous_learning_rate_all_stays_a_number(start: Start, domain: str) -> None:
    form = VOCODER if domain == "waveform" else {"parameterisation": "dct", "factor": 4}
    distiller = start(**{**form, "hearings": 4, "learning_rate": 1000.0, "regression": 1.0, "steps": 5})
    list(distiller)
    assert distiller.state()["correction"].isfinite().all()
    assert distiller.synthetic_set().tracks().isfinite().all()
    assert len(list(exported(distiller.synthetic_set()))) == len(distiller.synthetic_set().labels)


def test_sounds_that_are_stored_as_samples_are_not_made_audible(start: Start) -> None:
    distiller = start(domain="waveform", hearings=1, steps=2)
    list(distiller)
    assert "correction" not in distiller.state()
