"""Preconditioners: optimised waveforms keep the level and band of their class, and steps have its spectrum."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from torch import Tensor

from distrack import jobs
from distrack.audio import SAMPLE_RATE
from distrack.datasets.clips import Split
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.distill.parameterisations import PARAMETERISATIONS, Plan
from distrack.distill.preconditioner import Preconditioner, Prior, ScaledPreconditioner, SpectrumPreconditioner
from distrack.features import FEATURES, FeatureConfig, Normalisation
from distrack.images import RealImages
from distrack.inversion import at_level_of
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import synthetic_file, track_file
from distrack.networks import build_network
from distrack.randomness import derived_seed

Images = Mapping[Split, RealImages]
Start = Callable[..., Distiller]

SAMPLES = 8_000
# The classes of `noises`: the middle of each one's spectrum in Hz, and its level.
MIDDLES, LEVELS = (300.0, 1_000.0, 3_000.0), (0.01, 0.05, 0.2)
ALL = slice(0, 3)
FORMS = [("identity", 1), ("multiformation", 2)]
# A track stored whole, and one stored at a quarter of its sample rate.
every_factor = pytest.mark.parametrize("factor", [1, 4])
every_prior = pytest.mark.parametrize("prior", ["spectrum", "none"])


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def frequencies(samples: int, rate: float = SAMPLE_RATE) -> Tensor:
    """Frequency of every bin in hertz."""
    hertz: Tensor = torch.fft.rfftfreq(samples, 1 / rate)
    return hertz


def coloured(middle: float, count: int, seed: int) -> Tensor:
    """Noise of RMS 1 whose spectrum falls by 3 dB an octave from its middle, and by 12 dB two octaves from it."""
    octaves = (frequencies(SAMPLES).clamp(min=1) / middle).log2()
    spectra = torch.fft.rfft(normal(count, SAMPLES, seed=seed))
    waves: Tensor = torch.fft.irfft(spectra * 10 ** (-3 / 20 * octaves**2), n=SAMPLES)
    return waves.div(waves.square().mean(1, keepdim=True).sqrt())


def real(waves: Tensor) -> RealImages:
    """Clips of three classes, the same number of each, class by class, with empty images."""
    count = len(waves)
    images = np.zeros((count, 1, 16, 32), dtype=np.float32)
    labels = np.repeat(np.arange(3), count // 3)
    return RealImages(images, waves.numpy(), np.arange(count), labels, 3, Normalisation(mean=0.0, std=1.0))


@pytest.fixture(scope="module")
def noises() -> RealImages:
    """Three classes of forty clips of coloured noise; single clips are up to 6 dB softer or louder."""
    gains = 10 ** (torch.linspace(-6, 6, 40) / 20)
    waves = torch.cat([coloured(middle, 40, seed) * gains[:, None] for seed, middle in enumerate(MIDDLES)])
    return real(waves * torch.tensor(LEVELS).repeat_interleave(40)[:, None])


def chosen(name: str = "logmelspectrogram", **settings: Any) -> FeatureConfig:
    config: FeatureConfig = FEATURES.choice(name, **settings)
    return config


def preconditioned(
    noises: RealImages, *, factor: int = 1, prior: Prior = "spectrum", **feature: Any
) -> SpectrumPreconditioner:
    config = chosen(**{"n_fft": 512, "hop_length": 256, **feature})
    return SpectrumPreconditioner(noises, config, factor=factor, prior=prior, seed=0, device=torch.device("cpu"))


def pieces_of(parameters: Tensor, factor: int) -> Tensor:
    """Every stored piece, ``[n, samples / factor]``."""
    return parameters.reshape(-1, parameters.shape[1] // factor)


def outside(pieces: Tensor, factor: int, lowest: float, highest: float) -> float:
    """Largest share of a piece's energy below or beyond a band."""
    power = torch.fft.rfft(pieces.double()).abs().square()
    bins = frequencies(pieces.shape[1], SAMPLE_RATE / factor)
    return float((power[:, (bins < lowest) | (bins > highest)].sum(1) / power.sum(1)).max())


def edge(config: FeatureConfig, factor: int) -> float:
    return min(config.highest_frequency, 0.95 * SAMPLE_RATE / 2 / factor)


