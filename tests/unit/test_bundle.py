"""A bundle: whole, the same every time, loaded by the library it is made for; nothing lost where it cannot be made."""

import io
import json
import os
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from distrack import jobs
from distrack.audio import SAMPLE_RATE, flac_bytes, level
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.distill.synthetic import ordered_labels
from distrack.errors import ConfigError, DistrackError, RunError
from distrack.evaluate import Report
from distrack.export.bundle import export, zipped
from distrack.features import Normalisation
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import synthetic_file, track_file
from distrack.runs import Run, Status
from distrack.settings import PROJECT

MakeJob = Callable[..., DistillJob]
Typed = Callable[..., tuple[int | str | None, str, str]]
Make = Callable[..., Run]

DEMO = Run(PROJECT / "assets" / "demo")
ODD = ("a/b", 'it\'s "quoted"', "..", "été", "日本", "007", "=SUM(A1)", "two\nlines | <b>", "A-B", "a b", "caf\udce9")


def files(content: bytes) -> dict[str, bytes]:
    """What a zip holds, by name; the order of its entries counts."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def arrays(content: Mapping[str, bytes]) -> dict[str, Any]:
    return dict(np.load(io.BytesIO(content["arrays.npz"]), allow_pickle=False))


@pytest.fixture
def made(tiny_job: MakeJob, tmp_path: Path) -> Make:
    """A run with a set of random tracks, each made audible as a tone; a silent one and values of its own if asked."""

    def make(
        classes: tuple[str, ...] = ("one", "two"), *, ipc: int = 2, silent: int | None = None, **changes: Any
    ) -> Run:
        job = tiny_job(ipc=ipc, **changes)
        run = create(tmp_path, job, f"run-{len(list(tmp_path.iterdir()))}")
        draw = torch.Generator().manual_seed(0)
        size = (job.samples,) if job.domain.name == "waveform" else (1, *job.feature.shape(job.samples))
        synthetic = SyntheticSet(
            parameters=0.1 * torch.randn(len(classes) * ipc, *size, generator=draw),
            row_labels=ordered_labels(len(classes), ipc),
            classes=classes,
            normalisation=Normalisation(mean=-2.0, std=3.0),
            config=job.distillation(),
        )
        run.write("synthetic.safetensors", synthetic.to_bytes())
        time = np.arange(job.samples, dtype=np.float32) / SAMPLE_RATE
        for number, name in enumerate(synthetic.track_names()):
            wave = level(np.sin(2 * np.pi * (200 + 20 * number) * time)) * (number != silent)
            run.write(f"audio/{name}.flac", flac_bytes(wave))
        return run

    return make


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """As on a disk on which no file grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# What is in it


def test_everything_is_there_and_is_what_the_run_has() -> None:
    content, synthetic = files(zipped(DEMO)), SyntheticSet.load(DEMO.synthetic)
    names = synthetic.track_names()
    assert list(content) == sorted(content)
    assert content.keys() == {
        *("README.md", "LICENCE.txt", "CITATION.txt", "config.json", "report.json", "synthetic.safetensors"),
        *("arrays.npz", "audio/metadata.csv"),
        *(f"audio/{name}.flac" for name in names),
        *(f"images/{name}.png" for name in names),
    }
    assert all(content[f"audio/{name}.flac"] == DEMO.track(name).read_bytes() for name in names)
    assert all(content[f"images/{name}.png"].startswith(b"\x89PNG") for name in names)
    assert content["synthetic.safetensors"] == DEMO.synthetic.read_bytes()
    assert DistillJob.model_validate_json(content["config.json"]) == DEMO.job()
    assert Report.model_validate_json(content["report.json"]) == DEMO.report()
    dataset = DATASETS["SPOKEN_DIGITS"]
    assert dataset.licence in content["LICENCE.txt"].decode()
    assert dataset.citation in content["CITATION.txt"].decode()
    found = arrays(content)
    np.testing.assert_array_equal(found["images"], synthetic.images().squeeze(1).numpy())
    assert found["labels"].tolist() == synthetic.labels.tolist()
    assert found["tracks"].tolist() == names
    assert found["classes"].tolist() == list(synthetic.classes)


