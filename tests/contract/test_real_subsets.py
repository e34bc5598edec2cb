"""The datasets on real recordings: the ones that are whole, a part of two, and the whole lists of those."""

import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from distrack.audio import SAMPLE_RATE, decode_clip
from distrack.datasets import DATASETS, Index, index, look, prepare
from distrack.datasets.corpora.tinysol import PITCH_CLASSES
from distrack.errors import ConfigError, DatasetError

pytestmark = pytest.mark.real_data


def empty_files(root: Path, names: Iterable[str]) -> None:
    """Files without content: an index opens none."""
    root.mkdir(parents=True)
    (root / "first").touch()
    made = {root}
    for name in names:
        path = root / name
        if path.parent not in made:
            path.parent.mkdir(parents=True)
            made.add(path.parent)
        os.link(root / "first", path)
    (root / "first").unlink()


def per_class(found: Index) -> Counter[str]:
    return Counter(found.classes[clip.label] for clip in found.clips)


def test_fsdd_is_complete_and_has_its_official_split(real_data: Path) -> None:
    found = index("FSDD", real_data / "fsdd")
    assert len(found.clips) == DATASETS["FSDD"].clips
    assert Counter(clip.split for clip in found.clips) == {"train": 2_700, "test": 300}
    takes = {int(clip.path.stem.rsplit("_", 1)[1]) for clip in found.clips if clip.split == "test"}
    assert takes == {0, 1, 2, 3, 4}
    assert set(Counter(clip.label for clip in found.clips).values()) == {300}
    assert sum(clip.path.stat().st_size for clip in found.clips) == DATASETS["FSDD"].size


def test_esc10_is_complete_and_has_its_official_folds(real_data: Path) -> None:
    found = index("ESC10", real_data / "esc10")
    assert len(found.clips) == DATASETS["ESC10"].clips
    assert set(per_class(found).values()) == {40}
    assert found.classes[0] == "Dog bark"
    assert found.classes[9] == "Fire crackling"
    assert Counter(clip.fold for clip in found.clips) == dict.fromkeys(range(1, 6), 80)
    assert Counter(clip.split for clip in found.clips) == {"train": 320, "test": 80}
    assert found.disjoint_by == "recording"
    assert (found.skipped, found.unlisted) == ((), ())


def test_esc10_can_be_heard(real_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for folder in sorted(path for path in (real_data / "esc10").iterdir() if path.is_dir()):
        (root / folder.name).mkdir(parents=True)
        for fold in range(1, 6):
            file = min(folder.glob(f"{fold}-*.ogg"))
            shutil.copyfile(file, root / folder.name / file.name)
    prepared = prepare(index("ESC10", root), seconds=5.0, cache_path=tmp_path / "cache")
    assert prepared.waveforms.shape == (50, 5 * SAMPLE_RATE)
    assert prepared.skipped == ()
    assert (np.abs(prepared.waveforms).max(axis=1) > 0.001).all()


def test_the_part_of_medley_solos_db_has_the_official_sides(real_data: Path) -> None:
    found = index("MEDLEY_SOLOS_DB", real_data / "medley_solos_db")
    assert Counter(clip.split for clip in found.clips) == {"train": 99, "validation": 10, "test": 136}
    assert len(found.classes) == 8
    assert found.classes[1] == "distorted electric guitar"
    assert per_class(found)["clarinet"] > 129
    assert (found.skipped, found.unlisted) == ((), ())
    wave = decode_clip(found.clips[0].path, seconds=DATASETS["MEDLEY_SOLOS_DB"].seconds).wave
    assert np.abs(wave[-1_600:]).max() > 0, "a clip fills its length"


def test_the_part_of_tinysol_is_split_without_its_folds_and_says_so(real_data: Path) -> None:
    pitches = index("TINYSOL", real_data / "tinysol")
    assert pitches.classes == ("C", "A#")
    assert len(pitches.clips) == 11
    assert not pitches.folds
    assert any("because they have only one note: A" in note for note in pitches.notes)
    assert any("Too few notes for the official folds" in note for note in pitches.notes)
    assert (pitches.skipped, pitches.unlisted) == ((), ())
    instruments = index("TINYSOL_INSTRUMENTS", real_data / "tinysol")
    assert per_class(instruments) == {"Accordion": 4, "Bassoon": 2, "Violin": 3}
    with pytest.raises(ConfigError, match="is not split by folds"):
        index("TINYSOL", real_data / "tinysol", test_fold=0)


def test_a_note_sounds_at_the_pitch_that_it_is_listed_by(real_data: Path) -> None:
    """The strongest partial of a note is a whole multiple of its pitch: of its class, in the octave its name says."""
    found = look("TINYSOL", real_data / "tinysol")
    for clip in found.clips:
        octave = re.search(r"-ord-[A-G]#?(\d)", clip.path.name)
        assert octave is not None
        pitch = 12 * (int(octave[1]) + 1) + PITCH_CLASSES.index(found.classes[clip.label])
        wave = decode_clip(clip.path, seconds=1.5).wave
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 4 * len(wave)))
        peak = float(spectrum.argmax()) * SAMPLE_RATE / (4 * len(wave))
        partial = peak / (440 * 2 ** ((pitch - 69) / 12))
        assert partial > 0.9
        assert abs(partial - round(partial)) < 0.1, f"{clip.path.name}: {peak:.0f} Hz"


