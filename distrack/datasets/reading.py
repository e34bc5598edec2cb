"""How a dataset is read: the fold that is tested on, what its folders are, and whether clips may be missing."""

from typing import Annotated, TypedDict

from pydantic import Field

from distrack.datasets.class_folders import Layout


class FolderReading(TypedDict, total=False):
    """What a person says of a dataset's folder.

    Attributes:
        layout: what the folders of a person's own recordings are; by default "auto", which finds it out.
        subset: whether clips of the dataset's list may be missing; by default they may not. The index then says that
            it is a subset.
    """

    layout: Layout
    subset: bool


class Reading(FolderReading, total=False):
    """Keyword arguments of everything that reads a dataset.

    Attributes:
        test_fold: the fold to test on; by default that of the dataset, where it has folds.
    """

    test_fold: int | None


# Fields of the configs of jobs that read a dataset.
LayoutField = Annotated[
    Layout,
    Field(
        description="What the folders of your own recordings are: classes, or the sides of a split (train, test, fold1 "
        "...) that hold the classes."
    ),
]
SubsetField = Annotated[
    bool, Field(description="Use the clips that are there, although the dataset's list names more.")
]