def levels_in_db(pieces: Tensor) -> Tensor:
    return 10 * pieces.square().mean(1).log10()


def directed(conditioner: Preconditioner, values: Tensor, classes: slice = ALL) -> Tensor:
    """What becomes of a gradient where an optimiser hands it on as it is."""
    return conditioner.to_parameters(conditioner.to_coordinates(values, classes), classes).view_as(values)


def white_steps(conditioner: Preconditioner, count: int, seed: int = 0) -> Tensor:
    """Steps of all classes whose coordinates are standard normal, as of an optimiser that treats all alike."""
    coordinates = conditioner.to_coordinates(torch.zeros(count, SAMPLES), ALL)
    return conditioner.to_parameters(normal(*coordinates.shape, seed=seed), ALL).view(count, SAMPLES)


# Level


@every_factor
@pytest.mark.parametrize("gain", [1e-5, 0.1, 1.0, 1e4])
def test_a_track_is_within_2_db_of_its_class_from_the_beginning(noises: RealImages, factor: int, gain: float) -> None:
    parameters = preconditioned(noises, factor=factor).initial(gain * normal(6, SAMPLES), ALL)
    expected = 20 * torch.tensor(LEVELS).log10().repeat_interleave(2 * factor)
    apart = levels_in_db(pieces_of(parameters, factor)) - expected
    if gain < 0.01:
        torch.testing.assert_close(apart, torch.full_like(apart, -2.0), atol=0.01, rtol=0)
    if gain > 10:
        # The loudest class reaches full scale at a lower level.
        torch.testing.assert_close(apart[: 4 * factor], torch.full((4 * factor,), 2.0), atol=0.01, rtol=0)


def test_a_track_at_the_level_of_its_class_is_not_changed(noises: RealImages) -> None:
    parameters = preconditioned(noises).initial(torch.cat([level * coloured(1_000.0, 2, 5) for level in LEVELS]), ALL)
    before = parameters.clone()
    preconditioned(noises).project_(parameters, ALL)
    torch.testing.assert_close(parameters, before, rtol=1e-5, atol=0)


def test_a_track_above_full_scale_is_scaled_down_as_a_whole_and_not_clipped(noises: RealImages) -> None:
    clicks = torch.zeros(3, SAMPLES)
    clicks[:, 4_000] = 1.0
    clicks[:, 5_000] = -0.5
    projected = clicks.clone()
    preconditioned(noises).project_(projected, ALL)
    # The clicks of the softest class fit below full scale, those of the loudest do not.
    peaks = projected.abs().amax(1)
    torch.testing.assert_close(peaks[1:], torch.tensor([0.95, 0.95]))
    assert levels_in_db(projected)[2] < 20 * np.log10(LEVELS[2]) - 10
    torch.testing.assert_close(projected, clicks * peaks[:, None])


def test_silence_stays_silence(noises: RealImages) -> None:
    parameters = preconditioned(noises).initial(torch.zeros(3, SAMPLES), ALL)
    assert not parameters.any()


@every_factor
def test_a_rendered_track_is_within_full_scale_as_well(noises: RealImages, factor: int) -> None:
    # Between the samples of a lower rate a wave can be higher than at all of them.
    form = "identity" if factor == 1 else "multiformation"
    kind = PARAMETERISATIONS[form](Plan(3, 4, factor, (SAMPLES,), SAMPLES + 1))
    loud = real(4 * torch.from_numpy(noises.waveforms))
    parameters = preconditioned(loud, factor=factor, prior="none").initial(normal(12, SAMPLES), ALL)
    peaks = kind.render(parameters, {}).abs().amax(1)
    assert peaks.max() < 0.96
    # The loudest tracks are at the limit.
    assert peaks.max() > 0.9


# Band


@pytest.mark.parametrize("n_mels", [8, 16, 64, 128])
def test_the_highest_frequency_of_a_mel_image_is_the_middle_of_its_highest_band(n_mels: int) -> None:
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    expected = 700 * (10 ** (top * n_mels / (n_mels + 1) / 2595) - 1)
    for name in ("melspectrogram", "logmelspectrogram", "mfcc"):
        config = FEATURES.choice(name, n_mels=n_mels, **({"n_mfcc": 8} if name == "mfcc" else {}))
        assert config.highest_frequency == pytest.approx(expected, abs=1)
    assert FEATURES.choice("chromagram").highest_frequency == SAMPLE_RATE / 2


