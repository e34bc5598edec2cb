"""Prepared datasets go to a store and come back from it: another machine distils the same bits without a recording."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from distrack import datasets, jobs
from distrack.datasets import DATASETS, Index
from distrack.errors import ConfigError, DatasetError, DistrackError, RunError, StoreError
from distrack.jobs.distillation import DistillJob
from distrack.jobs.packing import dataset_id, fetch_absent
from distrack.jobs.preparation import Preparation
from distrack.jobs.results import synthetic_file
from distrack.jobs.transfer import PullJob, PushJob, Transferred
from distrack.progress import unwatched
from distrack.settings import settings
from distrack.store import open_store

Typed = Callable[..., tuple[int | str | None, str, str]]


@contextmanager
def machine(path: Path) -> Iterator[Path]:
    """A data path of one's own for the block, as on another machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTRACK_DATA_PATH", str(path / "data"))
        settings.cache_clear()
        yield path
    settings.cache_clear()


def done(job: Preparation | PushJob | PullJob, path: Path) -> Transferred:
    """The report of a job that is done in this process."""
    report: Transferred = jobs.work(job.open(path / "runs"), job)
    return report


def stored(folder: Path) -> str:
    """The word by which a folder of one's own is pulled."""
    return dataset_id("FOLDER", folder).rpartition("/")[2]


def fsdd(root: Path, sounds: Path) -> None:
    """Recordings that are named as those of FSDD, at another rate than clips have."""
    takes = [path for path in sorted(sounds.rglob("*.wav")) if path.stat().st_size]
    (root / "recordings").mkdir(parents=True)
    for digit in range(10):
        for take in range(8):
            shutil.copy(takes[(10 * digit + take) % len(takes)], root / "recordings" / f"{digit}_ann_{take}.wav")


@pytest.fixture
def pushed(bucket: str, sounds: Path, tmp_path: Path) -> Path:
    """A folder of recordings, prepared and pushed by one machine."""
    with machine(tmp_path / "one") as one:
        done(Preparation.validated({"dataset": "folder", "data_path": sounds, "duration": 0.5}), one)
        report = done(PushJob(run=str(sounds), store=bucket), one)
    assert report.runs == (dataset_id("FOLDER", sounds),)
    assert not list((tmp_path / "one" / "data" / "cache" / "packed").glob("[!.]*"))
    return sounds


def test_another_machine_distils_the_same_bits(
    bucket: str, pushed: Path, tiny_job: Callable[..., DistillJob], tmp_path: Path
) -> None:
    job = tiny_job(duration=0.5)
    with machine(tmp_path / "one") as one:
        jobs.work(here := job.create(one / "runs", "here"))
    with machine(tmp_path / "two") as two:
        report = done(PullJob(run=stored(pushed), store=bucket), two)
        folder = Path(report.folder)
        assert folder == two / "data" / "uploads" / stored(pushed)
        assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".safetensors"]
        assert done(PullJob(run=dataset_id("FOLDER", pushed), store=bucket), two).moved == 0, "it is here"
        there = job.model_copy(update={"data_path": folder}).create(two / "runs", "there")
        jobs.work(there)
        before, after = (datasets.index("FOLDER", path) for path in (pushed, folder))
    assert synthetic_file(there).read_bytes() == synthetic_file(here).read_bytes()
    assert described(after) == described(before)
    contents = json.loads((folder / "distrack-dataset.json").read_bytes())
    assert (contents["dataset"], contents["licence"]) == ("FOLDER", DATASETS["FOLDER"].licence)


def described(index: Index) -> tuple[object, ...]:
    """What an index says, apart from where it lies."""
    clips = [(clip.path.relative_to(index.root), *clip[1:]) for clip in index.clips]
    return index.classes, clips, index.disjoint_by, index.random


