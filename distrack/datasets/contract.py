"""The contract of a dataset: what an entry of the registry consists of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from distrack.datasets.clips import Index
from distrack.datasets.download import Remote
from distrack.errors import ConfigError, DatasetError
from distrack.progress import Progress
from distrack.registry import Registry


@dataclass(frozen=True)
class Dataset:
    """A dataset that DisTrack can find, index and, where possible, download.

    Attributes:
        name: its name in commands and files, upper case.
        title: its name as its authors write it.
        task: what its classes are, in a few words.
        citation: BibTeX or a sentence.
        seconds: default length of a clip: longer files are cut, shorter ones padded.
        layout: where its files are expected, in words.
        index: makes the index of a folder, with an `own_layout` from the folder and the layout; raises `NotThereError`
            where the layout is not there, and a DatasetError where the files cannot be used.
        stands_for: the property of sound that it represents, in a few words.
        clips: number of clips in the whole dataset; 0 where that depends on the user.
        size: bytes on disk, unpacked; 0 where that depends on the user.
        make: writes the dataset into a folder, where it is generated instead of downloaded.
        downloads: the files that make it up, where they can be downloaded without a form.
        form: where to ask for it, or why it cannot be downloaded, in words.
        folds: the numbers of its official folds.
        test_fold: the fold that is the test split by default.
        folders: names below the data path where it may lie; by default its own name.
        setting: the setting that names its folder, where it has one.
        labelled: whether it has classes. Without classes its recordings can only be decomposed.
        own_layout: whether its folders are a person's own, who may say by `layout` what they are.
        pitch_is_class: whether the pitch decides the class, so that no augmentation may shift it.
    """

    name: str
    title: str
    task: str
    licence: str
    citation: str
    url: str
    seconds: float
    layout: str
    index: Callable[..., Index]
    stands_for: str = ""
    clips: int = 0
    size: int = 0
    make: Callable[[Path, Progress], None] | None = None
    downloads: tuple[Remote, ...] = ()
    form: str = ""
    folds: tuple[int, ...] = ()
    test_fold: int | None = None
    folders: tuple[str, ...] = ()
    setting: str = ""
    labelled: bool = True
    own_layout: bool = False
    pitch_is_class: bool = False

    def places(self, data_path: Path) -> list[Path]:
        """The folders below the data path where it may lie; it is downloaded to the first."""
        return [data_path / folder for folder in self.folders or (self.name.lower(),)]

    def how_to_get(self) -> str:
        """What a person types to have it, in a few words."""
        command = f"run: python -m distrack prepare --dataset {self.name}"
        if self.make is not None:
            return command
        if self.downloads:
            return f"pass --data-path with the folder that holds it, or {command} --download"
        return f"pass --data-path with the folder that holds it ({self.form or self.url})"

    def check_fold(self, fold: int | None) -> None:
        """Checks that the dataset has an official fold of this number, as far as it is known without its files.

        Raises:
            ConfigError: it has not; the message lists the folds.
        """
        if fold is not None and fold not in self.folds and not self.own_layout:
            folds = f"Choose one of {', '.join(map(str, self.folds))}" if self.folds else "It has no official folds"
            raise ConfigError(f"{self.name} has no test fold {fold}. {folds}")

    def not_found(self, root: Path) -> DatasetError:
        """The error for a folder that does not hold this dataset."""
        problem = f"no {self.name} recordings in {root}. Expected {self.layout}"
        return DatasetError(problem, remedy=self.how_to_get(), dataset=self.name)


DATASETS: Registry[Dataset] = Registry("dataset")


def register(dataset: Dataset, *, aliases: tuple[str, ...] = ()) -> Dataset:
    """Adds a dataset to the registry under its own name."""
    return DATASETS.register(dataset.name, aliases=aliases)(dataset)