def test_a_class_or_a_track_is_that_alone(made: Make) -> None:
    run = made(ipc=3)
    of_class = files(zipped(run, of_class="two"))
    assert [name for name in of_class if name.endswith(".flac")] == [f"audio/two_{k}.flac" for k in range(3)]
    assert arrays(of_class)["tracks"].tolist() == ["two_0", "two_1", "two_2"]
    assert arrays(of_class)["labels"].tolist() == [1, 1, 1]
    one = files(zipped(run, track="two_1"))
    assert one["audio/metadata.csv"].decode().splitlines()[1:] == ["two_1.flac,1,two,two_1,0.5,false"]
    np.testing.assert_array_equal(arrays(one)["images"], arrays(of_class)["images"][1:2])
    assert "a part of the 6 tracks" in one["README.md"].decode()
    # The set in one file would be that of all tracks.
    assert "synthetic.safetensors" not in of_class.keys() | one.keys()


def test_wav_has_the_same_samples_as_flac(made: Make) -> None:
    run = made()
    content = files(zipped(run, audio="wav"))
    wave, rate = soundfile.read(io.BytesIO(content["audio/one_1.wav"]), dtype="int16")
    expected, _ = soundfile.read(track_file(run, "one_1"), dtype="int16")
    assert rate == SAMPLE_RATE
    assert soundfile.info(io.BytesIO(content["audio/one_1.wav"])).subtype == "PCM_16"
    np.testing.assert_array_equal(wave, expected)
    assert not any(name.endswith(".flac") for name in content)


def test_waveforms_that_were_distilled_are_among_the_arrays(made: Make) -> None:
    run = made(domain="waveform")
    content = files(zipped(run, of_class="two"))
    rendered = SyntheticSet.load(synthetic_file(run)).render()
    np.testing.assert_array_equal(arrays(content)["waveforms"], rendered[2:].numpy())
    assert "as they were distilled" in content["README.md"].decode()


def test_the_same_run_gives_the_same_bytes_wherever_and_whenever(made: Make, tmp_path: Path) -> None:
    run = made()
    moved = Run(Path(shutil.copytree(run.path, tmp_path / "elsewhere" / run.id)))
    for path in moved.path.rglob("*"):
        os.utime(path, (1e9, 1e9))
    assert zipped(run) == zipped(moved)


def test_nothing_says_on_which_machine(made: Make, tmp_path: Path, sounds: Path) -> None:
    run = made()
    assert jobs.job_of(run).data_path == sounds
    run.write("status.json", Status(state="done", host="the-name-of-a-host").model_dump_json())
    for content in files(zipped(run)).values():
        for telling in (str(tmp_path), str(sounds), str(PROJECT), "the-name-of-a-host"):
            assert telling.encode() not in content


# The library


