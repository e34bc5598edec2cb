"""What a file format of a comparison is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from distrack.errors import ConfigError
from distrack.export.comparison import Entry
from distrack.registry import Registry


class Exporter(NamedTuple):
    """A file format of a comparison.

    Attributes:
        title, description: name on a button, and one sentence for a tooltip.
        content: the file's content for some runs, an evaluator and a network; None fits every name. The same runs give
            the same bytes.
        one_evaluator: whether a file holds the results of a single evaluator with a single network.
        one_group: whether all runs of a file have the same test clips.
    """

    title: str
    description: str
    media_type: str
    content: Callable[[Sequence[Entry], str | None, str | None], bytes]
    one_evaluator: bool = False
    one_group: bool = False


# By the ending of the file.
EXPORTERS: Registry[Exporter] = Registry("file ending")


def content(
    entries: Sequence[Entry], ending: str, *, evaluator: str | None = None, network: str | None = None
) -> bytes:
    """The content of a file with some ending (".csv").

    Args:
        evaluator, network: for a format of one evaluator; by default the first that measured a run.

    Raises:
        ConfigError: the ending is unknown, no run was evaluated in this way, or a figure would show runs with different
            test clips.
    """
    if ending not in list(EXPORTERS):
        raise ConfigError(f"cannot write {ending or 'a file without an ending'}: choose {', '.join(EXPORTERS)}")
    return EXPORTERS[ending].content(entries, evaluator, network)
