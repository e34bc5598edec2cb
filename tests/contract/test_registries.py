"""What every registered thing keeps: whoever adds one finds here what is expected of it."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from distrack.datasets import Prepared
from distrack.datasets.contract import Split
from distrack.distill import PRESETS, DistillConfig, Distiller, RealImages, from_preset, real_images
from distrack.distill.initialisation import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.evaluate import BASELINES, EVALUATORS, EvaluationConfig
from distrack.evaluate.contract import TrainingSet
from distrack.features import FEATURES, FeatureConfig, build_feature
from distrack.inversion import INVERSIONS, invert
from distrack.networks import NETWORKS, NetworkConfig, build_network
from distrack.registry import canonical

Images = Mapping[Split, RealImages]

every_feature = pytest.mark.parametrize("name", list(FEATURES))
every_objective = pytest.mark.parametrize("name", list(OBJECTIVES))
every_parameterisation = pytest.mark.parametrize("name", list(PARAMETERISATIONS))
every_initialisation = pytest.mark.parametrize("name", list(INITIALISATIONS))
every_network = pytest.mark.parametrize("name", list(NETWORKS))
every_evaluator = pytest.mark.parametrize("name", list(EVALUATORS))
every_baseline = pytest.mark.parametrize("name", list(BASELINES))
every_preset = pytest.mark.parametrize("name", list(PRESETS))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "registry",
    [FEATURES, OBJECTIVES, PARAMETERISATIONS, INITIALISATIONS, NETWORKS, EVALUATORS, BASELINES, PRESETS],
    ids=lambda registry: registry.kind,
)
def test_names_are_as_typed(registry: Mapping[str, object]) -> None:
    names = list(registry)
    assert names
    for name in names:
        # Lower case and dashes: what an option of the command shows.
        assert name == name.lower().replace("_", "-").replace(" ", "-")
        assert canonical(name)


# Features and their inversions


def test_every_feature_has_an_inversion_and_no_inversion_is_without_its_feature() -> None:
    assert set(FEATURES) == set(INVERSIONS)


@every_feature
def test_a_feature_gives_images_of_the_shape_it_says(name: str) -> None:
    config = FeatureConfig(name=name, n_fft=512, hop_length=200, n_mels=24)
    for samples in (1_600, 8_000, 8_191):
        images = build_feature(config)(0.1 * normal(3, samples))
        assert images.shape == (3, 1, *config.shape(samples))
        assert images.dtype == torch.float32


@every_feature
def test_a_feature_of_a_clip_does_not_depend_on_its_batch(name: str) -> None:
    feature = build_feature(FeatureConfig(name=name))
    waves = 0.1 * normal(3, 4_000)
    torch.testing.assert_close(feature(waves)[1:2], feature(waves[1:2]), rtol=1e-4, atol=1e-5)


@every_feature
@pytest.mark.parametrize("scale", [0.0, 1e-6, 0.1, 1.0])
def test_a_feature_and_its_gradient_are_numbers_from_silence_to_full_scale(name: str, scale: float) -> None:
    waves = (scale * normal(2, 4_000).clamp(-1, 1)).requires_grad_()
    images = build_feature(FeatureConfig(name=name))(waves)
    (gradient,) = torch.autograd.grad((images * normal(*images.shape, seed=1)).sum(), waves)
    assert images.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient.any() or scale == 0


@every_feature
@pytest.mark.parametrize("kind", ["silence", "noise", "impossible"])
def test_an_inversion_gives_numbers_for_any_image(name: str, kind: str) -> None:
    config = FeatureConfig(name=name, n_fft=512, hop_length=256, n_mels=24)
    images = build_feature(config)({"silence": 0.0, "noise": 0.1, "impossible": 0.1}[kind] * normal(2, 4_000))
    if kind == "impossible":
        images = -3 * images
    waves = invert(images, config, samples=4_000)
    assert waves.shape == (2, 4_000)
    assert waves.dtype == torch.float32
    assert waves.isfinite().all()
    if kind == "noise":
        again = build_feature(config)(waves)
        assert torch.corrcoef(torch.stack([images.flatten(), again.flatten()]))[0, 1] > 0.9


# Objectives


@every_objective
def test_an_objective_is_zero_for_the_same_embeddings(name: str) -> None:
    embeddings = normal(4, 6, 10)
    distance = OBJECTIVES[name](embeddings, embeddings)
    assert distance.shape == (4,)
    torch.testing.assert_close(distance, torch.zeros(4), atol=1e-6, rtol=0)


@every_objective
def test_an_objective_is_positive_for_others_and_its_gradient_leads_nearer(name: str) -> None:
    real = normal(4, 6, 10)
    synthetic = (normal(4, 3, 10, seed=1) + 1).requires_grad_()
    distance = OBJECTIVES[name](real, synthetic)
    assert (distance > 0).all()
    (gradient,) = torch.autograd.grad(distance.sum(), synthetic)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).any(1).all()
    assert (OBJECTIVES[name](real, synthetic - 1e-2 * gradient) < distance).all()


@every_objective
def test_an_objective_keeps_classes_apart(name: str) -> None:
    real, synthetic = normal(3, 6, 10), normal(3, 2, 10, seed=1)
    together = OBJECTIVES[name](real, synthetic)
    alone = [OBJECTIVES[name](real[k : k + 1], synthetic[k : k + 1])[0] for k in range(3)]
    torch.testing.assert_close(together, torch.stack(alone))


@every_objective
def test_an_objective_takes_a_single_row_for_a_real_side_whose_mean_was_computed_before(name: str) -> None:
    distance = OBJECTIVES[name](normal(4, 1, 10), normal(4, 3, 10, seed=1))
    assert distance.shape == (4,)
    assert (distance > 0).all()


# Parameterisations, initialisations, networks


@every_parameterisation
def test_a_parameterisation_renders_the_real_tracks_that_it_stored(
    tiny_images: Images, cpu: torch.device, name: str
) -> None:
    tracks = tiny_images["train"].batch(np.arange(0, 96, 8), cpu)
    kind = PARAMETERISATIONS[name]
    parameters = kind.store(tracks).clone().requires_grad_()
    rendered = kind.render(parameters)
    assert rendered.shape[1:] == tracks.shape[1:]
    assert rendered.shape[0] % tracks.shape[0] == 0
    if rendered.shape == tracks.shape:
        assert (rendered - tracks).square().mean() < 0.5 * tracks.var()
    (gradient,) = torch.autograd.grad(rendered.square().sum(), parameters)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).any(1).all()


def test_the_identity_stores_tracks_as_they_are() -> None:
    tracks = normal(6, 1, 16, 32)
    kind = PARAMETERISATIONS["identity"]
    assert torch.equal(kind.store(tracks), tracks)
    assert torch.equal(kind.render(kind.store(tracks)), tracks)


@every_initialisation
def test_an_initialisation_gives_every_class_its_tracks_and_belongs_to_its_seed(tiny_images: Images, name: str) -> None:
    initialisation = INITIALISATIONS[name]
    torch.manual_seed(1)
    tracks = initialisation(tiny_images["train"], 3, 0)
    assert tracks.shape == (9, 1, *tiny_images["train"].shape)
    assert tracks.isfinite().all()
    # As a network sees them: about as large as a normalised image.
    assert 0.3 < float(tracks.std()) < 3
    torch.manual_seed(2)
    assert torch.equal(tracks, initialisation(tiny_images["train"], 3, 0))
    assert len(tracks.unique(dim=0)) == 9


@every_network
@pytest.mark.parametrize("shape", [(16, 32), (17, 33), (64, 16)])
def test_a_network_embeds_and_classifies(name: str, shape: tuple[int, int]) -> None:
    network = build_network(NetworkConfig(name=name, width=4, depth=2), shape=shape, classes=5, seed=0)
    images = normal(3, 1, *shape).requires_grad_()
    embeddings, logits = network.embed(images), network(images)
    assert embeddings.shape == (3, network.head.in_features)
    assert logits.shape == (3, 5)
    assert embeddings.isfinite().all()
    # Distillation needs the gradient at the image, and every image an embedding of its own.
    (gradient,) = torch.autograd.grad(embeddings.square().sum(), images)
    assert gradient.flatten(1).any(1).all()
    assert len(embeddings.detach().unique(dim=0)) == 3


@every_network
def test_a_network_learns_a_handful_of_images_by_heart(name: str) -> None:
    network = build_network(NetworkConfig(name=name, width=4, depth=2), shape=(16, 16), classes=3, seed=0)
    images, labels = normal(6, 1, 16, 16), torch.arange(3).repeat(2)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(images), labels).backward()
        optimiser.step()
    assert torch.equal(network(images).argmax(1), labels)


# Evaluators and baselines


@every_evaluator
def test_an_evaluator_names_a_class_for_every_test_clip_and_says_when_it_is_through(
    tiny_config: DistillConfig, tiny_images: Images, cpu: torch.device, name: str
) -> None:
    distiller = Distiller(tiny_config, tiny_images["train"], classes=("a", "b", "c"), device=cpu)
    tracks = TrainingSet.of_tracks(distiller.synthetic_set())
    told: list[tuple[int, int]] = []
    config = EvaluationConfig(network=NetworkConfig(width=4, depth=2), steps=3, epochs=1)
    found = EVALUATORS[name](
        tracks,
        tiny_images["test"],
        config,
        seed=0,
        device=cpu,
        progress=lambda done, total: told.append((done, total)),
    )
    assert found.shape == (24,)
    assert found.dtype == torch.int64
    assert set(found.tolist()) <= {0, 1, 2}
    done, total = told[-1]
    assert done == total > 0


@every_baseline
def test_a_baseline_has_clips_of_every_class_and_runs_in_each_of_its_evaluators(
    tiny_images: Images, cpu: torch.device, name: str
) -> None:
    baseline = BASELINES[name]
    assert baseline.evaluators
    training = baseline.choose(tiny_images["train"], 2, 0)
    assert set(training.labels.tolist()) == {0, 1, 2}
    images = training.images(np.arange(len(training)), cpu)
    assert images.shape == (len(training), 1, 16, 32)
    config = EvaluationConfig(network=NetworkConfig(width=4, depth=2), steps=20, epochs=1)
    for evaluator in baseline.evaluators:
        found = EVALUATORS[evaluator](
            training, tiny_images["test"], config, seed=0, device=cpu, progress=lambda _done, _total: None
        )
        assert (found.numpy() == tiny_images["test"].labels).mean() > 0.5


# Presets


@every_preset
def test_a_preset_is_a_valid_config_that_runs(tiny_prepared: Prepared, cpu: torch.device, name: str) -> None:
    asked = {"preset": name, "dataset": "FOLDER"}
    whole = from_preset(DistillConfig, asked)
    assert whole.preset == name
    assert DistillConfig.model_validate_json(whole.model_dump_json()) == whole
    cheap = {"duration": 0.5, "steps": 2, "network": {"width": 4}, "pool": {"clips_per_class": 4}}
    config = from_preset(DistillConfig, {**asked, **cheap})
    assert config.feature == whole.feature
    assert config.network.depth == whole.network.depth
    train = real_images(tiny_prepared, config.feature)["train"]
    distiller = Distiller(config, train, classes=tiny_prepared.index.classes, device=cpu)
    before = distiller.synthetic_set()
    records = list(distiller)
    after = distiller.synthetic_set()
    assert [record.step for record in records] == [1, 2]
    assert all(np.isfinite(record.loss) for record in records)
    assert not torch.equal(before.parameters, after.parameters)
    assert after.parameters.isfinite().all()
