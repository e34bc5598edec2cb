"""What every registered thing keeps: whoever adds one finds here what is expected of it."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from distrack.datasets.clips import Split
from distrack.distill import PRESETS, DistillConfig, Distiller, SyntheticSet
from distrack.distill.domains import DOMAINS
from distrack.distill.initialisations import INITIALISATIONS, Combinations
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.optimisers import OPTIMISERS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.evaluate import BASELINES, EVALUATORS, EvaluationConfig, Trial, training_set_of
from distrack.features import FEATURES, FeatureConfig, build_feature
from distrack.images import Material, RealImages
from distrack.inversion import INVERSIONS, invert
from distrack.learning import TrainingSet
from distrack.networks import NETWORKS, NetworkConfig, build_network
from distrack.registry import canonical
from distrack.validation import from_preset

Images = Mapping[Split, RealImages]

every_feature = pytest.mark.parametrize("name", list(FEATURES))
every_objective = pytest.mark.parametrize("name", list(OBJECTIVES))
every_parameterisation = pytest.mark.parametrize("name", list(PARAMETERISATIONS))
every_initialisation = pytest.mark.parametrize("name", list(INITIALISATIONS))
every_network = pytest.mark.parametrize("name", list(NETWORKS))
every_evaluator = pytest.mark.parametrize("name", list(EVALUATORS))
every_baseline = pytest.mark.parametrize("name", list(BASELINES))
every_domain = pytest.mark.parametrize("domain", list(DOMAINS))
every_preset = pytest.mark.parametrize("name", list(PRESETS))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "registry",
    [
        *(FEATURES, DOMAINS, PARAMETERISATIONS, INITIALISATIONS, OBJECTIVES, NETWORKS, OPTIMISERS),
        *(EVALUATORS, BASELINES, PRESETS),
    ],
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
    bands = {} if name == "chromagram" else {"n_mels": 24}
    config = FEATURES.choice(name, n_fft=512, hop_length=200, **bands)
    for samples in (1_600, 8_000, 8_191):
        images = build_feature(config)(0.1 * normal(3, samples))
        assert images.shape == (3, 1, *config.shape(samples))
        assert images.dtype == torch.float32


@every_feature
def test_a_feature_of_a_clip_does_not_depend_on_its_batch(name: str) -> None:
    feature = build_feature(FEATURES.choice(name))
    waves = 0.1 * normal(3, 4_000)
    torch.testing.assert_close(feature(waves)[1:2], feature(waves[1:2]), rtol=1e-4, atol=1e-5)


@every_feature
@pytest.mark.parametrize("scale", [0.0, 1e-6, 0.1, 1.0])
def test_a_feature_and_its_gradient_are_numbers_from_silence_to_full_scale(name: str, scale: float) -> None:
    waves = (scale * normal(2, 4_000).clamp(-1, 1)).requires_grad_()
    images = build_feature(FEATURES.choice(name))(waves)
    (gradient,) = torch.autograd.grad((images * normal(*images.shape, seed=1)).sum(), waves)
    assert images.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient.any() or scale == 0


@every_feature
@pytest.mark.parametrize("kind", ["silence", "noise", "impossible"])
def test_an_inversion_gives_numbers_for_any_image(name: str, kind: str) -> None:
    bands = {} if name == "chromagram" else {"n_mels": 24}
    config = FEATURES.choice(name, n_fft=512, hop_length=256, **bands)
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
    distance = OBJECTIVES[name].distance(embeddings, embeddings, torch.Generator())
    assert distance.shape == (4,)
    torch.testing.assert_close(distance, torch.zeros(4), atol=1e-6, rtol=0)


@every_objective
def test_an_objective_is_positive_for_others_and_its_gradient_leads_nearer(name: str) -> None:
    real = normal(4, 6, 10)
    synthetic = (normal(4, 3, 10, seed=1) + 1).requires_grad_()
    distance = OBJECTIVES[name].distance(real, synthetic, torch.Generator())
    assert (distance > 0).all()
    (gradient,) = torch.autograd.grad(distance.sum(), synthetic)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).any(1).all()
    assert (OBJECTIVES[name].distance(real, synthetic - 1e-2 * gradient, torch.Generator()) < distance).all()


@every_objective
def test_an_objective_keeps_classes_apart(name: str) -> None:
    real, synthetic = normal(3, 6, 10), normal(3, 2, 10, seed=1)
    distance = OBJECTIVES[name].distance
    together = distance(real, synthetic, torch.Generator())
    alone = [distance(real[k : k + 1], synthetic[k : k + 1], torch.Generator())[0] for k in range(3)]
    torch.testing.assert_close(together, torch.stack(alone))


@every_objective
def test_an_objective_draws_from_nothing_but_the_draws_of_its_step(name: str) -> None:
    real, synthetic = normal(3, 6, 10), normal(3, 2, 10, seed=1)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = OBJECTIVES[name].distance(real, synthetic, torch.Generator().manual_seed(5))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(OBJECTIVES[name].distance(real, synthetic, torch.Generator().manual_seed(5)), first)


@every_objective
def test_an_objective_takes_a_single_row_for_its_real_side(name: str) -> None:
    real, synthetic = normal(4, 6, 10), normal(4, 3, 10, seed=1)
    whole = OBJECTIVES[name].distance(real, synthetic, torch.Generator())
    row = OBJECTIVES[name].distance(real.mean(1, keepdim=True), synthetic, torch.Generator())
    assert row.shape == (4,)
    assert (row > 0).all()
    # Whether that says all there is to say is what it declares.
    assert torch.allclose(row, whole, rtol=1e-4) == (OBJECTIVES[name].real == "mean")


# Parameterisations, initialisations, networks


@every_parameterisation
@every_domain
def test_a_parameterisation_renders_the_real_tracks_that_it_stored(
    tiny_images: Images, tiny: Callable[..., DistillConfig], name: str, domain: str
) -> None:
    train = tiny_images["train"]
    if domain not in PARAMETERISATIONS[name].domains:
        return
    config = tiny(domain=domain, parameterisation=name, ipc=2)
    view, form = config.domain_of(train.normalisation), config.form(3)
    each = form.tracks(32)
    positions = np.concatenate([train.of_class(label)[:each] for label in range(3)])
    tracks = view.clips(train, positions)
    assert tracks.shape == (3 * each, *view.size)
    before = tracks.clone()
    kept = form.store(tracks, lambda: iter([(tracks, torch.from_numpy(train.labels[positions]))]))
    parameters = kept.pop("parameters").requires_grad_()
    rendered = form.render(parameters, kept)
    assert rendered.shape == tracks.shape
    assert rendered.dtype == torch.float32
    assert torch.equal(tracks, before)
    # What a network sees of them: each is nearer to its own clip than to what clips have in common.
    images, own = view.images(rendered), view.images(tracks)
    assert images.shape == (3 * each, 1, 16, 32)
    assert (images - own).square().mean() < 0.5 * own.var()
    by_class = [parameters, *(values for name, values in kept.items() if name not in form.shared)]
    assert all(len(values) % 3 == 0 for values in by_class)
    (gradient,) = torch.autograd.grad(images.square().sum(), parameters)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).any(1).all()


@every_parameterisation
def test_a_parameterisation_says_what_it_is_and_where_it_makes_sense(name: str) -> None:
    kind = PARAMETERISATIONS[name]
    assert kind.summary
    assert not kind.summary.endswith(".")
    assert kind.factors
    assert kind.domains
    assert set(kind.domains) <= set(DOMAINS)


# Domains


@every_domain
def test_a_domain_s_clips_are_what_a_network_sees_of_them(
    tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device, domain: str
) -> None:
    train, positions = tiny_images["train"], np.array([95, 0, 40])
    view = DOMAINS[domain](tiny_config.feature, 8_000, train.normalisation)
    tracks = view.clips(train, positions)
    assert tracks.shape == (3, *view.size)
    assert view.size == DOMAINS[domain].size_of(tiny_config.feature, 8_000)
    torch.testing.assert_close(view.images(tracks), train.batch(positions, cpu), atol=1e-3, rtol=0)
    # Theirs to change: the dataset stays as it is.
    tracks += 1
    torch.testing.assert_close(view.clips(train, positions), tracks - 1)


@every_domain
def test_a_domain_s_noise_is_standard_normal_and_drawn_from_nothing_but_its_draws(
    tiny_images: Images, tiny_config: DistillConfig, domain: str
) -> None:
    view = DOMAINS[domain](tiny_config.feature, 8_000, tiny_images["train"].normalisation)
    torch.manual_seed(1)
    noise = view.noise(20, torch.Generator().manual_seed(0))
    torch.manual_seed(2)
    assert torch.equal(view.noise(20, torch.Generator().manual_seed(0)), noise)
    assert noise.shape == (20, *view.size)
    assert abs(float(noise.mean())) < 0.05
    assert abs(float(noise.std()) - 1) < 0.05
    assert view.summary


@every_initialisation
def test_an_initialisation_names_clips_of_every_class_and_belongs_to_its_seed(tiny_images: Images, name: str) -> None:
    train, select = tiny_images["train"], INITIALISATIONS[name]
    torch.manual_seed(1)
    positions = select(train, 3, 0)
    torch.manual_seed(2)
    again, other = select(train, 3, 0), select(train, 3, 1)
    assert type(again) is type(other) is type(positions)
    if positions is None:
        return
    if isinstance(positions, Combinations):
        assert isinstance(again, Combinations)
        assert isinstance(other, Combinations)
        for label, (clips, shares) in enumerate(zip(positions.clips, positions.shares, strict=True)):
            assert set(train.labels[clips]) == {label}
            assert shares.shape == (3, len(clips))
            assert torch.equal(shares, again.shares[label])
            assert not torch.equal(shares, other.shares[label])
        return
    assert isinstance(again, np.ndarray)
    assert isinstance(other, np.ndarray)
    assert positions.dtype == np.int64
    assert train.labels[positions].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(set(positions.tolist())) == 9
    assert np.array_equal(positions, again)
    assert not np.array_equal(positions, other)


@every_initialisation
def test_an_initialisation_of_more_tracks_than_clips_names_each_clip_and_then_the_same_again(
    tiny_images: Images, name: str
) -> None:
    positions = INITIALISATIONS[name](tiny_images["train"], 40, 0)
    if positions is None or isinstance(positions, Combinations):
        return
    for label, chosen in enumerate(positions.reshape(3, 40)):
        assert sorted(chosen[:32].tolist()) == tiny_images["train"].of_class(label).tolist()
        assert chosen[32:].tolist() == chosen[:8].tolist()


@every_network
@pytest.mark.parametrize("shape", [(16, 32), (17, 33), (64, 16), (12, 32)])
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
    # Half as wide, a lenet has a single channel before its hidden layers.
    network = build_network(NetworkConfig(name=name, width=8, depth=2), shape=(16, 16), classes=3, seed=0)
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
    synthetic = distiller.synthetic_set()
    tracks = TrainingSet.of_images(synthetic.tracks(), synthetic.labels, classes=3, shift_bands=True)
    told: list[tuple[int, int]] = []
    config = EvaluationConfig(network=NetworkConfig(width=4, depth=2), steps=3, epochs=1)
    found = EVALUATORS[name].predict(
        Trial(
            tracks,
            tiny_images["test"],
            config,
            clips=TrainingSet.of_clips(tiny_images["train"]),
            seed=0,
            device=cpu,
            progress=lambda done, total: told.append((done, total)),
        )
    )
    assert found.shape == (24,)
    assert found.dtype == torch.int64
    assert set(found.tolist()) <= {0, 1, 2}
    done, total = told[-1]
    assert done == total > 0


@every_baseline
def test_a_baseline_has_clips_of_every_class_and_runs_in_each_of_its_evaluators(
    tiny_images: Images, synthetic: SyntheticSet, cpu: torch.device, name: str
) -> None:
    baseline = BASELINES[name]
    suitable = [each for each in EVALUATORS if baseline.suits(EVALUATORS[each]) and not EVALUATORS[each].tests_tracks]
    assert suitable
    chosen = baseline.choose(tiny_images["train"], synthetic, 0)
    assert isinstance(chosen, SyntheticSet) == baseline.is_stored
    training = chosen if isinstance(chosen, TrainingSet) else training_set_of(chosen, tiny_images["train"])
    assert set(training.labels.tolist()) == {0, 1, 2}
    images = training.images(np.arange(len(training)), cpu)
    assert images.shape == (len(training), 1, 16, 32)
    config = EvaluationConfig(network=NetworkConfig(width=4, depth=2), steps=20, epochs=1)
    for evaluator in suitable:
        found = EVALUATORS[evaluator].predict(
            Trial(
                training,
                tiny_images["test"],
                config,
                clips=TrainingSet.of_clips(tiny_images["train"]),
                seed=0,
                device=cpu,
                progress=lambda _done, _total: None,
            )
        )
        assert (found.numpy() == tiny_images["test"].labels).mean() > 0.5


# Presets


@every_preset
@every_domain
def test_a_preset_is_a_valid_config_that_runs(
    tiny_material: Callable[[FeatureConfig], Material], cpu: torch.device, name: str, domain: str
) -> None:
    asked = {"preset": name, "dataset": "FOLDER", "domain": domain}
    whole = from_preset(DistillConfig, asked)
    assert (whole.preset, whole.domain.name) == (name, domain)
    assert DistillConfig.model_validate_json(whole.model_dump_json()) == whole
    cheap = {"duration": 0.5, "steps": 2, "network": {"width": 4}, "pool": {"clips_per_class": 4}}
    if whole.pool.training:
        cheap["pool"] = {"clips_per_class": 4, "training": 2}
    config = from_preset(DistillConfig, {**asked, **cheap})
    assert config.feature == whole.feature
    assert config.network.depth == whole.network.depth
    assert config.parameterisation == whole.parameterisation
    material = tiny_material(config.feature)
    distiller = Distiller(config, material.train, classes=material.classes, device=cpu)
    before = distiller.synthetic_set()
    records = list(distiller)
    after = distiller.synthetic_set()
    assert [record.step for record in records] == [1, 2]
    assert all(record.loss is not None and np.isfinite(record.loss) for record in records)
    assert not torch.equal(before.parameters, after.parameters)
    assert after.parameters.isfinite().all()
    assert after.tracks().isfinite().all()
    assert after.floats_per_class <= config.plan(3).budget
