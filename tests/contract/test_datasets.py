"""What every registered dataset keeps, shown on a small tree in its official layout; then what each promises beside."""

import io
import random
import shutil
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from distrack.audio import SAMPLE_RATE
from distrack.datasets import DATASETS, Clip, Index, index, prepare
from distrack.datasets.spoken_digits import SPOKEN_DIGITS, VOICES, make_spoken_digits, utterances
from distrack.errors import DatasetError
from distrack.settings import settings


def sound(seconds: float = 0.05, *, container: str = "WAV") -> bytes:
    """A short sound, as a file."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, round(seconds * SAMPLE_RATE))
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, SAMPLE_RATE, format=container)
    return buffer.getvalue()


def write(root: Path, *names: str) -> None:
    """Files with a sound in them, below a folder."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound(container=path.suffix[1:].upper()))


def audio_mnist_tree(root: Path, speakers: int = 10) -> None:
    for speaker in (f"{n:02}" for n in range(1, speakers + 1)):
        write(root, *(f"data/{speaker}/{digit}_{speaker}_{take}.wav" for digit in range(10) for take in range(2)))
    (root / "data" / "audioMNIST_meta.txt").write_text("{}")


def fsdd_tree(root: Path) -> None:
    speakers = ("jackson", "theo")
    write(root, *(f"recordings/{d}_{who}_{take}.wav" for d in range(10) for who in speakers for take in range(8)))
    (root / "README.md").write_text("Free Spoken Digit Dataset")


def folder_tree(root: Path) -> None:
    write(root, *(f"{bird}/{bird}_{n}.wav" for bird in ("blackbird", "robin", "wren") for n in range(10)))
    write(root, *(f"{bird}/speaker9/{n}.flac" for bird in ("blackbird", "wren") for n in range(5)))
    (root / "notes.txt").write_text("recorded in May")


def spoken_digits_tree(root: Path) -> None:
    write(root, *(utterance.file for utterance in utterances(5)))


# A registered dataset without a tree fails: whoever adds one says here what its official layout looks like.
TREES: dict[str, Callable[[Path], None]] = {
    "AUDIO_MNIST": audio_mnist_tree,
    "FSDD": fsdd_tree,
    "FOLDER": folder_tree,
    "SPOKEN_DIGITS": spoken_digits_tree,
}

every_dataset = pytest.mark.parametrize("name", list(DATASETS))


def tree_of(name: str, root: Path) -> Path:
    assert name in TREES, f"add a builder of a small tree in the official layout of {name} to TREES"
    root.mkdir()
    TREES[name](root)
    return root


def by_path(found: Index) -> dict[str, tuple[int, str, str]]:
    """The clips, without the place where they stand."""
    return {str(c.path.relative_to(found.root)): (c.label, c.split, c.group) for c in found.clips}


def sides(found: Index) -> dict[str, set[str]]:
    """The groups on either side."""
    groups: dict[str, set[str]] = defaultdict(set)
    for clip in found.clips:
        groups[clip.split].add(clip.group)
    return groups


@every_dataset
def test_it_says_what_it_is_and_whose(name: str) -> None:
    dataset = DATASETS[name]
    assert dataset.name == name == name.upper()
    for said in (dataset.title, dataset.task, dataset.licence, dataset.url, dataset.layout):
        assert said.strip()
    if name != "FOLDER":
        assert dataset.url.startswith("https://")
        assert dataset.citation.strip()
    assert dataset.seconds > 0


@every_dataset
def test_its_official_layout_is_indexed_and_valid(name: str, tmp_path: Path) -> None:
    found = index(name, tree_of(name, tmp_path / "tree"))
    on_disk = {path for path in (tmp_path / "tree").rglob("*") if path.suffix in {".wav", ".flac"}}
    assert {clip.path for clip in found.clips} == on_disk
    assert {(clip.label, clip.split) for clip in found.clips} == {
        (label, split) for label in range(len(found.classes)) for split in ("train", "test")
    }
    assert found.disjoint_by


