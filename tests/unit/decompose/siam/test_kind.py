"""Events of a trained model as the studio edits them."""

from dataclasses import replace

import numpy as np
import pytest

from distrack.arrays import Floats
from distrack.decompose import Events, render
from distrack.decompose.combining import morph
from distrack.decompose.siam.model import Model, load
from distrack.decompose.siam.model_files import DEFAULT, model_file
from distrack.decompose.siam.rows import PLACES, TIMBRES, random_rows, shapes
from distrack.decompose.storage import from_bytes, from_json, to_bytes, to_json
from distrack.decompose.transforms import colour, decay
from distrack.errors import EventsError

RATE = 16_000


@pytest.fixture(scope="module")
def model() -> Model:
    return load(model_file(DEFAULT))


def events(model: Model, count: int = 3, channels: int = 1) -> Events:
    rows = random_rows(np.random.default_rng(0), count, channels=channels)
    rows[:, PLACES["time"]] = 0.1 + 0.2 * np.arange(count)
    shared = {name: array.numpy() for name, array in model.decoder.items()}
    return Events.of("siam", rows, sample_rate=RATE, samples=RATE, channels=channels, shared=shared)


def centroid(wave: Floats) -> float:
    power = np.abs(np.fft.rfft(wave[0])) ** 2
    return float((power * np.arange(len(power))).sum() / power.sum())


def test_storage_counts_the_events_and_the_decoder_apart(model: Model) -> None:
    given = events(model, 16)
    assert given.floats == 16 * 17 == 272
    assert given.common_floats == sum(int(np.prod(shape)) for shape in shapes().values())
    assert events(model, 1, channels=2).floats == 18


@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_alone_gives_the_same_sound(model: Model, channels: int) -> None:
    given = events(model, channels=channels)
    for again in (from_bytes(to_bytes(given)), from_json(to_json(given))):
        assert np.array_equal(render(again), render(given))
    assert np.abs(render(given)).max() > 0.01


def test_edits_act_on_named_columns(model: Model) -> None:
    given = events(model, 1).with_column("noise", np.zeros(1, np.float32))
    bright, dark = colour(given, octaves=1.0), colour(given, octaves=-1.0)
    assert centroid(render(dark)) < centroid(render(given)) < centroid(render(bright))
    assert np.array_equal(colour(bright, octaves=-1.0).parameters, given.parameters)
    longer = decay(given, factor=2.0)
    assert longer.column("decay")[0] == pytest.approx(2 * given.column("decay")[0])
    assert longer.column("attack")[0] == given.column("attack")[0]


def test_vectors_hear_timbre_and_neither_pitch_nor_level_nor_time(model: Model) -> None:
    given = events(model)
    moved = given.with_column("time", given.column("time") + 0.3).with_column(
        "amplitude", given.column("amplitude") / 3
    )
    assert np.array_equal(moved.kind.vectors(moved), given.kind.vectors(given))
    assert np.abs(given.kind.vectors(given)[0] - given.kind.vectors(given)[1]).max() > 0.1


def test_random_events_keep_their_times_and_the_events_that_were_not_selected(model: Model) -> None:
    given = events(model)
    which = np.array([True, False, True])
    drawn = given.kind.drawn(given, which, np.random.default_rng(1))
    assert np.array_equal(drawn[:, PLACES["time"]], given.column("time"))
    assert np.array_equal(drawn[1], given.parameters[1])
    assert not np.array_equal(drawn[0, TIMBRES], given.parameters[0, TIMBRES])
    assert np.abs(render(replace(given, parameters=drawn))).max() > 0.001


def test_a_file_without_its_decoder_is_refused(model: Model) -> None:
    given = events(model)
    shared = dict(given.shared)
    with pytest.raises(EventsError, match="no weight 1"):
        replace(given, shared={name: array for name, array in shared.items() if name != "weight 1"})
    with pytest.raises(EventsError, match="has the shape"):
        replace(given, shared={**shared, "bias 2": np.zeros(3, np.float32)})
    with pytest.raises(EventsError, match="not between"):
        given.with_column("noise", np.array([0.0, 2.0, 0.0], np.float32))


def test_events_of_two_models_are_not_combined(model: Model) -> None:
    given = events(model)
    other = replace(given, shared={**given.shared, "bias 3": np.asarray(given.shared["bias 3"] + 1, np.float32)})
    with pytest.raises(EventsError, match="model"):
        morph(given, other, share=0.5)


def test_huge_numbers_render_without_nan(model: Model) -> None:
    given = events(model)
    for name, value in (("frequency", 1e6), ("attack", 60.0), ("brightness", -10.0), ("brightness", 10.0)):
        extreme = given.with_column(name, np.full(3, value, np.float32))
        assert np.isfinite(render(extreme)).all()
        assert np.isfinite(np.stack(given.kind.boxes(extreme))).all()
