"""What every registered dataset keeps, shown on a small tree in its official layout; then what each promises beside."""

import csv
import io
import random
import re
import shutil
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from distrack.audio import SAMPLE_RATE
from distrack.datasets import DATASETS, Clip, Index, index, look, prepare
from distrack.datasets.corpora.gtzan import GENRES
from distrack.datasets.corpora.spoken_digits import SPOKEN_DIGITS, VOICES, make_spoken_digits, utterances
from distrack.errors import ConfigError, DatasetError
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


def write_list(path: Path, columns: str, rows: Iterable[tuple[object, ...]]) -> None:
    """A csv."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns.split(","), *rows])


URBAN = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)


def urbansound8k_tree(root: Path) -> None:
    # As in the real one, a recording (7061) holds sound events in two folds, an event never.
    rows = [
        (f"{source}-{kind}-{fold}-{part}.wav", source, 0.0, 4.0, 1, fold, kind, URBAN[kind])
        for fold in range(1, 11)
        for kind in range(10)
        for source in (7061 if kind == 6 else 100_000 + 10 * fold + kind,)
        for part in range(2)
    ]
    write(root, *(f"audio/fold{row[5]}/{row[0]}" for row in rows))
    write_list(
        root / "metadata/UrbanSound8K.csv", "slice_file_name,fsID,start,end,salience,fold,classID,class", reversed(rows)
    )
    (root / "audio/fold1/.DS_Store").write_bytes(b"Bud1")
    (root / "FREESOUNDCREDITS.txt").write_text("100032 by nfrae")


MEDLEY = (
    *("clarinet", "distorted electric guitar", "female singer", "flute"),
    *("piano", "tenor saxophone", "trumpet", "violin"),
)


def medley_solos_db_tree(root: Path) -> None:
    rows = [
        (subset, name, number, f"{100 * side + number:03}", f"{side}{number}{take}d41a8-afad-501f-fbc3-d406dc694ceb")
        for side, subset in enumerate(("test", "training", "validation"))
        for number, name in enumerate(MEDLEY)
        for take in range(3)
    ]
    write(root, *(f"audio/Medley-solos-DB_{row[0]}-{row[2]}_{row[4]}.wav" for row in rows))
    write_list(root / "annotation/Medley-solos-DB_metadata.csv", "subset,instrument,instrument_id,track_id,uuid4", rows)


NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def tinysol_tree(root: Path) -> None:
    instruments = (("Brass/Trumpet_C", "TpC", "Trumpet in C"), ("Strings/Violoncello", "Vc", "Cello"))
    rows = [
        (
            *(f"{place}/ordinario/{short}-ord-{NOTES[pitch % 12]}{pitch // 12 - 1}-{loud}-N-T13d.wav", fold),
            *(place.split("/")[0], short, name, "ord", "ordinario", f"{NOTES[pitch % 12]}{pitch // 12 - 1}", pitch),
            *(loud, fold, 0, "", "TRUE"),
        )
        for place, short, name in instruments
        for fold, loud in enumerate(("pp", "p", "mf", "f", "ff"))
        for pitch in range(54, 66)
    ]
    write(root, *(f"audio/{row[0]}" for row in rows))
    columns = (
        "Path,Fold,Family,Instrument (abbr.),Instrument (in full),Technique (abbr.),Technique (in full),"
        "Pitch,Pitch ID,Dynamics,Dynamics ID,Instance ID,String ID (if applicable),Needed digital retuning"
    )
    write_list(root / "annotation/TinySOL_metadata.csv", columns, rows)


def gtzan_tree(root: Path) -> None:
    from torchaudio.datasets import gtzan

    for genre in GENRES:
        names = [
            name
            for names, count in ((gtzan.filtered_train, 3), (gtzan.filtered_valid, 1), (gtzan.filtered_test, 2))
            for name in [name for name in names if name.startswith(genre)][:count]
        ]
        write(root, *(f"genres/{genre}/{name}.{'au' if genre == 'rock' else 'wav'}" for name in names))
    # One of the 70 that the lists leave out.
    write(root, "genres/jazz/jazz.00033.wav")
    (root / "genres/._blues").write_bytes(b"Mac OS X")


ESC50 = (
    *("dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow", "rain", "sea_waves"),
    *("crackling_fire", "crickets", "chirping_birds", "water_drops", "wind", "pouring_water", "toilet_flush"),
    *("thunderstorm", "crying_baby", "sneezing", "clapping", "breathing", "coughing", "footsteps", "laughing"),
    *("brushing_teeth", "snoring", "drinking_sipping", "door_wood_knock", "mouse_click", "keyboard_typing"),
    *("door_wood_creaks", "can_opening", "washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick"),
    *("glass_breaking", "helicopter", "chainsaw", "siren", "car_horn", "engine", "train", "church_bells"),
    *("airplane", "fireworks", "hand_saw"),
)
ESC10 = {0, 1, 10, 11, 12, 20, 21, 38, 40, 41}


def esc50_tree(root: Path) -> None:
    rows = [
        (f"{fold}-{source}-{take}-{kind}.wav", fold, kind, ESC50[kind], str(kind in ESC10), source, take)
        for fold in range(1, 6)
        for kind in range(50)
        for source in (100_000 + 100 * fold + kind,)
        for take in "AB"
    ]
    write(root, *(f"audio/{row[0]}" for row in rows))
    write_list(root / "meta/esc50.csv", "filename,fold,target,category,esc10,src_file,take", rows)
    (root / "meta/esc50-human.xlsx").write_bytes(b"PK")


def esc10_tree(root: Path) -> None:
    kinds = (
        *("Dog bark", "Rain", "Sea waves", "Baby cry", "Clock tick"),
        *("Person sneeze", "Helicopter", "Chainsaw", "Rooster", "Fire crackling"),
    )
    write(
        root,
        *(
            f"{number:03} - {name}/{fold}-{100 * number + fold}-{take}.ogg"
            for number, name in enumerate(kinds, 1)
            for fold in range(1, 6)
            for take in "AB"
        ),
    )
    (root / "README.txt").write_text("# ESC-10: Dataset for Environmental Sound Classification")


def musicnet_tree(root: Path) -> None:
    write(root, *(f"train_data/{number}.wav" for number in (1727, 1728, 1729, 2678)))
    write(root, *(f"test_data/{number}.wav" for number in (2303, 1819)))
    write_list(root / "train_labels/1727.csv", "start_time,end_time,instrument,note", [(9182, 90078, 43, 53)])


# A registered dataset without a tree fails: whoever adds one says here what its official layout looks like.
TREES: dict[str, Callable[[Path], None]] = {
    "AUDIO_MNIST": audio_mnist_tree,
    "FSDD": fsdd_tree,
    "FOLDER": folder_tree,
    "SPOKEN_DIGITS": spoken_digits_tree,
    "URBANSOUND8K": urbansound8k_tree,
    "MEDLEY_SOLOS_DB": medley_solos_db_tree,
    "TINYSOL": tinysol_tree,
    "TINYSOL_INSTRUMENTS": tinysol_tree,
    "GTZAN": gtzan_tree,
    "ESC50": esc50_tree,
    "ESC10": esc10_tree,
    "MUSICNET": musicnet_tree,
}
AUDIO = {".wav", ".flac", ".ogg", ".au"}

every_dataset = pytest.mark.parametrize("name", list(DATASETS))
every_labelled = pytest.mark.parametrize("name", [name for name in DATASETS if DATASETS[name].labelled])
every_folded = pytest.mark.parametrize("name", [name for name in DATASETS if DATASETS[name].folds])
every_listed = pytest.mark.parametrize(
    ("name", "file"),
    [
        ("URBANSOUND8K", "metadata/UrbanSound8K.csv"),
        ("MEDLEY_SOLOS_DB", "annotation/Medley-solos-DB_metadata.csv"),
        ("TINYSOL", "annotation/TinySOL_metadata.csv"),
        ("ESC50", "meta/esc50.csv"),
        ("ESC10", "meta/esc50.csv"),
    ],
)


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
    for said in (dataset.title, dataset.task, dataset.stands_for, dataset.licence, dataset.url, dataset.layout):
        assert said.strip()
        assert "\n" not in said
    if name != "FOLDER":
        assert dataset.url.startswith("https://")
        assert re.match(r"@\w+\{\w+, ", dataset.citation)
        assert dataset.citation.count("{") == dataset.citation.count("}")
        assert dataset.clips > 0
        assert dataset.size > 0
    assert dataset.seconds > 0
    assert (dataset.test_fold in dataset.folds) == bool(dataset.folds)


@every_dataset
def test_a_person_can_have_it(name: str) -> None:
    """It is made, downloaded or asked for; what is downloaded is checked wherever a checksum is published."""
    dataset = DATASETS[name]
    assert name == "FOLDER" or dataset.make or dataset.downloads or dataset.form
    assert "--data" in dataset.how_to_get()
    for remote in dataset.downloads:
        assert remote.url.startswith("https://")
        assert remote.checksum is None or re.fullmatch(r"md5:[0-9a-f]{32}", remote.checksum)
        assert remote.checksum or name in {"FSDD", "AUDIO_MNIST"}
        assert remote.unpacked is None or remote.unpacked > dataset.size


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("AUDIO_MNIST", "AUDIO_MNIST"),
        ("AudioMNIST", "AUDIO_MNIST"),
        ("URBANSOUND8K", "URBANSOUND8K"),
        ("UrbanSound8K", "URBANSOUND8K"),
        ("MedleySolos", "MEDLEY_SOLOS_DB"),
        ("MEDLEY_SOLOS_DB", "MEDLEY_SOLOS_DB"),
        ("medley-solos-db", "MEDLEY_SOLOS_DB"),
        ("TinySOL", "TINYSOL"),
        ("gtzan", "GTZAN"),
        ("ESC-10", "ESC10"),
        ("esc10", "ESC10"),
        ("ESC-50", "ESC50"),
        ("MusicNet", "MUSICNET"),
    ],
)
def test_a_dataset_answers_to_the_names_people_call_it_by(spelling: str, name: str) -> None:
    assert DATASETS[spelling].name == name


@every_labelled
def test_its_official_layout_is_indexed_and_valid(name: str, tmp_path: Path) -> None:
    found = index(name, tree_of(name, tmp_path / "tree"))
    on_disk = {path for path in (tmp_path / "tree").rglob("*") if path.suffix in AUDIO}
    assert {clip.path for clip in found.clips} | set(found.unlisted) == on_disk
    assert len(found.unlisted) == (1 if name == "GTZAN" else 0)
    assert found.skipped == ()
    assert {(clip.label, clip.split) for clip in found.clips} >= {
        (label, split) for label in range(len(found.classes)) for split in ("train", "test")
    }
    assert found.disjoint_by


@every_labelled
def test_no_group_stands_on_both_sides(name: str, tmp_path: Path) -> None:
    found = index(name, tree_of(name, tmp_path / "tree"))
    if any(clip.group for clip in found.clips):
        groups = sides(found)
        assert all(clip.group for clip in found.clips), "some clips have a group and some have none"
        assert not groups["train"] & groups["test"]
    else:
        # What no file and no list tells: the artists are known to those who drew GTZAN's split.
        assert found.disjoint_by == {"GTZAN": "artist", "FOLDER": "clip"}.get(name, "note")


@every_folded
def test_every_official_fold_can_be_the_test_side(name: str, tmp_path: Path) -> None:
    dataset, tree = DATASETS[name], tree_of(name, tmp_path / "tree")
    turns = {fold: index(name, tree, test_fold=fold) for fold in dataset.folds}
    everything = {clip.path for clip in turns[dataset.folds[0]].clips}
    tested: list[Path] = []
    for fold, found in turns.items():
        test = [clip.path for clip in found.clips if clip.split == "test"]
        assert test
        assert {clip.path for clip in found.clips} == everything
        # Never drawn anew: a clip stays in the fold that its authors put it in.
        assert {clip.fold for clip in found.clips if clip.split == "test"} == {fold}
        assert {clip.split for clip in found.clips if clip.fold != fold} == {"train"}
        tested += test
    assert len(tested) == len(everything) == len(set(tested))
    assert index(name, tree) == look(name, tree) == turns[dataset.test_fold or 0]


@every_labelled
def test_a_fold_that_it_does_not_have_is_refused_by_number(name: str, tmp_path: Path) -> None:
    tree = tree_of(name, tmp_path / "tree")
    with pytest.raises(ConfigError, match=r"^test fold 99: .*(official folds|choose one of \d)") as refused:
        index(name, tree, test_fold=99)
    assert name in str(refused.value)


@every_labelled
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


@every_labelled
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
        look(name, root)
    assert str(root) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in {"FOLDER", "SPOKEN_DIGITS"}])
def test_it_is_found_in_the_folder_that_its_archive_makes(name: str, tmp_path: Path) -> None:
    tree = tree_of(name, tmp_path / "tree")
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / ".hidden").mkdir()
    tree.rename(tmp_path / "place" / "Some-Archive-master")
    TREES[name](tmp_path / "again")
    inside, again = look(name, tmp_path / "place"), look(name, tmp_path / "again")
    assert inside.root == tmp_path / "place"
    found = [(clip.path.relative_to(inside.root / "Some-Archive-master"), clip[1:]) for clip in inside.clips]
    assert found == [(clip.path.relative_to(again.root), clip[1:]) for clip in again.clips]


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


def test_fsdd_tests_on_the_first_five_takes(tmp_path: Path) -> None:
    fsdd_tree(tmp_path)
    takes = {int(clip.path.stem.rsplit("_", 1)[1]) for clip in index("FSDD", tmp_path).clips if clip.split == "test"}
    assert takes == {0, 1, 2, 3, 4}


# Datasets that come with a list


@every_listed
def test_what_its_list_names_and_is_not_there_is_named(name: str, file: str, tmp_path: Path) -> None:
    TREES["ESC50" if name == "ESC10" else name](tmp_path)
    before = look(name, tmp_path)
    gone, extra = before.clips[3].path, before.clips[0].path.with_name("another take.wav")
    gone.rename(extra)
    found = look(name, tmp_path)
    assert found.skipped == ((gone, f"listed in {Path(file).name}, but missing"),)
    assert found.unlisted == (extra,)
    assert found.clips == tuple(clip for clip in before.clips if clip.path != gone)


@every_listed
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a text file in UTF-8"),
        (b"RIFF\x00\x00", "has no column"),
        (b"x" * 200_000, "cannot be read as a csv"),
        ("Größe,Datei\n1,a.wav\n".encode("latin-1"), "not a text file in UTF-8"),
    ],
)
def test_a_list_that_is_none_is_refused_by_its_name(
    name: str, file: str, text: bytes, said: str, tmp_path: Path
) -> None:
    TREES["ESC50" if name == "ESC10" else name](tmp_path)
    (tmp_path / file).write_bytes(text)
    with pytest.raises(DatasetError, match=said) as refused:
        look(name, tmp_path)
    assert str(tmp_path / file) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@every_listed
def test_a_list_without_a_column_lines_or_the_end_of_a_line_is_refused_by_name(
    name: str, file: str, tmp_path: Path
) -> None:
    TREES["ESC50" if name == "ESC10" else name](tmp_path)
    lines = (tmp_path / file).read_text().splitlines()
    column = {"URBANSOUND8K": "fold", "MEDLEY_SOLOS_DB": "uuid4", "TINYSOL": "Fold"}.get(name, "src_file")
    damages = {
        f"has no column {column}: its first line": [lines[0].replace(column, "x"), *lines[1:]],
        "lists nothing": lines[:1],
        r"line 3 of .* ends before its column \w+: the file is cut off": [*lines[:2], lines[2].split(",")[0]],
    }
    for said, damaged in damages.items():
        (tmp_path / file).write_text("\n".join(damaged) + "\n")
        with pytest.raises(DatasetError, match=said) as refused:
            look(name, tmp_path)
        assert str(tmp_path / file) in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


@every_listed
def test_a_list_saved_by_a_spreadsheet_is_the_same(name: str, file: str, tmp_path: Path) -> None:
    """With the mark of UTF-8, Windows' line ends, empty lines, another order of columns and every line twice."""
    TREES["ESC50" if name == "ESC10" else name](tmp_path)
    before = look(name, tmp_path)
    with (tmp_path / file).open(newline="") as lines:
        rows = [list(reversed(row)) for row in csv.reader(lines)]
    with (tmp_path / file).open("w", newline="", encoding="utf-8-sig") as lines:
        csv.writer(lines).writerows([*rows, [], *rows[1:]])
    assert look(name, tmp_path) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",10,9,street_music", ",11,9,street_music", "has '11' as fold, not one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        (",10,9,street_music", ",ten,9,street_music", "has 'ten' as fold, not one of 1"),
        (",9,street_music", ",9.5,street_music", "has '9.5' as classID, not a whole number"),
        (",9,street_music", ",9,", "has nothing as class"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_line_and_column(old: str, new: str, said: str, tmp_path: Path) -> None:
    urbansound8k_tree(tmp_path)
    file = tmp_path / "metadata/UrbanSound8K.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(DatasetError, match=rf"^line 2 of .*UrbanSound8K\.csv {said}"):
        look("URBANSOUND8K", tmp_path)


def test_a_file_listed_as_two_things_is_refused(tmp_path: Path) -> None:
    esc50_tree(tmp_path)
    with (tmp_path / "meta/esc50.csv").open("a") as file:
        file.write("1-100100-A-0.wav,1,1,rooster,True,100100,A\n")
    with pytest.raises(DatasetError, match=r"esc50\.csv lists 1-100100-A-0\.wav twice, as two different things"):
        look("ESC50", tmp_path)


@pytest.mark.parametrize("name", ["../outside.wav", "/etc/passwd", "Brass/../../../outside.wav"])
def test_a_name_that_leaves_the_folder_is_skipped_and_named(name: str, tmp_path: Path) -> None:
    tinysol_tree(tmp_path / "tree")
    write(tmp_path, "outside.wav")
    file = tmp_path / "tree/annotation/TinySOL_metadata.csv"
    first = file.read_text().splitlines()[1].split(",", 1)[1]
    with file.open("a") as lines:
        lines.write(f"{name},{first}\n")
    found = index("TINYSOL", tmp_path / "tree")
    assert found.skipped == (
        (found.root / "audio" / name, "listed in TinySOL_metadata.csv at a place outside of the dataset's folder"),
    )
    assert len(found.clips) == 120


# URBANSOUND8K, ESC50 and ESC10


def test_urbansound8k_keeps_a_sound_event_in_one_fold(tmp_path: Path) -> None:
    urbansound8k_tree(tmp_path)
    found = index("URBANSOUND8K", tmp_path)
    assert found.classes == URBAN
    assert found.disjoint_by == "sound event"
    assert {clip.group for clip in found.clips if clip.path.name.startswith("7061-6-3-")} == {"7061-6-3"}


def test_folds_that_do_not_keep_groups_together_claim_nothing_but_themselves(tmp_path: Path) -> None:
    esc50_tree(tmp_path)
    file = tmp_path / "meta/esc50.csv"
    file.write_text(file.read_text().replace(",100200,", ",100100,"))
    found = index("ESC50", tmp_path)
    assert found.disjoint_by == "official fold"
    assert {clip.group for clip in found.clips} == {""}


def test_esc10_is_a_part_of_esc50(tmp_path: Path) -> None:
    esc50_tree(tmp_path)
    whole, part = index("ESC50", tmp_path), index("ESC10", tmp_path)
    assert len(whole.classes) == 50
    assert whole.classes[:2] == ("dog", "rooster")
    assert part.classes == tuple(ESC50[kind] for kind in sorted(ESC10))
    assert {clip.path for clip in part.clips} == {
        clip.path for clip in whole.clips if whole.classes[clip.label] in part.classes
    }
    assert part.unlisted == ()


def test_esc10_finds_esc50_where_that_was_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTRACK_DATA_PATH", str(tmp_path))
    settings.cache_clear()
    try:
        esc50_tree(tmp_path / "esc50/ESC-50-master")
        tinysol_tree(tmp_path / "tinysol")
        assert len(index("ESC10").clips) == 100
        assert len(index("TINYSOL_INSTRUMENTS").clips) == 120
    finally:
        settings.cache_clear()


# TINYSOL


def test_tinysol_has_two_questions_to_the_same_notes(tmp_path: Path) -> None:
    tinysol_tree(tmp_path)
    pitch, instrument = index("TINYSOL", tmp_path), index("TINYSOL_INSTRUMENTS", tmp_path)
    assert pitch.classes == NOTES
    assert instrument.classes == ("Cello", "Trumpet in C")
    assert [clip.path for clip in pitch.clips] == [clip.path for clip in instrument.clips]
    for clip in pitch.clips:
        assert f"-{pitch.classes[clip.label]}" in clip.path.name.rstrip("0123456789")


# MEDLEY_SOLOS_DB


def test_medley_solos_db_has_the_sides_of_its_authors(tmp_path: Path) -> None:
    medley_solos_db_tree(tmp_path)
    found = index("MEDLEY_SOLOS_DB", tmp_path)
    assert found.classes == MEDLEY
    said = {"train": "_training-", "validation": "_validation-", "test": "_test-"}
    assert all(said[clip.split] in clip.path.name for clip in found.clips)
    assert Counter(clip.split for clip in found.clips) == {"train": 24, "validation": 24, "test": 24}


def test_medley_solos_db_with_a_track_on_two_sides_is_refused(tmp_path: Path) -> None:
    medley_solos_db_tree(tmp_path)
    file = tmp_path / "annotation/Medley-solos-DB_metadata.csv"
    file.write_text(file.read_text().replace("training,clarinet,0,100", "training,clarinet,0,000"))
    with pytest.raises(DatasetError, match=r"track 000 of .* stands on two sides"):
        index("MEDLEY_SOLOS_DB", tmp_path)


def test_an_archive_that_unpacks_beside_its_list_is_found(tmp_path: Path) -> None:
    for name, tree in (("MEDLEY_SOLOS_DB", medley_solos_db_tree), ("TINYSOL", tinysol_tree)):
        root = tmp_path / name
        tree(root)
        (root / "audio").rename(root / "there")
        (root / "audio").mkdir()
        (root / "there").rename(root / "audio" / "an archive's own")
        assert index(name, root).skipped == ()


# GTZAN


def test_gtzan_has_the_artist_filtered_split(tmp_path: Path) -> None:
    gtzan_tree(tmp_path)
    found = index("GTZAN", tmp_path)
    assert found.classes == GENRES
    assert found.disjoint_by == "artist"
    assert Counter(clip.split for clip in found.clips) == {"train": 30, "validation": 10, "test": 20}
    assert [path.name for path in found.unlisted] == ["jazz.00033.wav"]


@pytest.mark.parametrize("below", ["genres_original", "Data/genres_original", "."])
def test_gtzan_is_found_where_copies_of_it_put_it(below: str, tmp_path: Path) -> None:
    gtzan_tree(tmp_path / "first")
    (tmp_path / "copy" / below).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(tmp_path / "first/genres", tmp_path / "copy" / below, dirs_exist_ok=True)
    found = index("GTZAN", tmp_path / "copy")
    assert (len(found.clips), found.disjoint_by) == (60, "artist")


def test_gtzan_with_other_names_is_split_by_clip_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, *(f"{genre}/song {n}.wav" for genre in ("jazz", "rock") for n in range(10)))
    found = index("GTZAN", tmp_path)
    assert found.classes == ("jazz", "rock")
    assert found.disjoint_by == "clip"
    assert Counter((clip.label, clip.split) for clip in found.clips) == {
        (label, split): count for label in (0, 1) for split, count in (("train", 8), ("test", 2))
    }