def loaded(folder: Path, tmp_path: Path) -> dict[str, Any]:
    """A folder as the `datasets` library loads it, offline, and its card's fields as the hub reads them."""
    script = (
        "import json, sys\n"
        "from datasets import Audio, load_dataset\n"
        "from huggingface_hub import DatasetCard\n"
        "tracks = load_dataset(sys.argv[1], split='train')\n"
        "names = tracks.features['label'].names\n"
        "kinds = {name: str(kind) for name, kind in tracks.features.items()}\n"
        "tracks = tracks.cast_column('audio', Audio(decode=False))\n"  # decoding needs FFmpeg
        "card = DatasetCard.load(sys.argv[1] + '/README.md').data.to_dict()\n"
        "print(json.dumps({'rows': list(tracks), 'names': names, 'kinds': kinds, 'card': card}))\n"
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    said = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return found


def test_the_library_loads_it_whatever_its_classes_are_called(made: Make, tmp_path: Path) -> None:
    run, folder = made(ODD, silent=3), tmp_path / "bundle"
    assert export(run, folder) == 2 * len(ODD)
    found = loaded(folder, tmp_path)
    names = [*ODD[:-1], "caf\\udce9"]
    assert found["names"] == names
    assert [row["label"] for row in found["rows"]] == [label for label in range(len(ODD)) for _ in range(2)]
    assert [row["class"] for row in found["rows"]] == [name for name in names for _ in range(2)]
    assert [row["track"] for row in found["rows"]] == SyntheticSet.load(synthetic_file(run)).track_names()
    assert [position for position, row in enumerate(found["rows"]) if row["silent"]] == [3]
    paths = [Path(row["audio"]["path"]) for row in found["rows"]]
    assert len({path.name.casefold() for path in paths}) == len(paths)
    for row, path in zip(found["rows"], paths, strict=True):
        assert path.parent == folder / "audio"
        assert path.name.isascii()
        assert not set(path.name) & set("/\\:*?\"<>| '")
        assert path.read_bytes() == track_file(run, row["track"]).read_bytes()
        assert (folder / "images" / f"{path.stem}.png").is_file()
    assert found["kinds"]["class"] == "Value('string')"
    assert found["kinds"]["audio"].startswith("Audio(sampling_rate=16000")


def test_the_card_says_what_the_hub_asks_for(tmp_path: Path) -> None:
    export(DEMO, tmp_path / "bundle", audio="wav")
    card = loaded(tmp_path / "bundle", tmp_path)["card"]
    assert card["license"] == "other"
    assert (tmp_path / "bundle" / card["license_link"]).is_file()
    assert card["task_categories"] == ["audio-classification"]
    assert card["size_categories"] == ["n<1K"]
    assert card["pretty_name"].startswith(DATASETS["SPOKEN_DIGITS"].title)
    (config,) = card["configs"]
    assert config["data_files"] == [{"split": "train", "path": "audio/*"}]


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("FSDD", "cc-by-sa-4.0"),
        ("AUDIO_MNIST", "mit"),
        ("ESC50", "cc-by-nc-3.0"),
        ("ESC10", "cc-by-3.0"),
        ("URBANSOUND8K", "cc-by-nc-4.0"),
        ("MEDLEY_SOLOS_DB", "cc-by-4.0"),
        ("GTZAN", "other"),
        ("FOLDER", "other"),
    ],
)
def test_licences_are_named_as_the_hub_does(made: Make, name: str, licence: str) -> None:
    run = made()
    config = json.loads((run.path / "config.json").read_text())
    run.write("config.json", json.dumps({**config, "dataset": name}))
    content = files(zipped(run))
    assert f'license: "{licence}"' in content["README.md"].decode().splitlines()
    assert DATASETS[name].citation in content["README.md"].decode()


def test_the_card_says_how_tracks_were_made_and_what_they_are_worth(made: Make) -> None:
    text = files(zipped(DEMO))["README.md"].decode()
    report = DEMO.report()
    assert report is not None
    assert "\npython -m distrack distill --dataset SPOKEN_DIGITS " in text
    assert f"{report.floats_per_class:,} floats a class" in text
    assert "rendered from it | 8 tracks a class" in text
    for each in report.evaluations:
        row = f"| {each.evaluator} | {each.trained_on} | {each.network} | {each.accuracy.mean:.3f} ± "
        assert row in text
    assert "Griffin-Lim" in text
    run = made()
    text = files(zipped(run))["README.md"].decode()
    assert "That was not measured." in text
    assert text.split("```\n")[1].rstrip().endswith(" --data-path FOLDER")
    assert "report.json" not in files(zipped(run))


def test_a_silent_track_is_there_and_named(made: Make) -> None:
    content = files(zipped(made(silent=2)))
    assert "\nSilent: two\\_0.\n" in content["README.md"].decode()
    silent = [line.split(",")[-1] for line in content["audio/metadata.csv"].decode().splitlines()[1:]]
    assert silent == ["false", "false", "true", "false"]


# What cannot be


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused_and_the_track_named(made: Make, value: float) -> None:
    run = made()
    synthetic = SyntheticSet.load(synthetic_file(run))
    synthetic.parameters[3, 0, 2, 5] = value
    run.write("synthetic.safetensors", synthetic.to_bytes())
    with pytest.raises(RunError, match=r"track two_1 holds values that are not numbers"):
        zipped(run)
    assert files(zipped(run, track="two_0"))


