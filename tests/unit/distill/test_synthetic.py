"""The synthetic set: every kind of it stands alone in its file, damaged ones are refused, and old ones still open."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from distrack.datasets import Prepared
from distrack.datasets.clips import Split
from distrack.distill import PRESETS, DistillConfig, Distiller, SyntheticSet
from distrack.distill.domains import DOMAINS
from distrack.distill.initialisations.real import random_real
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.errors import RunError
from distrack.features import Normalisation, build_feature
from distrack.images import RealImages
from distrack.settings import PROJECT
from distrack.validation import Overrides

Images = Mapping[Split, RealImages]
Start = Callable[..., Distiller]

KINDS = [
    (domain, form) for domain, form in product(DOMAINS, PARAMETERISATIONS) if domain in PARAMETERISATIONS[form].domains
]
every_kind = pytest.mark.parametrize(("domain", "form"), KINDS)


@every_kind
def test_a_file_of_every_kind_renders_alone(start: Start, tmp_path: Path, domain: str, form: str) -> None:
    distiller = start(domain=domain, parameterisation=form, ipc=2, steps=2)
    list(distiller)
    distilled = distiller.synthetic_set()
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "synthetic.safetensors"
    path.write_bytes(distilled.to_bytes())
    loaded = SyntheticSet.load(path)
    for name in ("render", "tracks", "images"):
        of_file, of_memory = getattr(loaded, name)(), getattr(distilled, name)()
        assert torch.equal(of_file, of_memory)
        assert not of_file.requires_grad
    assert torch.equal(loaded.labels, distilled.labels)
    assert loaded.track_names() == distilled.track_names()
    assert loaded.floats_per_class == distilled.floats_per_class
    assert loaded.config == distilled.config
    assert loaded.to_bytes() == distilled.to_bytes() == path.read_bytes()


@every_kind
def test_what_is_rendered_stands_class_by_class_and_is_named_so(start: Start, domain: str, form: str) -> None:
    rendered = start(domain=domain, parameterisation=form, ipc=2).synthetic_set()
    each, size = rendered.tracks_per_class, (16, 32)
    assert each >= 2
    assert rendered.labels.tolist() == [label for label in range(3) for _ in range(each)]
    assert rendered.labels.dtype == torch.int64
    assert rendered.tracks().shape == rendered.images().shape == (3 * each, 1, *size)
    assert rendered.render().shape == ((3 * each, 8_000) if domain == "waveform" else (3 * each, 1, *size))
    assert rendered.track_names() == [f"{name}_{k}" for name in ("chirp", "noise", "tone") for k in range(each)]


@every_kind
@pytest.mark.parametrize("ipc", [1, 5])
def test_the_budget_counts_every_number_in_the_file(
    start: Start, tmp_path: Path, domain: str, form: str, ipc: int
) -> None:
    made = start(domain=domain, parameterisation=form, ipc=ipc).synthetic_set()
    (tmp_path / "file").write_bytes(made.to_bytes())
    with safe_open(tmp_path / "file", framework="pt") as file:
        sizes = [int(np.prod(file.get_slice(name).get_shape())) for name in file.keys()]  # noqa: SIM118
    assert made.floats_per_class == math.ceil(sum(sizes) / 3)
    assert made.floats_per_class <= ipc * ((8_000 if domain == "waveform" else 16 * 32) + 1)


def test_a_waveform_s_tracks_are_its_samples_normalised_feature(start: Start, tiny_config: DistillConfig) -> None:
    made = start(domain="waveform", ipc=2).synthetic_set()
    images = build_feature(tiny_config.feature)(made.parameters)
    torch.testing.assert_close(made.images(), images, atol=1e-4, rtol=0)
    torch.testing.assert_close(made.tracks(), made.normalisation.apply(images))


# Files made before there were several kinds

OLD_CONFIG = {
    **{"dataset": "SPOKEN_DIGITS", "data_path": None, "duration": 0.5, "domain": "spectral"},
    "feature": {"name": "logmelspectrogram", "n_fft": 512, "hop_length": 256, "n_mels": 16},
    **{"parameterisation": "identity", "ipc": 2, "initialisation": "real", "objective": "mean"},
    "network": {"name": "convnet", "width": 32, "depth": 3},
    "pool": {"size": 32, "grow_every": 10, "clips_per_class": 50},
    **{"optimiser": "adam", "learning_rate": 0.05, "momentum": 0.5, "schedule": "cosine", "balance": "spread"},
    **{"steps": 600, "snapshots": 6, "seed": 0, "device": "cpu", "preset": "quick"},
}


def many_from_few(_: Any) -> Overrides:
    """A recipe as different from what an old file says as can be."""
    return {
        **{"parameterisation": "dct", "factor": 16, "objective": "cf", "initialisation": "k-means"},
        **{"classification": 0.5, "steps": 7, "tracks_per_step": 3, "domain": {"prior": "none"}},
        "pool": {"training": 60, "refresh_every": 100},
        "augmentation": {"gain": 0.5},
    }


@pytest.mark.parametrize("recipe", ["its own", "another"])
def test_a_file_of_before_still_opens_whatever_its_preset_says_today(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recipe: str
) -> None:
    if recipe == "another":
        monkeypatch.setitem(PRESETS._entries, "quick", many_from_few)
    parameters = torch.randn(4, 1, 16, 32, generator=torch.Generator().manual_seed(0))
    header = {
        "format": "distrack synthetic set 1",
        "classes": '["no", "yes"]',
        "config": json.dumps(OLD_CONFIG),
        "normalisation": '{"mean": -5.0, "std": 4.0}',
    }
    stored = {"labels": torch.tensor([0, 0, 1, 1]), "parameters": parameters}
    safetensors.torch.save_file(stored, tmp_path / "old.safetensors", metadata=header)
    old = SyntheticSet.load(tmp_path / "old.safetensors")
    assert torch.equal(old.tracks(), parameters)
    torch.testing.assert_close(old.images(), 4 * parameters - 5)
    assert old.labels.tolist() == [0, 0, 1, 1]
    assert (old.tracks_per_class, old.floats_per_class) == (2, 2 * (16 * 32 + 1))
    assert old.track_names() == ["no_0", "no_1", "yes_0", "yes_1"]
    assert (old.config.factor, old.config.steps, old.config.objective.name) == (1, 600, "mean")


def test_the_demo_and_its_snapshots_open() -> None:
    demo = PROJECT / "assets" / "demo"
    made = SyntheticSet.load(demo / "synthetic.safetensors")
    assert len(made.track_names()) == len(made.tracks()) == len(made.labels)
    assert all((demo / "audio" / f"{name}.flac").is_file() for name in made.track_names())
    assert made.tracks().isfinite().all()
    snapshots = sorted((demo / "snapshots").glob("*.safetensors"), key=lambda path: int(path.stem))
    assert len(snapshots) > 1
    assert torch.equal(SyntheticSet.load(snapshots[-1]).tracks(), made.tracks())
    assert not torch.equal(SyntheticSet.load(snapshots[0]).tracks(), made.tracks())


# Its file


@pytest.fixture
def distilled(start: Start, tiny_prepared: Prepared) -> SyntheticSet:
    distiller = start(ipc=2, data_path=tiny_prepared.index.root)
    list(distiller)
    return distiller.synthetic_set()


def test_a_synthetic_set_survives_its_file(distilled: SyntheticSet, tmp_path: Path) -> None:
    path = tmp_path / "synthetic.safetensors"
    path.write_bytes(distilled.to_bytes())
    loaded = SyntheticSet.load(path)
    assert torch.equal(loaded.tracks(), distilled.tracks())
    assert torch.equal(loaded.images(), distilled.images())
    assert torch.equal(loaded.labels, distilled.labels)
    assert loaded.classes == ("chirp", "noise", "tone")
    assert loaded.normalisation == distilled.normalisation
    assert loaded.config == distilled.config.model_copy(update={"data_path": None})


def test_its_images_are_in_the_feature_s_own_unit(
    start: Start, tiny_prepared: Prepared, tiny_images: Images, tiny_config: DistillConfig
) -> None:
    untouched = start(ipc=2).synthetic_set()
    rows = tiny_images["train"].rows[random_real(tiny_images["train"], 2, 0)]
    sounds = torch.from_numpy(np.array(tiny_prepared.waveforms[rows]))
    torch.testing.assert_close(untouched.images(), build_feature(tiny_config.feature)(sounds), atol=1e-4, rtol=0)


def test_a_changed_copy_of_a_loaded_set_has_another_fingerprint(distilled: SyntheticSet, tmp_path: Path) -> None:
    (tmp_path / "set.safetensors").write_bytes(distilled.to_bytes())
    loaded = SyntheticSet.load(tmp_path / "set.safetensors")
    assert loaded.fingerprint == distilled.fingerprint
    assert replace(loaded, parameters=loaded.parameters + 1).fingerprint != loaded.fingerprint


def test_the_same_set_gives_the_same_bytes(distilled: SyntheticSet) -> None:
    assert len({distilled.to_bytes() for _ in range(20)}) == 1


def test_its_file_says_nothing_of_the_machine_s_folders(distilled: SyntheticSet, tmp_path: Path) -> None:
    content = distilled.to_bytes()
    assert distilled.config.data_path is not None
    assert str(distilled.config.data_path).encode() not in content
    assert distilled.config.data_path.parent.name.encode() not in content
    path = tmp_path / "synthetic.safetensors"
    path.write_bytes(content)
    with safe_open(path, framework="pt") as file:
        assert set(file.metadata()) == {"format", "classes", "normalisation", "config"}


def of_another_dataset(content: bytes) -> bytes:
    assert content.count(b"FOLDER") == 1
    return content.replace(b"FOLDER", b"FOLDED")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "cut-in-the-header": lambda content: content[:20],
    "empty": lambda _: b"",
    "text": lambda _: b"these are my notes, not tracks\n" * 100,
    "zeros": lambda content: bytes(len(content)),
    "no-config": lambda content: content.replace(b'"config"', b'"confog"'),
    "no-labels": lambda content: content.replace(b'"labels"', b'"labelz"'),
    "impossible-config": lambda content: content.replace(b'\\"n_mels\\":16', b'\\"n_mels\\":-9'),
    "unknown-dataset": of_another_dataset,
    "no-metadata": lambda _: safetensors.torch.save({"parameters": torch.ones(2)}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_in_one_sentence_that_names_it(
    distilled: SyntheticSet, tmp_path: Path, damage: str
) -> None:
    content = distilled.to_bytes()
    damaged = DAMAGE[damage](content)
    assert damaged != content
    path = tmp_path / "synthetic.safetensors"
    path.write_bytes(damaged)
    with pytest.raises(RunError, match=r"synthetic\.safetensors is not a synthetic set that can be read"):
        SyntheticSet.load(path)


def test_a_file_that_lacks_what_its_parameterisation_renders_from_is_refused(start: Start, tmp_path: Path) -> None:
    content = start(parameterisation="dct", ipc=2).synthetic_set().to_bytes()
    path = tmp_path / "synthetic.safetensors"
    path.write_bytes(content.replace(b'"positions"', b'"positionz"'))
    with pytest.raises(RunError, match=r"synthetic\.safetensors is not a synthetic set that can be read"):
        SyntheticSet.load(path)


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.safetensors", tmp_path):
        with pytest.raises(RunError, match="is not a synthetic set"):
            SyntheticSet.load(path)


def named(*classes: str, ipc: int = 1) -> list[str]:
    labels = torch.arange(len(classes)).repeat_interleave(ipc)
    config = DistillConfig(ipc=ipc, parameterisation="identity")
    return SyntheticSet(
        torch.zeros(len(labels), 1, 64, 32), labels, classes, Normalisation(mean=0, std=1), config
    ).track_names()


def test_a_track_is_named_after_its_class_and_number() -> None:
    assert named("dog", "cat", ipc=2) == ["dog_0", "dog_1", "cat_0", "cat_1"]


@pytest.mark.parametrize(
    "classes",
    [
        ("a/b", "ä b", "..", "."),
        ("a b", "a-b", "a/b"),
        ("a b", "a-b", "a-b-0", "a-b-1"),
        ("class-1", "..", "???", "class"),
        ("Dog", "dog", "DOG"),
        ("../../etc/passwd", "C:\\con", "nul\0", "a\nb", "*", "<>|"),
        ("x" * 255, "x" * 254, "ä" * 127, "音" * 85),
    ],
)
def test_no_class_name_gives_an_unsafe_or_a_second_name(classes: tuple[str, ...], tmp_path: Path) -> None:
    names = named(*classes, ipc=2)
    assert len(set(map(str.casefold, names))) == 2 * len(classes)
    for name in names:
        assert not set(name) & set('/\\:*?"<>| \n\0')
        assert not name.startswith((".", "-"))
        (tmp_path / f"{name}.flac").touch()
    assert len(list(tmp_path.iterdir())) == 2 * len(classes)