def test_gtzan_with_its_known_bad_file_is_prepared_without_it(tmp_path: Path) -> None:
    gtzan_tree(tmp_path / "tree")
    bad = tmp_path / "tree/genres/jazz/jazz.00054.wav"
    bad.write_bytes(b"\x00" * 4_096)
    prepared = prepare(index("GTZAN", tmp_path / "tree"), seconds=0.1, cache_path=tmp_path / "cache")
    assert [skip.path for skip in prepared.skipped] == [bad]
    assert "unreadable" in prepared.skipped[0].reason
    assert len(prepared.rows) == len(prepared.index.clips) - 1


# MUSICNET


def test_musicnet_has_pieces_and_no_classes(tmp_path: Path) -> None:
    musicnet_tree(tmp_path)
    found = look("MUSICNET", tmp_path)
    assert (found.classes, len(found.clips), {clip.split for clip in found.clips}) == (("piece",), 6, {"train"})
    assert len(look("MUSICNET", tmp_path / "train_data").clips) == 4
    with pytest.raises(DatasetError, match="MUSICNET has pieces to take apart, not classes to tell apart"):
        index("MUSICNET", tmp_path)


def test_musicnet_is_where_audio_path_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    musicnet_tree(tmp_path)
    monkeypatch.setenv("AUDIO_PATH", str(tmp_path / "train_data"))
    settings.cache_clear()
    try:
        assert len(look("MusicNet").clips) == 4
    finally:
        settings.cache_clear()


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
    with pytest.raises(DatasetError, match=r"speaker x of .* stands on two sides of the split"):
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
