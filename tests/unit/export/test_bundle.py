"""Bundles: complete, the same every time, readable by the `datasets` library; a failure leaves everything as it was."""

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
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
import torch

from distrack import jobs
from distrack.audio import SAMPLE_RATE, flac_bytes, level
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.errors import ConfigError, DistrackError, RunError
from distrack.evaluate import Report
from distrack.export import bundle
from distrack.export.bundle import ExportConfig
from distrack.features import Normalisation
from distrack.figures.style import NAMES
from distrack.jobs import from_json
from distrack.jobs.distillation import DistillJob, distillation_job
from distrack.jobs.results import evaluation_report, synthetic_file, track_file
from distrack.runs import Run, Status
from distrack.settings import PROJECT

MakeJob = Callable[..., DistillJob]
Typed = Callable[..., tuple[int | str | None, str, str]]
Make = Callable[..., Run]

DEMO = Run(PROJECT / "assets" / "demo")
ODD = (
    "a/b",
    'it\'s "quoted"',
    "..",
    "été",
    "日本",
    "007",
    "=SUM(A1)",
    "two\nlines | <b>",
    "A-B",
    "a b",
    "train",
    "val. set",
    "Test1",
    "dev",
    "caf\udce9",
)


def zipped(run: Run, **selection: Any) -> bytes:
    return bundle.zipped(run, ExportConfig(to=Path("bundle.zip"), **selection))


def export(run: Run, to: Path, **options: Any) -> int:
    return bundle.export(run, ExportConfig(to=to, **options))