@every_factor
@every_prior
@pytest.mark.parametrize("feature", [{"n_mels": 16}, {"name": "chromagram"}])
def test_tracks_have_no_energy_below_20_hz_or_above_what_feature_and_stored_rate_carry(
    noises: RealImages, factor: int, prior: Prior, feature: dict[str, Any]
) -> None:
    conditioner = preconditioned(noises, factor=factor, prior=prior, **feature)
    band = (20.0, edge(chosen(**feature), factor))
    parameters = conditioner.initial(normal(6, SAMPLES) + 0.5, ALL)
    assert outside(pieces_of(parameters, factor), factor, *band) < 1e-9
    for step in range(12):
        parameters -= 0.3 * white_steps(conditioner, 6, seed=step)
        conditioner.project_(parameters, ALL)
    pieces = pieces_of(parameters, factor)
    assert outside(pieces, factor, *band) < 1e-9
    assert pieces.mean(1).abs().max() < 1e-5
    # The band itself is used up to its ends.
    if prior == "none":
        inside = (band[0] + 20, 0.95 * band[1])
        assert outside(pieces, factor, *inside) > 0.01


@pytest.mark.parametrize(("form", "factor"), FORMS)
@pytest.mark.parametrize("initialisation", ["noise", "real"])
def test_a_distillation_keeps_level_and_band_after_every_step(
    start: Start, tiny_images: Images, form: str, factor: int, initialisation: str
) -> None:
    distiller = start(
        **{"domain": "waveform", "ipc": 2, "steps": 6, "learning_rate": 0.5, "schedule": "constant"},
        **{"parameterisation": form, "factor": factor, "initialisation": initialisation},
    )
    clips = tiny_images["train"].sounds(np.arange(96))
    expected = levels_in_db(clips).view(3, 32).mean(1).repeat_interleave(2 * factor)
    highest = edge(distiller.config.feature, factor)
    made = [distiller.synthetic_set(), *(distiller.synthetic_set() for _ in distiller)]
    assert len(made) == 7
    for state in made:
        pieces = pieces_of(state.parameters, factor)
        assert outside(pieces, factor, 20.0, highest) < 1e-9
        # A piece is a track; at a lower rate its peaks may be between the stored samples.
        peaks, apart = state.render().abs().amax(1), levels_in_db(pieces) - expected
        assert peaks.max() < 0.96
        # A track is softer only if full scale is the limit.
        assert (apart < 2.01).all()
        assert ((apart > -2.01) | (peaks > 0.88)).all()


# How a step moves a track


@every_factor
@every_prior
def test_a_gradient_becomes_a_step_by_a_linear_symmetric_and_positive_map(
    noises: RealImages, factor: int, prior: Prior
) -> None:
    conditioner = preconditioned(noises, factor=factor, prior=prior)
    one, other = normal(6, SAMPLES), normal(6, SAMPLES, seed=1)
    of_one, of_other = directed(conditioner, one), directed(conditioner, other)
    torch.testing.assert_close(
        directed(conditioner, 2 * one - other), 2 * of_one - of_other, rtol=1e-3, atol=1e-4 * float(of_one.abs().max())
    )
    apart = float((of_one.double() * other).sum() - (one.double() * of_other).sum())
    assert abs(apart) < 0.02 * float(of_one.norm() * other.norm())
    for values, moved in ((one, of_one), (other, of_other)):
        # For every piece the step descends.
        assert (pieces_of(values * moved, factor).sum(1) > 0).all()


@every_factor
@every_prior
def test_to_coordinates_is_the_adjoint_of_to_parameters_up_to_a_factor(
    noises: RealImages, factor: int, prior: Prior
) -> None:
    conditioner = preconditioned(noises, factor=factor, prior=prior)
    gradient = normal(6, SAMPLES)
    analysed = conditioner.to_coordinates(gradient, ALL)
    unit = analysed.square().sum() / (gradient * directed(conditioner, gradient)).sum()
    assert unit > 0
    for seed in range(3):
        step = analysed.square().mean().sqrt() * normal(*analysed.shape, seed=seed)
        left = (analysed.double() * step).sum()
        right = (gradient.double() * conditioner.to_parameters(step, ALL).view_as(gradient)).sum()
        assert abs(float(left - unit * right)) < 0.01 * float(analysed.norm() * step.norm())


