"""Names that look alike: they differ in upper and lower case, or in how accented letters are written."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable


def look_alikes(names: Iterable[str]) -> list[str]:
    """A sentence for each group of different names that a person, or another disk, may take for one.

    >>> look_alikes(["Dog", "dog", "owl"])
    ['The classes Dog and dog differ in upper and lower case alone']
    """
    alike = defaultdict[str, list[str]](list)
    for name in sorted(names):
        alike[unicodedata.normalize("NFKC", name).casefold()].append(name)
    return [_sentence(group) for group in alike.values() if len(group) > 1]


def _sentence(names: list[str]) -> str:
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    if len({unicodedata.normalize("NFC", name) for name in names}) < len(names):
        return f"The classes {listed} differ in how their letters are stored alone (composed or decomposed)"
    return f"The classes {listed} differ in upper and lower case alone"