def test_a_run_that_lacks_something_is_refused_in_words(made: Make) -> None:
    run = made()
    for wrong, says in (
        ({"of_class": "tow"}, "unknown class 'tow'. Did you mean two?"),
        ({"track": "two_7"}, "unknown track 'two_7'"),
        ({"of_class": "two", "track": "two_0"}, "choose a class or a track"),
        ({"audio": "mp3"}, "unknown audio format 'mp3'. Known: flac, wav"),
    ):
        with pytest.raises(ConfigError, match=says):
            zipped(run, **wrong)
    track_file(run, "two_1").write_bytes(track_file(run, "two_1").read_bytes()[:200])
    with pytest.raises(RunError, match="the sound of track two_1 is damaged"):
        zipped(run)
    track_file(run, "one_1").unlink()
    with pytest.raises(RunError, match="track one_1 was not made audible: python -m distrack resume"):
        zipped(run)
    synthetic_file(run).write_bytes(b"")
    with pytest.raises(RunError, match="not a synthetic set"):
        zipped(run)
    synthetic_file(run).unlink()
    with pytest.raises(RunError, match="no synthetic set yet: python -m distrack resume"):
        zipped(run)


def test_what_is_there_is_kept_unless_it_may_go(made: Make, tmp_path: Path) -> None:
    run, target, folder = made(), tmp_path / "x.ZIP", tmp_path / "folder"
    target.write_text("mine")
    with pytest.raises(ConfigError, match=r"x.ZIP exists: .* --overwrite"):
        export(run, target)
    assert target.read_text() == "mine"
    export(run, target, overwrite=True)
    assert target.read_bytes() == zipped(run)
    folder.mkdir()
    export(run, folder)
    written = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert written == files(zipped(run))
    for to, overwrite, says in (
        (folder, True, "is a folder that holds something"),
        (folder, False, "is a folder that holds something"),
        (target / "below", False, "cannot write"),
        (run.path / "config.json", True, "exists: choose another name, or remove it first"),
    ):
        with pytest.raises(ConfigError, match=says):
            export(run, to, overwrite=overwrite)
    (tmp_path / "y.zip").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        export(run, tmp_path / "y.zip", overwrite=True)
    assert written == {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["x.zip", "folder"])
def test_a_full_disk_leaves_nothing_half(made: Make, tmp_path: Path, name: str) -> None:
    run, place = made(), tmp_path / "place"
    place.mkdir()
    if name == "x.zip":
        (place / name).write_text("before")
    before = list(place.iterdir())
    with room_for(9_000), pytest.raises(ConfigError, match=rf"cannot write .*{name}: {os.strerror(27)}"):
        export(run, place / name, overwrite=True)
    assert list(place.iterdir()) == before
    assert all(path.read_text() == "before" for path in before)


def test_the_command_says_what_it_wrote_or_why_not(made: Make, typed: Typed, tmp_path: Path) -> None:
    run, to = made(), tmp_path / "x.zip"
    common = ("export", run.id, "--to", str(to), "--runs-path", str(tmp_path))
    assert typed(*common) == (0, f"{to}: 4 tracks\n", "")
    assert to.read_bytes() == zipped(run)
    code, _, err = typed(*common)
    assert (code, err.count("\n")) == (2, 1)
    assert "--overwrite" in err
    assert typed(*common, "--overwrite", "--class", "one", "--format", "wav")[:2] == (0, f"{to}: 2 tracks\n")
    assert to.read_bytes() == zipped(run, of_class="one", audio="wav")
    assert typed(*common, "--overwrite", "--track", "two_0")[:2] == (0, f"{to}: 1 track\n")
    for words in (["--track", "nothing"], ["--format", "mp3"], ["--class", "one", "--track", "one_0"]):
        code, _, err = typed(*common, "--overwrite", *words)
        assert (code, err.count("\n")) == (2, 1), err
    assert to.read_bytes() == zipped(run, track="two_0")


def test_every_refusal_is_one_that_a_person_can_act_on(made: Make, tmp_path: Path) -> None:
    run = made()
    for to in (tmp_path / "nowhere" / "x.zip", tmp_path / f"{'x' * 300}.zip", track_file(run, "one_0") / "folder"):
        with pytest.raises(DistrackError, match="cannot"):
            export(run, to)
