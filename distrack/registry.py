"""Registries: the named things of one kind, found by name in any case, with dashes, underscores or neither."""

import re
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from distrack.errors import unknown

T = TypeVar("T")


def canonical(name: str) -> str:
    """A name without case, dashes, underscores and spaces.

    >>> canonical("Audio-MNIST") == canonical("AUDIO_MNIST")
    True
    """
    return re.sub(r"[\s_-]", "", name).lower()


class Registry(Generic[T]):
    """The named things of one kind, in the order they were added.

    Args:
        kind: what is registered, as an error message calls it ("feature").
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        self._names: dict[str, str] = {}

    def add(self, name: str, entry: T, *, aliases: tuple[str, ...] = ()) -> T:
        """Registers `entry`; a name or alias that is taken is a programming error."""
        for spelling in map(canonical, (name, *aliases)):
            if spelling in self._names:
                raise ValueError(f"{self.kind} {spelling!r} is registered twice")
            self._names[spelling] = name
        self._entries[name] = entry
        return entry

    def register(self, name: str, *, aliases: tuple[str, ...] = ()) -> Callable[[T], T]:
        """`add` as a decorator."""
        return lambda entry: self.add(name, entry, aliases=aliases)

    def name(self, spelling: str) -> str:
        """The registered name behind any spelling.

        Raises:
            ConfigError: the name is unknown; the message gives the nearest ones.
        """
        try:
            return self._names[canonical(spelling)]
        except KeyError:
            raise unknown(self.kind, spelling, self._entries) from None

    def __getitem__(self, spelling: str) -> T:
        return self._entries[self.name(spelling)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
