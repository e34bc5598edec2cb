"""A model as a file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from distrack.decompose.siam.model import FORMAT, Model, load
from distrack.decompose.siam.model_files import DEFAULT, SHIPPED, model_file, names
from distrack.errors import ConfigError, EventsError


@pytest.fixture(scope="module")
def model() -> Model:
    return load(model_file(DEFAULT))


def test_a_model_comes_with_the_project_and_is_small(model: Model) -> None:
    assert (SHIPPED / f"{DEFAULT}.safetensors").stat().st_size < 2_000_000
    assert sum(array.numel() for array in model.decoder.values()) <= 100_000
    assert model.floats <= 500_000


def test_a_model_is_the_same_after_it_was_stored(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "again.safetensors"
    path.write_bytes(model.to_bytes())
    again = load(path)
    assert again.arrays().keys() == model.arrays().keys()
    for name, array in model.arrays().items():
        assert torch.equal(array, again.arrays()[name])
    assert again.to_bytes() == model.to_bytes()


def without_one(model: Model) -> bytes:
    arrays = dict(list(model.arrays().items())[1:])
    return bytes(save(arrays, metadata={"format": FORMAT, "version": "1"}))


def with_nan(model: Model) -> bytes:
    arrays = {name: array.clone() for name, array in model.arrays().items()}
    next(iter(arrays.values())).view(-1)[0] = float("nan")
    return bytes(save(arrays, metadata={"format": FORMAT, "version": "1"}))


def of_another_shape(model: Model) -> bytes:
    arrays = {**model.arrays(), "decoder.bias 1": torch.zeros(3)}
    return bytes(save(arrays, metadata={"format": FORMAT, "version": "1"}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda _: b"", "cannot be read as a model"),
        (lambda _: b"\xff" * 200, "cannot be read as a model"),
        (lambda _: save({"a": torch.zeros(1)}), "not a model of events"),
        (lambda _: save({"a": torch.zeros(1)}, metadata={"format": FORMAT, "version": "2"}), "of version 2"),
        (without_one, "cannot be read as a model"),
        (with_nan, "not float32 numbers"),
        (of_another_shape, "has the shape"),
        (lambda _: b"\0" * ((1 << 24) + 1), "MB are more"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    model: Model, tmp_path: Path, content: Callable[[Model], bytes], message: str
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content(model))
    with pytest.raises(EventsError, match=message):
        load(path)


def test_a_model_is_found_by_name_by_run_and_by_path(model: Model, tmp_path: Path) -> None:
    run = tmp_path / "my-training"
    run.mkdir()
    (run / "model.safetensors").write_bytes(model.to_bytes())
    assert names(tmp_path) == [*names(), "my-training"]
    assert model_file("my-training", tmp_path) == run / "model.safetensors"
    assert model_file(str(run / "model.safetensors")) == run / "model.safetensors"
    for name in ("my-trainin", "../my-training", "", "nothing.safetensors"):
        with pytest.raises(ConfigError, match=f"there are {DEFAULT}, my-training"):
            model_file(name, tmp_path)
    with pytest.raises(EventsError, match="no such file"):
        load(tmp_path / "absent.safetensors")


def test_a_timbre_decodes_to_harmonics_of_a_whole(model: Model) -> None:
    from distrack.decompose.siam.rows import decode

    timbre = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32))
    decoded = decode(timbre, torch.full((5,), 300.0), model.decoder)
    assert torch.allclose(decoded.harmonics.square().sum((1, 2)), torch.ones(5), atol=1e-4)
    assert not decoded.harmonics[:, 0, 1].any()
