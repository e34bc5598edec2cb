"""The one family of errors that a person can act on: caught once in the command and once in the app."""

from collections.abc import Iterable
from difflib import get_close_matches


class DistrackError(Exception):
    """Something a person can mend; the message says what is wrong, where, and what to do."""


class ConfigError(DistrackError):
    """An impossible or unknown value was asked for."""


class DatasetError(DistrackError):
    """A dataset is absent, incomplete or unusable."""


class AudioError(DistrackError):
    """One audio file cannot be used."""


class RunError(DistrackError):
    """A run's folder cannot be found, read, written or continued."""


class EventsError(DistrackError):
    """Events cannot be read, rendered or changed as asked."""


def unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not known, with the nearest ones first."""
    known = sorted(known)
    near = get_close_matches(name.lower(), [k.lower() for k in known], n=3, cutoff=0.5)
    nearest = [k for n in near for k in known if k.lower() == n]
    hint = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
    return ConfigError(f"unknown {kind} {name!r}. {hint}Known: {', '.join(known)}")