@every_dataset
def test_no_group_stands_on_both_sides(name: str, tmp_path: Path) -> None:
    found = index(name, tree_of(name, tmp_path / "tree"))
    if any(clip.group for clip in found.clips):
        groups = sides(found)
        assert all(clip.group for clip in found.clips), "some clips have a group and some have none"
        assert not groups["train"] & groups["test"]
    else:
        assert found.disjoint_by == "clip"


@every_dataset
def test_the_split_depends_on_the_files_alone(name: str, tmp_path: Path) -> None:
    tree = tree_of(name, tmp_path / "tree")
    first = index(name, tree)
    assert index(name, tree) == first
    # The same files, made in another order in another place: a disk may list them differently.
    files = [path.relative_to(tree) for path in tree.rglob("*") if path.is_file()]
    random.Random(1).shuffle(files)
    for file in files:
        (tmp_path / "moved" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / file, tmp_path / "moved" / file)
    moved = index(name, tmp_path / "moved")
    assert by_path(moved) == by_path(first)
    assert [clip.path.name for clip in moved.clips] == [clip.path.name for clip in first.clips]


@every_dataset
def test_it_can_be_prepared(name: str, tmp_path: Path) -> None:
    found = index(name, tree_of(name, tmp_path / "tree"))
    prepared = prepare(found, seconds=0.1, cache_path=tmp_path / "cache")
    assert prepared.waveforms.shape == (len(found.clips), 1_600)
    assert prepared.skipped == ()


@every_dataset
@pytest.mark.parametrize("there", ["no folder", "an empty folder", "other things"])
def test_without_its_files_it_says_what_to_do(name: str, there: str, tmp_path: Path) -> None:
    root = tmp_path / "place"
    if there != "no folder":
        root.mkdir()
    if there == "other things":
        (root / "thesis.pdf").write_text("not a dataset")
        (root / "song.wav").write_bytes(sound())
    with pytest.raises(DatasetError, match=r"--data-path|prepare --dataset") as refused:
        index(name, root)
    assert str(root) in str(refused.value)


# AUDIO_MNIST


@pytest.mark.parametrize(("speakers", "test"), [(60, 12), (20, 4), (5, 1), (2, 1)])
def test_audio_mnist_holds_out_a_fifth_of_its_speakers(tmp_path: Path, speakers: int, test: int) -> None:
    audio_mnist_tree(tmp_path, speakers)
    groups = sides(index("AUDIO_MNIST", tmp_path))
    assert (len(groups["train"]), len(groups["test"])) == (speakers - test, test)


def test_audio_mnist_of_one_speaker_has_nobody_to_test_on(tmp_path: Path) -> None:
    audio_mnist_tree(tmp_path, 1)
    with pytest.raises(DatasetError, match="no test clip"):
        index("AUDIO_MNIST", tmp_path)


@pytest.mark.parametrize("name", ["AUDIO_MNIST", "FSDD"])
def test_pointing_at_the_inner_folder_is_the_same(name: str, tmp_path: Path) -> None:
    tree = tree_of(name, tmp_path / "tree")
    (inner,) = [path for path in tree.iterdir() if path.is_dir()]
    assert index(name, inner).clips == index(name, tree).clips


# FSDD


@pytest.mark.real_data
def test_fsdd_has_its_official_split(real_data: Path) -> None:
    found = index("FSDD", real_data / "fsdd")
    assert Counter(clip.split for clip in found.clips) == {"train": 2_700, "test": 300}
    takes = {int(clip.path.stem.rsplit("_", 1)[1]) for clip in found.clips if clip.split == "test"}
    assert takes == {0, 1, 2, 3, 4}
    assert set(Counter(clip.label for clip in found.clips).values()) == {300}


# FOLDER