def files(content: bytes) -> dict[str, bytes]:
    """The files of a zip by name, in the order of its entries."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def arrays(content: Mapping[str, bytes]) -> dict[str, Any]:
    return dict(np.load(io.BytesIO(content["arrays.npz"]), allow_pickle=False))


@pytest.fixture(scope="module")
def make_run(tiny_job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a run with random tracks whose audio is a tone; the track with number `silent` is silence."""

    def make(
        classes: tuple[str, ...] = ("one", "two"),
        *,
        ipc: int = 2,
        silent: int | None = None,
        place: Path | None = None,
        **changes: Any,
    ) -> Run:
        job = tiny_job(ipc=ipc, **changes)
        place = place or tmp_path_factory.mktemp("runs")
        run = job.create(place, f"run-{len(list(place.iterdir()))}")
        draw = torch.Generator().manual_seed(0)
        size = (job.samples,) if job.domain.name == "waveform" else (1, *job.feature.shape(job.samples))
        synthetic = SyntheticSet(
            parameters=0.1 * torch.randn(len(classes) * ipc, *size, generator=draw),
            row_labels=torch.arange(len(classes)).repeat_interleave(ipc),
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


@pytest.fixture
def made(make_run: Make, tmp_path: Path) -> Make:
    """`make_run` in the folder of the test."""
    return partial(make_run, place=tmp_path)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can grow beyond this number of bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_bundle_holds_everything_of_the_run() -> None:
    content, synthetic = files(zipped(DEMO)), SyntheticSet.load(synthetic_file(DEMO))
    names = synthetic.track_names()
    assert list(content) == sorted(content)
    assert content.keys() == {
        *("README.md", "LICENCE.txt", "CITATION.txt", "config.json", "report.json", "synthetic.safetensors"),
        *("arrays.npz", "tracks.csv", "audio/metadata.jsonl"),
        *(f"audio/{name}.flac" for name in names),
        *(f"images/{name}.png" for name in names),
    }
    assert all(content[f"audio/{name}.flac"] == track_file(DEMO, name).read_bytes() for name in names)
    assert all(content[f"images/{name}.png"].startswith(b"\x89PNG") for name in names)
    assert content["synthetic.safetensors"] == synthetic.to_bytes()
    assert from_json(json.loads(content["config.json"])) == distillation_job(DEMO)
    assert Report.model_validate_json(content["report.json"]) == evaluation_report(DEMO)
    dataset = DATASETS["SPOKEN_DIGITS"]
    assert dataset.licence in content["LICENCE.txt"].decode()
    assert dataset.citation in content["CITATION.txt"].decode()
    stored = arrays(content)
    np.testing.assert_array_equal(stored["images"], synthetic.images().squeeze(1).numpy())
    assert stored["labels"].tolist() == synthetic.labels.tolist()
    assert stored["tracks"].tolist() == names
    assert stored["classes"].tolist() == list(synthetic.classes)


def test_a_bundle_of_a_class_or_a_track_holds_nothing_else(made: Make) -> None:
    run = made(ipc=3)
    of_class = files(zipped(run, of_class="two"))
    assert [name for name in of_class if name.endswith(".flac")] == [f"audio/two_{k}.flac" for k in range(3)]
    assert arrays(of_class)["tracks"].tolist() == ["two_0", "two_1", "two_2"]
    assert arrays(of_class)["labels"].tolist() == [1, 1, 1]
    one = files(zipped(run, track="two_1"))
    assert one["tracks.csv"].decode().splitlines()[1:] == ["two_1.flac,1,two,two_1,0.5,false"]
    facts = {"label": 1, "class": "two", "track": "two_1", "seconds": 0.5, "silent": False}
    assert json.loads(one["audio/metadata.jsonl"]) == {"file_name": "two_1.flac", **facts}
    np.testing.assert_array_equal(arrays(one)["images"], arrays(of_class)["images"][1:2])
    assert "part of a synthetic set of 6 tracks" in one["README.md"].decode()
    # That file holds all tracks of the run.
    assert "synthetic.safetensors" not in of_class.keys() | one.keys()


def test_wav_has_the_same_samples_as_flac(made: Make) -> None:
    run = made()
    content = files(zipped(run, format="wav"))
    wave, rate = soundfile.read(io.BytesIO(content["audio/one_1.wav"]), dtype="int16")
    expected, _ = soundfile.read(track_file(run, "one_1"), dtype="int16")
    assert rate == SAMPLE_RATE
    assert soundfile.info(io.BytesIO(content["audio/one_1.wav"])).subtype == "PCM_16"
    np.testing.assert_array_equal(wave, expected)
    assert not any(name.endswith(".flac") for name in content)


def test_distilled_waveforms_are_among_the_arrays(made: Make) -> None:
    run = made(domain="waveform")
    content = files(zipped(run, of_class="two"))
    rendered = SyntheticSet.load(synthetic_file(run)).render()
    np.testing.assert_array_equal(arrays(content)["waveforms"], rendered[2:].numpy())
    assert "distilled waveforms" in content["README.md"].decode()


def test_a_card_names_the_inversion_of_sounds_that_are_not_stored_as_samples(tiny_job: MakeJob, tmp_path: Path) -> None:
    job = tiny_job(domain="waveform", parameterisation="vocoder", factor=8)
    run = job.model_copy(update={"evaluation": None}).create(tmp_path, "vocoder")
    jobs.work(run)
    content = files(zipped(run))
    rendered = SyntheticSet.load(synthetic_file(run)).render()
    np.testing.assert_array_equal(arrays(content)["waveforms"], rendered.numpy())
    assert "which a fixed inversion makes audible (non-negative least squares" in content["README.md"].decode()


def test_the_same_run_gives_the_same_bytes_at_any_place_and_time(made: Make, tmp_path: Path) -> None:
    run = made()
    moved = Run(Path(shutil.copytree(run.path, tmp_path / "elsewhere" / run.id)))
    for path in moved.path.rglob("*"):
        os.utime(path, (1e9, 1e9))
    assert zipped(run) == zipped(moved)


def test_no_file_reveals_the_machine(made: Make, tmp_path: Path, sounds: Path) -> None:
    run = made()
    assert distillation_job(run).data_path == sounds
    run.write("status.json", Status(state="done", host="the-name-of-a-host").model_dump_json())
    for content in files(zipped(run)).values():
        for private in (str(tmp_path), str(sounds), str(PROJECT), "the-name-of-a-host"):
            assert private.encode() not in content


# The `datasets` library


class Loaded(NamedTuple):
    """What the `datasets` library and the hub read in two bundles, each with its run and its folder."""

    odd: dict[str, Any]
    odd_run: Run
    odd_folder: Path
    demo: dict[str, Any]
    demo_folder: Path


@pytest.fixture(scope="module")
def loaded(make_run: Make, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A bundle with odd class names and one of the demo, loaded offline in one process, as the library takes long."""
    script = (
        "import json, sys\n"
        "from datasets import Audio, load_dataset\n"
        "from huggingface_hub import DatasetCard\n"
        "for folder in sys.argv[1:]:\n"
        "    tracks = load_dataset(folder, split='train')\n"
        "    audio = folder + '/audio'\n"
        "    for place in ({'data_dir': folder}, {'data_dir': audio}, {'data_files': audio + '/*'}):\n"
        "        (split, found), = load_dataset('audiofolder', **place).items()\n"
        "        assert (split, found.num_rows) == ('train', tracks.num_rows), (place, split, found.num_rows)\n"
        "        assert found['label'] == tracks['label'], place\n"
        "    names = tracks.features['label'].names\n"
        "    kinds = {name: str(kind) for name, kind in tracks.features.items()}\n"
        "    tracks = tracks.cast_column('audio', Audio(decode=False))\n"  # decoding needs FFmpeg
        "    card = DatasetCard.load(folder + '/README.md').data.to_dict()\n"
        "    print(json.dumps({'rows': list(tracks), 'names': names, 'kinds': kinds, 'card': card}))\n"
    )
    place = tmp_path_factory.mktemp("library")
    run, folders = make_run(ODD, silent=3), (place / "odd", place / "demo")
    assert export(run, folders[0]) == 2 * len(ODD)
    export(DEMO, folders[1], format="wav")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(place / "hub"), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    process = subprocess.run(
        [sys.executable, "-c", script, *map(str, folders)],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    odd, demo = map(json.loads, process.stdout.splitlines()[-2:])
    return Loaded(odd, run, folders[0], demo, folders[1])


def test_the_library_loads_a_bundle_with_any_class_names(loaded: Loaded) -> None:
    rows, names = loaded.odd["rows"], [*ODD[:-1], "caf\\udce9"]
    assert loaded.odd["names"] == names
    assert [row["label"] for row in rows] == [label for label in range(len(ODD)) for _ in range(2)]
    assert [row["class"] for row in rows] == [name for name in names for _ in range(2)]
    assert [row["track"] for row in rows] == SyntheticSet.load(synthetic_file(loaded.odd_run)).track_names()
    assert [position for position, row in enumerate(rows) if row["silent"]] == [3]
    paths = [Path(row["audio"]["path"]) for row in rows]
    assert len({path.name.casefold() for path in paths}) == len(paths)
    for row, path in zip(rows, paths, strict=True):
        assert path.parent == loaded.odd_folder / "audio"
        assert path.name.isascii()
        assert not set(path.name) & set("/\\:*?\"<>| '")
        assert path.read_bytes() == track_file(loaded.odd_run, row["track"]).read_bytes()
        assert (loaded.odd_folder / "images" / f"{path.stem}.png").is_file()
    assert loaded.odd["kinds"]["class"] == "Value('string')"
    assert loaded.odd["kinds"]["audio"].startswith("Audio(sampling_rate=16000")


def test_the_hub_reads_the_metadata_of_the_card(loaded: Loaded) -> None:
    card = loaded.demo["card"]
    assert card["license"] == "other"
    assert (loaded.demo_folder / card["license_link"]).is_file()
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
def test_licences_have_the_identifier_of_the_hub(made: Make, name: str, licence: str) -> None:
    run = made()
    config = json.loads((run.path / "config.json").read_text())
    run.write("config.json", json.dumps({**config, "dataset": name}))
    content = files(zipped(run))
    assert f'license: "{licence}"' in content["README.md"].decode().splitlines()
    assert DATASETS[name].citation in content["README.md"].decode()


def test_the_card_has_the_command_the_config_and_the_accuracies(made: Make) -> None:
    text = files(zipped(DEMO))["README.md"].decode()
    report = evaluation_report(DEMO)
    assert report is not None
    assert "\npython -m distrack distill --dataset SPOKEN_DIGITS " in text
    assert f"{report.floats_per_class:,} floats per class" in text
    assert "tracks per class | 8 |" in text
    for each in report.evaluations:
        row = f"| {each.evaluator} | {NAMES[each.training_set]} | {each.network} | {each.accuracy.mean:.3f} ± "
        assert row in text
    assert "Griffin-Lim" in text
    run = made()
    text = files(zipped(run))["README.md"].decode()
    assert "Not evaluated." in text
    assert " --data-path FOLDER" in text.split("```\n")[1]
    assert "report.json" not in files(zipped(run))


def test_a_silent_track_is_included_and_named(made: Make) -> None:
    content = files(zipped(made(silent=2)))
    assert "\nSilent: two\\_0.\n" in content["README.md"].decode()
    silent = [line.split(",")[-1] for line in content["tracks.csv"].decode().splitlines()[1:]]
    assert silent == ["false", "false", "true", "false"]


# Failures


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_track_with_nan_or_infinity_is_refused_by_name(made: Make, value: float) -> None:
    run = made()
    synthetic = SyntheticSet.load(synthetic_file(run))
    synthetic.parameters[3, 0, 2, 5] = value
    run.write("synthetic.safetensors", synthetic.to_bytes())
    with pytest.raises(RunError, match=r"track two_1 holds values that are not numbers"):
        zipped(run)
    assert files(zipped(run, track="two_0"))


def test_an_unknown_selection_or_a_damaged_run_is_refused(made: Make) -> None:
    run = made()
    for wrong, says in (
        ({"of_class": "tow"}, "unknown class 'tow'. Did you mean two?"),
        ({"track": "two_7"}, "unknown track 'two_7'"),
    ):
        with pytest.raises(ConfigError, match=says):
            zipped(run, **wrong)
    track_file(run, "two_1").write_bytes(track_file(run, "two_1").read_bytes()[:200])
    with pytest.raises(RunError, match="the audio of track two_1 is damaged"):
        zipped(run)
    track_file(run, "one_1").unlink()
    with pytest.raises(RunError, match="track one_1 has no audio: python -m distrack resume"):
        zipped(run)
    synthetic_file(run).write_bytes(b"")
    with pytest.raises(RunError, match="not a synthetic set"):
        zipped(run)
    synthetic_file(run).unlink()
    with pytest.raises(RunError, match="no synthetic set yet: python -m distrack resume"):
        zipped(run)


def test_what_exists_is_replaced_only_if_allowed(made: Make, tmp_path: Path) -> None:
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
        (folder, True, "is a folder that is not empty"),
        (folder, False, "is a folder that is not empty"),
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
def test_a_full_disk_leaves_everything_as_it_was(made: Make, tmp_path: Path, name: str) -> None:
    run, place = made(), tmp_path / "place"
    place.mkdir()
    if name == "x.zip":
        (place / name).write_text("before")
    before = list(place.iterdir())
    with room_for(9_000), pytest.raises(ConfigError, match=rf"cannot write .*{name}: {os.strerror(27)}"):
        export(run, place / name, overwrite=True)
    assert list(place.iterdir()) == before
    assert all(path.read_text() == "before" for path in before)


def test_the_command_reports_what_it_wrote_or_why_it_could_not(made: Make, typed: Typed, tmp_path: Path) -> None:
    run, to = made(), tmp_path / "x.zip"
    common = ("export", run.id, "--to", str(to), "--runs-path", str(tmp_path))
    assert typed(*common) == (0, f"{to}: 4 tracks\n", "")
    assert to.read_bytes() == zipped(run)
    code, _, err = typed(*common)
    assert (code, err.count("\n")) == (2, 1)
    assert "--overwrite" in err
    assert typed(*common, "--overwrite", "--class", "one", "--format", "wav")[:2] == (0, f"{to}: 2 tracks\n")
    assert to.read_bytes() == zipped(run, of_class="one", format="wav")
    assert typed(*common, "--overwrite", "--track", "two_0")[:2] == (0, f"{to}: 1 track\n")
    for words in (["--track", "nothing"], ["--format", "mp3"], ["--class", "one", "--track", "one_0"]):
        code, _, err = typed(*common, "--overwrite", *words)
        assert (code, err.count("\n")) == (2, 1), err
    assert to.read_bytes() == zipped(run, track="two_0")


def test_a_place_that_cannot_be_written_to_is_reported(made: Make, tmp_path: Path) -> None:
    run = made()
    for to in (tmp_path / "nowhere" / "x.zip", tmp_path / f"{'x' * 300}.zip", track_file(run, "one_0") / "folder"):
        with pytest.raises(DistrackError, match="cannot"):
            export(run, to)