def test_a_named_dataset_is_found_where_it_was_pulled(bucket: str, sounds: Path, tmp_path: Path, typed: Typed) -> None:
    with machine(tmp_path / "one") as one:
        with pytest.raises(
            RunError, match="dataset FSDD was not prepared here: python -m distrack prepare --dataset FSDD"
        ):
            done(PushJob(run="FSDD", store=bucket), one)
        fsdd(one / "data" / "fsdd", sounds)
        done(Preparation.validated({"dataset": "FSDD", "duration": 0.5}), one)
        code, out, err = typed("push", "fsdd", "--store", bucket, "--runs-path", str(one / "runs"), "--json")
        assert (code, json.loads(out)["runs"]) == (0, ["_datasets/fsdd"]), err
        code, out, _ = typed("models", "--all", "--store", bucket, "--runs-path", str(one / "runs"), "--json")
        (row,) = (row for row in json.loads(out) if row["kind"] == "preparation")
        assert (row["name"], row["title"]) == ("_datasets/fsdd", "Free Spoken Digit Dataset, clips of 0.5 s")
        here = datasets.index("FSDD")
    with machine(tmp_path / "two") as two:
        fetch_absent(open_store(bucket), "FSDD", progress=unwatched)
        there = datasets.index("FSDD")
        assert described(there) == described(here)
        assert there.notes == here.notes == ("Subset: 80 of 3,000 clips",)
        prepared = datasets.prepare(there, seconds=0.5, cache_path=two / "cache")
        with pytest.raises(DatasetError, match=r"have 0\.5 s, not 1 s: pass --duration 0\.5, or get the recordings"):
            datasets.prepare(there, seconds=1.0, cache_path=two / "cache")
        with pytest.raises(ConfigError, match="FSDD has no test fold 3"):
            datasets.index("FSDD", test_fold=3)
    with machine(tmp_path / "one") as one:
        ours = datasets.prepare(here, seconds=0.5, cache_path=one / "cache")
        assert np.array_equal(prepared.waveforms, ours.waveforms)
        assert np.array_equal(prepared.facts, ours.facts)
        assert [path.reason for path in prepared.copies] == [path.reason for path in ours.copies]
        with pytest.raises(StoreError, match=r"already, in .*fsdd, with other files\. Rename that folder"):
            done(PullJob(run="FSDD", store=bucket), one)


def test_what_cannot_be_decoded_is_named_and_left_out(bucket: str, sounds: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sounds, tmp_path / "mine"))
    (folder / "tone" / "broken.wav").write_text("not a sound")
    with machine(tmp_path / "one") as one:
        done(Preparation.validated({"dataset": "folder", "data_path": folder, "duration": 0.5}), one)
        done(PushJob(run=str(folder), store=bucket), one)
    with machine(tmp_path / "two") as two:
        root = Path(done(PullJob(run=stored(folder), store=bucket), two).folder)
        prepared = datasets.prepare(datasets.index("FOLDER", root), seconds=0.5, cache_path=two / "cache")
        assert [skip.path.name for skip in prepared.skipped if "same sound" not in skip.reason] == ["broken.wav"]
        assert datasets.left_out(prepared.index) == {}


def with_other(root: Path, **changes: object) -> None:
    """Changes `distrack-dataset.json`."""
    file = root / "distrack-dataset.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": "another"}, "is damaged"),
        ({"classes": ["one"]}, "a clip is of a class that it does not name"),
        ({"clips": [{"name": "../../x.wav", "label": 0, "split": "train"}]}, "is not the name of a file of a dataset"),
        ({"clips": [{"name": "/x.wav", "label": 0, "split": "train"}]}, "is not the name of a file of a dataset"),
        ({"skipped": [["../x", "why"]]}, "is not the name of a file of a dataset"),
        ({"clips_per_file": 1}, "is damaged"),
        ({"seconds": 0.25}, "have 0.25 s, not 0.5 s"),
    ],
)
def test_a_damaged_dataset_is_refused(
    bucket: str, pushed: Path, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    with machine(tmp_path / "two") as two:
        root = Path(done(PullJob(run=stored(pushed), store=bucket), two).folder)
        with_other(root, **changes)
        with pytest.raises(DistrackError, match=says):
            datasets.prepare(datasets.index("FOLDER", root), seconds=0.5, cache_path=two / "cache")


def test_samples_that_are_no_numbers_are_refused(bucket: str, pushed: Path, tmp_path: Path) -> None:
    with machine(tmp_path / "two") as two:
        root = Path(done(PullJob(run=stored(pushed), store=bucket), two).folder)
        shard = root / "clips-00000.safetensors"
        tensors = safetensors.numpy.load(shard.read_bytes())
        tensors["waveforms"][0, 0] = np.nan
        shard.write_bytes(safetensors.numpy.save(tensors))
        with pytest.raises(DatasetError, match="samples that are no numbers"):
            datasets.prepare(datasets.index("FOLDER", root), seconds=0.5, cache_path=two / "cache")


def test_many_clips_lie_in_several_files(
    bucket: str, sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distrack.datasets.packed._SHARD_BYTES", 5 * 8_000 * 4)
    with machine(tmp_path / "one") as one:
        done(Preparation.validated({"dataset": "folder", "data_path": sounds, "duration": 0.5}), one)
        report = done(PushJob(run=str(sounds), store=bucket), one)
        index = datasets.index("FOLDER", sounds)
        ours = datasets.prepare(index, seconds=0.5, cache_path=one / "cache")
    assert report.files == 1 + -(-len(index.clips) // 5)
    with machine(tmp_path / "two") as two:
        root = Path(done(PullJob(run=stored(sounds), store=bucket), two).folder)
        theirs = datasets.prepare(datasets.index("FOLDER", root), seconds=0.5, cache_path=two / "cache")
    assert np.array_equal(theirs.waveforms, ours.waveforms)
