"""Errors that a person can act on. The command and the app each catch the whole family in one place."""

from collections.abc import Iterable
from difflib import get_close_matches


class DistrackError(Exception):
    """An error that a person can fix; the message says what is wrong, where, and what to do.

    Attributes:
        problem: the message without the words of the command, for a page.
        remedy: what to type, for the command.
        dataset: name of the dataset that is absent, if that is the problem.
    """

    def __init__(self, problem: str, *, remedy: str = "", dataset: str = "") -> None:
        """The message is the problem and the remedy, which may name commands and options."""
        super().__init__(f"{problem}: {remedy}" if remedy else problem)
        self.problem, self.remedy, self.dataset = problem, remedy, dataset


class ConfigError(DistrackError):
    """A setting is unknown or impossible."""


class DatasetError(DistrackError):
    """A dataset is absent, incomplete or unusable."""


class AudioError(DistrackError):
    """An audio file cannot be used."""


class RunError(DistrackError):
    """The folder of a run cannot be found, read, written or continued."""


class EventsError(DistrackError):
    """Events cannot be read, rendered or edited."""


class EngineError(DistrackError):
    """A cluster cannot be reached, or its nodes cannot do the work."""


class StoreError(DistrackError):
    """A store cannot be reached, refuses, or holds what is not what was pushed."""


def unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not registered; it suggests the most similar names."""
    known = sorted(known)
    near = get_close_matches(name.lower(), [k.lower() for k in known], n=3, cutoff=0.5)
    similar = [k for n in near for k in known if k.lower() == n]
    hint = f"Did you mean {' or '.join(similar)}? " if similar else ""
    return ConfigError(f"unknown {kind} {name!r}. {hint}Known: {', '.join(known)}")
