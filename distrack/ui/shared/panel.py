"""What the app shows of each kind of job: a page, and the pieces that the shared job panel draws."""

from collections.abc import Callable
from typing import Any, NamedTuple

from distrack.registry import Registry
from distrack.runs import Run, Status


class Panel(NamedTuple):
    """The pieces that the job panel draws for runs of one kind.

    Attributes:
        page: the page that shows them, such as `pages/distill.py`.
        parameter: the parameter of the URL that names the run in view.
        describe: one line about a job.
        live: drawn at every look, while the run is running and after; takes the run and its status.
        done: drawn once the run is not running; takes the run.
        links: drawn in place of the buttons when the run is done; takes the run.
    """

    page: str
    parameter: str
    describe: Callable[[Any], str]
    live: Callable[[Run, Status], None]
    done: Callable[[Run], None] = lambda run: None  # noqa: ARG005
    links: Callable[[Run], None] = lambda run: None  # noqa: ARG005


PANELS: Registry[Panel] = Registry("panel")