@every_factor
def test_a_piece_is_moved_by_its_own_gradient_alone(noises: RealImages, factor: int) -> None:
    alone = torch.zeros(6, SAMPLES)
    alone[3, : SAMPLES // factor] = normal(SAMPLES // factor)
    moved = directed(preconditioned(noises, factor=factor), alone).view(6, factor, -1).abs().amax(2) > 0
    assert moved.nonzero().tolist() == [[3, 0]]


@every_prior
def test_a_part_of_the_classes_is_treated_as_all_of_them_are(noises: RealImages, prior: Prior) -> None:
    conditioner, values = preconditioned(noises, prior=prior), normal(6, SAMPLES)
    rows, classes = slice(2, 6), slice(1, 3)
    torch.testing.assert_close(directed(conditioner, values[rows], classes), directed(conditioner, values)[rows])
    whole = conditioner.initial(values, ALL)
    torch.testing.assert_close(conditioner.initial(values[rows], classes), whole[rows])
    louder = 10 * whole
    conditioner.project_(louder[rows], classes)
    # In place, and without the other class.
    assert torch.equal(louder[:2], 10 * whole[:2])
    assert (levels_in_db(louder[rows]) - levels_in_db(whole[rows])).max() < 4.01


# At a lower rate a part of the class's power is above the band.
@pytest.mark.parametrize("factor", [1, 2])
@every_prior
def test_a_step_of_one_has_about_the_level_of_the_class(noises: RealImages, factor: int, prior: Prior) -> None:
    steps = white_steps(preconditioned(noises, factor=factor, prior=prior), 60)
    apart = levels_in_db(pieces_of(steps, factor).view(3, -1)) - 20 * torch.tensor(LEVELS).log10()
    # Single clips differ by up to 6 dB, and their mean power is a little above the mean level.
    assert apart[:2].abs().max() < 3


def bands_in_db(waves: Tensor, rate: float, highest: float) -> Tensor:
    """Mean power of a bin in each third of an octave from 200 Hz, over all waves."""
    power = torch.fft.rfft(waves).abs().square().mean(0)
    bins, edges = frequencies(waves.shape[1], rate), [200.0]
    while edges[-1] * 2 ** (1 / 3) < highest:
        edges.append(edges[-1] * 2 ** (1 / 3))
    bands = [power[(bins >= low) & (bins < high)].mean() for low, high in pairwise(edges)]
    return 10 * torch.stack(bands).log10()


@every_factor
def test_with_the_spectrum_prior_white_steps_have_the_spectrum_of_the_class(noises: RealImages, factor: int) -> None:
    highest = edge(FEATURES.choice("logmelspectrogram"), factor)
    steps = white_steps(preconditioned(noises, factor=factor), 60).view(3, -1, SAMPLES // factor)
    for label, of_class in enumerate(steps):
        clips = bands_in_db(noises.sounds(noises.of_class(label)), SAMPLE_RATE, highest)
        moved = bands_in_db(of_class, SAMPLE_RATE / factor, highest)
        audible = clips > clips.max() - 25
        apart = (moved - clips)[audible]
        assert audible.sum() > 4
        assert (apart - apart.mean()).abs().max() < 2
        # The class itself is far from white.
        assert clips[audible].max() - clips[audible].min() > 4


@every_factor
def test_without_a_prior_white_steps_are_white(noises: RealImages, factor: int) -> None:
    highest = edge(FEATURES.choice("logmelspectrogram"), factor)
    for of_class in white_steps(preconditioned(noises, factor=factor, prior="none"), 90).view(3, -1, SAMPLES // factor):
        moved = bands_in_db(of_class, SAMPLE_RATE / factor, highest)
        assert moved.max() - moved.min() < 1.5


def course_in_db(waves: Tensor) -> Tensor:
    """Level of every twentieth of a second, over all waves."""
    power: Tensor = waves.unflatten(1, (-1, waves.shape[1] // 10)).square().mean((0, 2))
    return 10 * power.log10()


@every_factor
def test_with_the_spectrum_prior_a_step_is_loud_when_the_class_is(noises: RealImages, factor: int) -> None:
    # The level of the class falls by 20 dB from its beginning to its end.
    train = real(torch.from_numpy(noises.waveforms) * 10 ** (-torch.arange(SAMPLES) / SAMPLES))
    courses = {
        prior: course_in_db(
            white_steps(preconditioned(train, factor=factor, prior=prior), 60).view(-1, SAMPLES // factor)
        )
        for prior in ("spectrum", "none")
    }
    clips = course_in_db(train.sounds(np.arange(120)))
    assert clips[0] - clips[-1] == pytest.approx(18, abs=1)
    assert (courses["spectrum"] - clips - (courses["spectrum"] - clips).mean()).abs().max() < 2
    assert courses["none"].max() - courses["none"].min() < 2


def test_a_spectrum_is_that_of_its_class_however_many_clips_it_has(noises: RealImages) -> None:
    # A quarter of the clips has the same spectrum up to random differences.
    fewer = real(torch.from_numpy(noises.waveforms[::4]))
    whole, part = white_steps(preconditioned(noises), 3), white_steps(preconditioned(fewer), 3)
    assert torch.cosine_similarity(whole, part).min() > 0.95


@pytest.mark.parametrize(("prior", "low", "high"), [("spectrum", 0.0, 0.05), ("none", 0.2, 1.0)])
def test_the_first_step_of_a_distillation_moves_tones_where_tones_are(
    start: Start, prior: Prior, low: float, high: float
) -> None:
    # After a small step the level is still in its range, and the difference is the step alone.
    distiller = start(domain={"name": "waveform", "prior": prior}, ipc=8, learning_rate=1e-3, steps=1)
    before = distiller.synthetic_set().parameters
    list(distiller)
    moved = (distiller.synthetic_set().parameters - before)[16:]
    power = torch.fft.rfft(moved).abs().square().sum(0)
    # Harmonics of 200 to 500 Hz end at 2,500 Hz.
    assert low <= float(power[frequencies(SAMPLES) > 3_000].sum() / power.sum()) < high


def test_images_have_no_preconditioning() -> None:
    values = normal(3, 1, 16, 32)
    before = values.clone()
    nothing = Preconditioner()
    assert torch.equal(nothing.initial(values, ALL), before)
    assert torch.equal(nothing.to_coordinates(values, ALL), before)
    assert torch.equal(nothing.to_parameters(values, ALL), before)
    nothing.project_(values, ALL)
    assert torch.equal(values, before)


# It learns, and its tracks are saved as they are


@pytest.mark.parametrize(("form", "factor", "prior"), [("identity", 1, "none"), ("multiformation", 2, "spectrum")])
def test_the_loss_goes_down(start: Start, form: str, factor: int, prior: Prior) -> None:
    distiller = start(
        **{"domain": {"name": "waveform", "prior": prior}, "parameterisation": form, "factor": factor},
        **{"initialisation": "noise", "steps": 30, "learning_rate": 0.2},
        pool={"size": 1, "clips_per_class": 16},
    )
    losses = [record.loss for record in distiller if record.loss is not None]
    assert len(losses) == 30
    assert np.mean(losses[-5:]) < 0.6 * losses[0]


def test_in_unseen_networks_the_class_means_of_tracks_approach_those_of_test_clips(
    start: Start, tiny_images: Images, tiny_config: DistillConfig, cpu: torch.device
) -> None:
    distiller = start(
        domain="waveform",
        initialisation="noise",
        steps=40,
        learning_rate=0.2,
        pool={"size": 0, "clips_per_class": 16},
    )
    before = distiller.synthetic_set().tracks()
    list(distiller)
    after = distiller.synthetic_set().tracks()
    test = tiny_images["test"]
    images = test.batch(np.arange(len(test)), cpu).view(3, 8, 1, 16, 32)
    for seed in range(5):
        unseen = build_network(tiny_config.network, shape=(16, 32), classes=3, seed=derived_seed(seed, "unseen"))
        with torch.no_grad():
            means = torch.stack([unseen.embed(of_class).mean(0) for of_class in images])
            first, last = ((unseen.embed(tracks) - means).square().sum() for tracks in (before, after))
        assert last < 0.8 * first


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("form", "factor"), FORMS)
def test_a_run_s_sounds_are_the_distilled_samples_without_levelling(
    tiny_job: Callable[..., DistillJob], tmp_path: Path, form: str, factor: int
) -> None:
    # At this rate tracks reach full scale.
    job = tiny_job(
        **{"domain": "waveform", "parameterisation": form, "factor": factor, "ipc": 2, "learning_rate": 1.0},
        evaluation={"seeds": 1},
    )
    run = job.create(tmp_path, "waves")
    report = jobs.work(run)
    assert report.domain == "waveform"
    assert (report.tracks_per_class, report.rendered_per_class) == (2, 2 * factor)
    assert report.floats_per_class <= 2 * (SAMPLES + 1)
    made = SyntheticSet.load(synthetic_file(run))
    assert sorted(path.stem for path in (run.path / "audio").iterdir()) == sorted(made.track_names())
    levels = []
    for name, track in zip(made.track_names(), made.render().numpy(), strict=True):
        wave, rate = soundfile.read(track_file(run, name), dtype="int16")
        assert (rate, wave.shape) == (SAMPLE_RATE, (SAMPLES,))
        assert np.abs(wave / 2**15 - track).max() < 1.5 / 2**15
        levels.append(10 * np.log10(np.mean((wave / 2**15) ** 2)))
    assert max(levels) - min(levels) > 1
    # Inverted images have the level of the image.
    spectral = tiny_job(ipc=2, evaluation={"seeds": 1}).create(tmp_path, "images")
    jobs.work(spectral)
    made = SyntheticSet.load(synthetic_file(spectral))
    files = [track_file(spectral, name) for name in made.track_names()]
    waves = torch.from_numpy(np.stack([soundfile.read(file, dtype="float32")[0] for file in files]))
    levelled = at_level_of(made.images(), waves, made.config.feature)
    at_peak = (waves.abs().amax(1) - 10 ** (-1 / 20)).abs() < 1e-3
    at_level = ((levelled.norm(dim=1) / waves.norm(dim=1)).log10() * 20).abs() < 0.1
    assert (at_level | at_peak).all()


# Numbers that have sizes of their own


def test_each_number_of_a_class_takes_steps_in_proportion_to_its_size_there() -> None:
    sizes = torch.tensor([[3.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    scaled = ScaledPreconditioner(sizes)
    whole = scaled.to_parameters(torch.ones(6, 2), ALL)
    # The mean square of a class's weights is one; a class that is silent takes steps of one size.
    torch.testing.assert_close(whole[:2], torch.tensor([[3.0, 1.0]]).expand(2, 2) / 5**0.5)
    torch.testing.assert_close(whole[2:], torch.ones(4, 2))
    assert torch.equal(scaled.to_coordinates(torch.ones(4, 2), slice(1, 3)), whole[2:])
    assert torch.equal(scaled.to_parameters(torch.ones(2, 2), slice(0, 1)), whole[:2])


def test_coefficients_move_in_proportion_to_their_size_among_real_clips_unless_evenly_is_asked_for(
    start: Start, tiny_images: Images, cpu: torch.device
) -> None:
    settings = {"factor": 4, "ipc": 2, "steps": 1, "optimiser": "sgd", "learning_rate": 100.0}
    moved = {}
    for prior in ("spectrum", "none"):
        distiller = start(**settings, parameterisation={"name": "dct", "prior": prior})
        before = distiller.synthetic_set()
        list(distiller)
        moved[prior] = (distiller.synthetic_set().parameters - before.parameters).double().view(3, 8, -1)
    for label, positions in enumerate(before.constants["positions"].long()):
        clips = tiny_images["train"].batch(tiny_images["train"].of_class(label), cpu)
        bands, frames = (torchaudio.functional.create_dct(size, size, "ortho") for size in clips.shape[2:])
        size = (bands.T @ clips @ frames).flatten(1)[:, positions].square().mean(0).sqrt()
        weight = size / size.square().mean().sqrt()
        # Once into the coordinates of the step, and once back.
        expected = moved["none"][label] * weight.square()
        assert (moved["spectrum"][label] - expected).norm() < 1e-3 * expected.norm()