def test_folder_finds_every_kind_of_file_at_any_depth_and_no_hidden_one(tmp_path: Path) -> None:
    audible = ["a/1.wav", "a/2.flac", "a/deep/3.ogg", "b/4.mp3", "b/5.wav"]
    write(tmp_path, *audible, "a/._1.wav", ".trash/6.wav")
    (tmp_path / "b/5.wav").rename(tmp_path / "b/5.WAV")
    (tmp_path / "a/cover.jpg").write_text("an image")
    found = index("FOLDER", tmp_path)
    assert found.classes == ("a", "b")
    assert sorted(by_path(found)) == sorted([*audible[:4], "b/5.WAV"])


def test_folder_tests_on_a_fifth_of_every_class(tmp_path: Path) -> None:
    write(
        tmp_path, *(f"many/{n}.wav" for n in range(40)), *(f"few/{n}.wav" for n in range(5)), "two/1.wav", "two/2.wav"
    )
    found = index("FOLDER", tmp_path)
    test = Counter(found.classes[clip.label] for clip in found.clips if clip.split == "test")
    assert test == {"many": 8, "few": 1, "two": 1}


def test_folder_keeps_a_group_named_in_the_files_on_one_side(tmp_path: Path) -> None:
    write(tmp_path, *(f"{c}/speaker{who:02}_take{take}.wav" for c in "abc" for who in range(10) for take in range(3)))
    found = index("FOLDER", tmp_path)
    groups = sides(found)
    assert not groups["train"] & groups["test"]
    assert (len(groups["train"]), len(groups["test"])) == (8, 2)
    assert found.disjoint_by == "group in the file name"


def test_folder_where_some_files_name_no_group_is_split_by_clip(tmp_path: Path) -> None:
    write(tmp_path, *(f"{c}/speaker{n:02}.wav" for c in "ab" for n in range(5)), "a/unknown.wav")
    found = index("FOLDER", tmp_path)
    assert found.disjoint_by == "clip"
    assert {clip.group for clip in found.clips} == {""}


def test_folder_where_a_class_has_one_group_only_is_split_by_clip(tmp_path: Path) -> None:
    write(tmp_path, *(f"{c}/player_{c}_{n}.wav" for c in "abc" for n in range(5)))
    found = index("FOLDER", tmp_path)
    assert found.disjoint_by == "clip"
    assert Counter(clip.label for clip in found.clips if clip.split == "test") == {0: 1, 1: 1, 2: 1}


def test_folder_of_one_class_is_refused_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, "only/1.wav", "only/2.wav")
    with pytest.raises(DatasetError, match=r"only one class \(only\)"):
        index("FOLDER", tmp_path)


def test_folder_with_a_class_of_one_clip_is_refused_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, "many/1.wav", "many/2.wav", "lonely/1.wav")
    with pytest.raises(DatasetError, match="no test clip of lonely"):
        index("FOLDER", tmp_path)


# The contract itself refuses


