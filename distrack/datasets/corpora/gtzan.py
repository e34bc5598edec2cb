"""GTZAN: 1,000 excerpts of music, 30 s each, of ten genres."""

from pathlib import Path

from distrack.audio import EXTENSIONS
from distrack.datasets.contract import Clip, Dataset, Index, Split, register
from distrack.datasets.corpora.folder import a_fifth_of_each
from distrack.datasets.layout import places

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_EXTENSIONS = EXTENSIONS | {".au"}
_BY_CLIP = "split by clip, not by artist: its files are not those of the published lists"


def index_gtzan(root: Path) -> Index:
    """The artist-filtered split that Kereliuk and colleagues published, which torchaudio brings along.

    It leaves 70 of the 1,000 files out, which repeat others or are faulty: they are unlisted here. Where the files
    are named otherwise, or too few to give each genre both sides, a fifth of each genre is the test side instead, and
    the same artist may be on both.

    One file that the lists do name, jazz.00054, cannot be decoded in common copies; the preparation skips it and says
    so. A clip is the first 5 s of 30.

    Source:
        Kereliuk, Sturm and Larsen, "Deep Learning and Music Adversaries", IEEE Transactions on Multimedia 2015.
    """
    by_genre = _find(root)
    if not by_genre:
        raise GTZAN.not_found(root)
    sides = _artist_filtered()
    notes: tuple[str, ...] = ()
    of = {path: sides.get(path.stem) for files in by_genre.values() for path in files}
    if all({"train", "test"} <= {of[path] for path in files} for files in by_genre.values()):
        disjoint_by = "artist"
    else:
        disjoint_by, notes, test = "clip", (_BY_CLIP,), a_fifth_of_each(by_genre)
        of = {path: "test" if path in test else "train" for path in of}
    clips = tuple(
        Clip(path, label, side)
        for label, files in enumerate(by_genre.values())
        for path in files
        if (side := of[path]) is not None
    )
    unlisted = tuple(path for path, side in of.items() if side is None)
    return Index(root, tuple(by_genre), clips, disjoint_by, unlisted=unlisted, notes=notes)


def _find(root: Path) -> dict[str, list[Path]]:
    """The recordings of each genre; the same one in two formats counts once."""
    for place in places(root):
        for folder in (place, place / "genres", place / "genres_original"):
            found = {genre: list(_recordings(folder / genre).values()) for genre in GENRES}
            if any(found.values()):
                return {genre: files for genre, files in found.items() if files}
    return {}


def _recordings(folder: Path) -> dict[str, Path]:
    return {
        path.stem: path
        for path in (sorted(folder.iterdir()) if folder.is_dir() else [])
        if path.suffix.lower() in _EXTENSIONS and not path.name.startswith(".") and path.is_file()
    }


def _artist_filtered() -> dict[str, Split]:
    # Two seconds, which only those wait for who have GTZAN.
    from torchaudio.datasets import gtzan

    lists: dict[Split, list[str]] = {
        "train": gtzan.filtered_train,
        "validation": gtzan.filtered_valid,
        "test": gtzan.filtered_test,
    }
    return {name: side for side, names in lists.items() for name in names}


GTZAN = register(
    Dataset(
        name="GTZAN",
        title="GTZAN genre collection",
        task="ten genres of music",
        stands_for="genre",
        licence="none is known: the excerpts are of commercial recordings, collected without asking",
        citation=(
            "@article{tzanetakis2002gtzan, author={Tzanetakis, George and Cook, Perry}, title={Musical genre "
            "classification of audio signals}, journal={IEEE Transactions on Speech and Audio Processing}, "
            "volume={10}, number={5}, pages={293--302}, year={2002}, doi={10.1109/TSA.2002.800560}}"
        ),
        url="https://mirdata.readthedocs.io/en/stable/source/quick_reference.html",
        seconds=5.0,
        layout=(
            "files named like genres/blues/blues.00000.wav or genres_original/blues/blues.00000.au; "
            "the first 5 of their 30 s are taken, all with --duration 30"
        ),
        index=index_gtzan,
        clips=1_000,
        # 30 s at 22.05 kHz and 16 bit each.
        size=1_323_000_000,
        form=(
            "its host, opihi.cs.uvic.ca, does not answer any more: copies of genres.tar.gz, 1.2 GB, "
            "have the MD5 checksum 5b3d6dddb579ab49814ab86dba69e7c7"
        ),
    )
)
