"""GTZAN: 1,000 excerpts of music, 30 s each, of ten genres."""

from pathlib import Path

from distrack.datasets.clips import Index, NotThereError, Split
from distrack.datasets.contract import Dataset, register
from distrack.datasets.layout import places
from distrack.datasets.splits import clips_by_class, fifth_of_each
from distrack.sound_file import EXTENSIONS

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_EXTENSIONS = EXTENSIONS | {".au"}
_BY_CLIP = "Split by clip, not by artist: the file names differ from the published lists"


def index_gtzan(root: Path) -> Index:
    """The artist-filtered split that Kereliuk and colleagues published; torchaudio contains its lists.

    The lists leave out 70 of the 1,000 files, which repeat others or are faulty; they are unlisted here. Where files
    have other names, or are too few for a training and a test clip of each genre, a fifth of each genre is the test
    split instead, and an artist may be in both splits.

    One listed file, jazz.00054, cannot be decoded in common copies; preparation skips and reports it. A clip is the
    first 5 s of 30.

    Source:
        Kereliuk, Sturm and Larsen, "Deep Learning and Music Adversaries", IEEE Transactions on Multimedia 2015.
    """
    by_genre = _files_by_genre(root)
    if not by_genre:
        raise NotThereError
    genres, clips = tuple(by_genre), clips_by_class(by_genre, test=fifth_of_each(by_genre))
    splits = _artist_filtered()
    listed = tuple(clip._replace(split=splits[clip.path.stem]) for clip in clips if clip.path.stem in splits)
    if len({(clip.label, clip.split) for clip in listed if clip.split != "validation"}) < 2 * len(genres):
        return Index(root, genres, clips, disjoint_by="clip", notes=(_BY_CLIP,), random=True)
    unlisted = tuple(clip.path for clip in clips if clip.path.stem not in splits)
    return Index(root, genres, listed, disjoint_by="artist", unlisted=unlisted)


def _files_by_genre(root: Path) -> dict[str, list[Path]]:
    """The recordings of each genre; a recording in two formats counts once."""
    for place in places(root):
        for folder in (place, place / "genres", place / "genres_original"):
            by_genre = {genre: list(_recordings(folder / genre).values()) for genre in GENRES}
            if any(by_genre.values()):
                return {genre: files for genre, files in by_genre.items() if files}
    return {}


def _recordings(folder: Path) -> dict[str, Path]:
    return {
        path.stem: path
        for path in (sorted(folder.iterdir()) if folder.is_dir() else [])
        if path.suffix.lower() in _EXTENSIONS and not path.name.startswith(".") and path.is_file()
    }


def _artist_filtered() -> dict[str, Split]:
    # This import takes two seconds, which only people who have GTZAN should wait.
    from torchaudio.datasets import gtzan

    lists: dict[Split, list[str]] = {
        "train": gtzan.filtered_train,
        "validation": gtzan.filtered_valid,
        "test": gtzan.filtered_test,
    }
    return {name: split for split, names in lists.items() for name in names}


register(
    Dataset(
        name="GTZAN",
        title="GTZAN genre collection",
        task="10 music genres",
        stands_for="genre",
        licence="No licence: commercial excerpts collected without permission",
        citation=(
            "@article{tzanetakis2002gtzan, author={Tzanetakis, George and Cook, Perry}, title={Musical genre "
            "classification of audio signals}, journal={IEEE Transactions on Speech and Audio Processing}, "
            "volume={10}, number={5}, pages={293--302}, year={2002}, doi={10.1109/TSA.2002.800560}}"
        ),
        url="https://mirdata.readthedocs.io/en/stable/source/quick_reference.html",
        seconds=5.0,
        layout=(
            "files named like genres/blues/blues.00000.wav or genres_original/blues/blues.00000.au; "
            "the first 5 s of each are used, all 30 s with --duration 30"
        ),
        index=index_gtzan,
        clips=1_000,
        # 30 s at 22.05 kHz and 16 bit each.
        size=1_323_000_000,
        form=(
            "its host, opihi.cs.uvic.ca, is offline; copies of genres.tar.gz (1.2 GB) "
            "have the MD5 checksum 5b3d6dddb579ab49814ab86dba69e7c7"
        ),
    )
)
