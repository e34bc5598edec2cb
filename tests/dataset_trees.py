"""Small trees of files in the official layout of every dataset, for tests."""

import csv
import io
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from distrack.audio import SAMPLE_RATE
from distrack.datasets.corpora.gtzan import GENRES
from distrack.datasets.corpora.spoken_digits import utterances


@cache
def sound(container: str = "WAV", number: int = 0) -> bytes:
    """A short sound, as a file; another number is another sound."""
    noise = np.random.default_rng(number).uniform(-0.5, 0.5, SAMPLE_RATE // 20)
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, SAMPLE_RATE, format=container)
    return buffer.getvalue()


def write(root: Path, *names: str) -> None:
    """Makes files with sounds in them, each another one."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound(path.suffix[1:].upper(), zlib.crc32(name.encode())))


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
    """Writes a csv file."""
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
        for take in ("AB" if kind < 2 else "A")
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


# Every registered dataset needs a tree here.
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


def tree_of(name: str, root: Path) -> Path:
    """Builds the tree of a dataset."""
    assert name in TREES, f"add a small tree in the official layout of {name} to TREES"
    root.mkdir()
    TREES[name](root)
    return root