def test_an_index_with_a_leak_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, *(f"{n}.wav" for n in range(4)))
    files = [tmp_path / f"{n}.wav" for n in range(4)]

    def of(groups: str, paths: list[Path]) -> Index:
        clips = (Clip(paths[n], n // 2, "test" if n % 2 else "train", groups[n]) for n in range(4))
        return Index(tmp_path, ("a", "b"), tuple(clips), disjoint_by="speaker")

    of("wxyz", files).validate()
    with pytest.raises(DatasetError, match=r"speaker x of .* stands in both training and test"):
        of("xwyx", files).validate()
    with pytest.raises(DatasetError, match=r"1 files of the index are missing, the first is .*absent\.wav"):
        of("wxyz", [*files[:3], tmp_path / "absent.wav"]).validate()


# SPOKEN_DIGITS


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The whole dataset, made as the command makes it: by asking for its index."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTRACK_DATA_PATH", str(tmp_path_factory.mktemp("data")))
        settings.cache_clear()
        try:
            return index("spoken-digits")
        finally:
            settings.cache_clear()


def test_spoken_digits_is_made_where_it_is_asked_for(spoken: Index) -> None:
    assert len(spoken.clips) == 3_000
    assert {path.name for path in spoken.root.parent.iterdir()} <= {"spoken_digits", "spoken_digits.lock"}
    groups = sides(spoken)
    assert (len(groups["train"]), len(groups["test"])) == (48, 12)
    assert set(Counter((clip.group, clip.label) for clip in spoken.clips).values()) == {5}


def test_spoken_digits_holds_out_voices_never_heard() -> None:
    spoken_by = {utterance.speaker: utterance.voice.split("+")[1] for utterance in utterances()}
    assert len(spoken_by) == len(set(spoken_by.values())) == len(VOICES) == 60


def test_spoken_digits_says_who_speaks(spoken: Index) -> None:
    lines = (spoken.root / "speakers.csv").read_text().splitlines()
    assert lines[0] == "speaker,accent,voice"
    assert len(lines) == 61
    assert len({line.split(",")[1] for line in lines[1:]}) == 8


def test_spoken_digits_are_audible_and_fit_their_second(spoken: Index) -> None:
    for clip in spoken.clips:
        wave, rate = soundfile.read(clip.path, dtype="float32")
        assert (rate, wave.ndim) == (16_000, 1)
        assert 0.15 < len(wave) / rate <= SPOKEN_DIGITS.seconds, clip.path
        assert 0.05 < np.abs(wave).max() < 0.95, clip.path
        assert -28 < 20 * np.log10(np.sqrt(np.mean(wave**2))) < -16, clip.path


def test_spoken_digits_are_told_apart_by_voices_never_heard(spoken: Index) -> None:
    """The nearest class mean, of the spectra of eight parts of a clip, on twelve unheard speakers: chance is 0.1."""
    features, labels = [], np.array([clip.label for clip in spoken.clips])
    for clip in spoken.clips:
        wave, _ = soundfile.read(clip.path, dtype="float32")
        parts = np.array_split(np.trim_zeros(np.round(wave, 3)), 8)
        spectra = np.stack([np.abs(np.fft.rfft(part, 2_048))[1:].reshape(32, 32).mean(1) for part in parts])
        features.append(np.log(spectra / spectra.max() + 1e-3).ravel())
    x, test = np.stack(features), np.array([clip.split == "test" for clip in spoken.clips])
    means = np.stack([x[~test & (labels == digit)].mean(0) for digit in range(10)])
    nearest = np.square(x[test, None] - means).sum(-1).argmin(1)
    assert np.mean(nearest == labels[test]) > 0.7


def test_spoken_digits_are_the_same_bytes_every_time(spoken: Index, tmp_path: Path) -> None:
    # What an interrupted call left: half a clip.
    first = next(iter(utterances()))
    (tmp_path / first.file).parent.mkdir()
    (tmp_path / first.file).write_bytes((spoken.root / first.file).read_bytes()[:500])
    seen: list[tuple[int, int]] = []
    make_spoken_digits(tmp_path, lambda *of: seen.append(of), speakers=3)
    assert seen == [(50, 150), (100, 150), (150, 150)]
    for utterance in utterances(3):
        assert (tmp_path / utterance.file).read_bytes() == (spoken.root / utterance.file).read_bytes()
    assert len(list(tmp_path.rglob("*.flac"))) == 150


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("raise ImportError('no library for this platform')", "no library for this platform"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", f"its process ended with -{signal.SIGSEGV}"),
    ],
)
def test_where_espeak_does_not_work_the_alternatives_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, reason: str
) -> None:
    (tmp_path / "espeakng_loader.py").write_text(broken)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(DatasetError, match=r"FSDD, AUDIO_MNIST or FOLDER with --data-path") as refused:
        make_spoken_digits(tmp_path / "made", speakers=1)
    assert "pip install espeakng-loader" in str(refused.value)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_stopping_leaves_no_voice_behind(tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    before = psutil.Process().children()
    with pytest.raises(KeyboardInterrupt):
        make_spoken_digits(tmp_path, stop)
    assert psutil.Process().children() == before
    assert len(list(tmp_path.rglob("*.flac"))) == 50