@pytest.fixture(scope="module")
def tinysol_of_names(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of TinySOL's official list, and an empty file for each of its lines."""
    root = tmp_path_factory.mktemp("whole") / "tinysol"
    source = real_data / "tinysol/annotation/TinySOL_metadata.full_official.csv"
    empty_files(root / "audio", [line.split(",", 1)[0] for line in source.read_text().splitlines()[1:]])
    (root / "annotation").mkdir()
    shutil.copyfile(source, root / "annotation/TinySOL_metadata.csv")
    return root


@pytest.fixture(scope="module")
def medley_of_names(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of Medley-solos-DB's official list, and an empty file for each of its lines."""
    root = tmp_path_factory.mktemp("whole") / "medley"
    source = real_data / "medley_solos_db/annotation/Medley-solos-DB_metadata.full_official.csv"
    lines = [line.split(",") for line in source.read_text().splitlines()[1:]]
    empty_files(root / "audio", [f"Medley-solos-DB_{line[0]}-{line[2]}_{line[4]}.wav" for line in lines])
    (root / "annotation").mkdir()
    shutil.copyfile(source, root / "annotation/Medley-solos-DB_metadata.csv")
    return root


def test_the_whole_list_of_tinysol(tinysol_of_names: Path) -> None:
    pitches, instruments = index("TINYSOL", tinysol_of_names), index("TINYSOL_INSTRUMENTS", tinysol_of_names)
    for found in (pitches, instruments):
        assert len(found.clips) == DATASETS["TINYSOL"].clips == 2_913
        assert (found.skipped, found.unlisted) == ((), ())
        assert Counter(clip.fold for clip in found.clips) == {0: 583, 1: 582, 2: 583, 3: 582, 4: 583}
    assert pitches.classes == PITCH_CLASSES
    assert per_class(pitches)["C"] == 254
    assert len(instruments.classes) == 14
    assert per_class(instruments)["Accordion"] == 689
    named = {clip.path: re.search(r"-ord-([A-G]#?)\d", clip.path.name) for clip in pitches.clips}
    assert {path for path, match in named.items() if match is None} == set()
    assert all(
        match[1] == pitches.classes[clip.label] for clip in pitches.clips if (match := named[clip.path]) is not None
    )


def test_the_whole_list_of_medley_solos_db(medley_of_names: Path) -> None:
    found = index("MEDLEY_SOLOS_DB", medley_of_names)
    assert len(found.clips) == DATASETS["MEDLEY_SOLOS_DB"].clips == 21_571
    assert Counter(clip.split for clip in found.clips) == {"train": 5_841, "validation": 3_494, "test": 12_236}
    assert (found.skipped, found.unlisted) == ((), ())
    tracks: dict[str, set[str]] = defaultdict(set)
    for clip in found.clips:
        tracks[clip.group].add(clip.split)
    assert len(tracks) == 227
    assert {len(sides) for sides in tracks.values()} == {1}


def test_a_whole_list_beside_a_part_of_its_files_is_refused_with_the_count(real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "tree/annotation").mkdir(parents=True)
    source = real_data / "medley_solos_db"
    shutil.copyfile(
        source / "annotation/Medley-solos-DB_metadata.full_official.csv",
        tmp_path / "tree/annotation/Medley-solos-DB_metadata.csv",
    )
    shutil.copytree(source / "audio", tmp_path / "tree/audio")
    with pytest.raises(DatasetError, match=r"21,326 of 21,571 clips .* are missing .* 245 are there: pass --subset"):
        index("MEDLEY_SOLOS_DB", tmp_path / "tree")
    found = index("MEDLEY_SOLOS_DB", tmp_path / "tree", subset=True)
    assert found.notes == ("Subset: 245 of the 21,571 clips that its list names",)
    assert len(prepare(found, seconds=2.972, cache_path=tmp_path / "cache").rows) == 245
