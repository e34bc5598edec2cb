"""The contract of a kind of job: its config, its report, its work; and what can be done with a job of any kind.

A kind is a subclass of `Job`, registered in `JOBS`. Its fields are its config. Launching, working and stopping exist
once for all kinds, in `distrack.jobs.control`; the command line in `distrack.cli`.
"""

import contextlib
import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from pydantic import BaseModel

from distrack import runs
from distrack.errors import ConfigError, RunError
from distrack.jobs.migration import migrated
from distrack.options import FieldOption, fewest, options_of, value_at
from distrack.progress import Watch, unwatched
from distrack.registry import Registry
from distrack.runs import Run, Session
from distrack.runs.about import about
from distrack.runs.folder import check_name, make_folder, new_name
from distrack.validation import Config, Overrides, read_model


class Table(NamedTuple):
    """A result as a table for a terminal, and sentences below it that a reader should know."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


class Job(Config):
    """One job: the fields of a subclass are the config of its kind, and `work` does it.

    Attributes:
        kind: the name that `config.json` stores.
        verb: the command that does it, `python -m distrack <verb>`.
        summary: one sentence for `--help`; the docstring of the kind says more.
        folder: folder below the runs path that holds runs of this kind; empty for the runs path itself.
        report_type, report_name: model and file name of the report that `work` writes.
        has_own_folder: whether each job makes a run of its own; if not, it works in the folder of an earlier run.
        on_cluster: whether a node of a cluster may do it.
        needs_folder: whether a node of a cluster has to see the run's folder, as no store gets all that lies there.
        hands_over: whether it is made of runs that it hands to a cluster itself.
        has_own_command: whether the verb's options are this kind's; if not, another kind's command makes such jobs.
        stays: names of files and folders of a run that are not pushed to a store, as they hold real recordings or what
            people said.
        always_given: paths of fields that `command` writes even if a preset would fill them.
    """

    kind: ClassVar[str]
    verb: ClassVar[str]
    summary: ClassVar[str]
    report_type: ClassVar[type[BaseModel]]
    report_name: ClassVar[str] = "report.json"
    folder: ClassVar[str] = ""
    has_own_folder: ClassVar[bool] = True
    on_cluster: ClassVar[bool] = False
    needs_folder: ClassVar[bool] = False
    hands_over: ClassVar[bool] = False
    has_own_command: ClassVar[bool] = True
    stays: ClassVar[tuple[str, ...]] = ()
    always_given: ClassVar[tuple[tuple[str, ...], ...]] = ()

    # What a kind says of itself

    @property
    def usual_name(self) -> str:
        """The part of a run's name that describes the job."""
        return self.kind

    @property
    def title(self) -> str:
        """What the job does, in a few words for people."""
        return self.kind

    def queue(self, run: Run) -> str:  # noqa: ARG002
        """The queue that a run of this job waits in: a device, or a kind of work that waits only for itself.

        Raises:
            ConfigError: the device is not on this machine.
        """
        return self.kind

    def check(self) -> None:
        """Refuses, before any work, what cannot be done on this machine.

        Raises:
            DistrackError: says what is wrong and what to do.
        """

    def check_here(self) -> None:
        """Refuses, before any work, what this machine has no device for; a cluster's nodes have their own.

        Raises:
            ConfigError: the device is not on this machine.
        """

    def open(self, runs_path: Path, name: str | None = None, *, watch: Watch = unwatched) -> Run:
        """The folder that the job works in, made if it is new.

        A run of that name that was begun with the same config is continued.

        Args:
            watch: told how far the folder is, where making it takes long.

        Raises:
            DistrackError: the name is taken by another job, or the folder cannot be made.
        """
        place = runs_path / self.folder
        if name is not None:
            check_name(name)
            if (place / name).is_dir():
                if job_of(run := Run(place / name)) != self:
                    raise RunError(
                        f"{self.kind} {name} exists in {place} with other settings",
                        remedy=f"choose another --name, or continue that one: python -m distrack resume {name}",
                    )
                return run
        return self.create(runs_path, new_name(self.usual_name) if name is None else name, watch=watch)

    def create(self, runs_path: Path, name: str, *, watch: Watch = unwatched) -> Run:  # noqa: ARG002
        """Makes the folder of a new run.

        Args:
            watch: as for `open`.

        Raises:
            DistrackError: the name is taken, or the folder cannot be made.
        """
        return make_folder(runs_path / self.folder, name, as_json(self))

    def work(self, run: Run, session: Session) -> BaseModel:
        """Does the job, from wherever an interrupted process left it, and returns its report.

        Raises:
            DistrackError: the work failed.
            Stopped: the run was asked to stop.
        """
        raise NotImplementedError

    def worth_keeping(self, run: Run) -> bool:
        """Whether a run whose work failed holds anything; the command removes one that does not and that it made."""
        return run.status().phase not in ("", "prepare")

    def belonging(self, run: Run) -> Sequence[Run]:  # noqa: ARG002
        """Other runs that a run of this kind is made of; none by default."""
        return ()

    def after_stop(self, run: Run) -> None:
        """Called after a run of this kind was stopped from outside."""

    @classmethod
    def key_figures(cls, run: Run) -> dict[str, float]:  # noqa: ARG003
        """The figures of a run of this kind in a table of all runs, by their columns; none by default."""
        return {}

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        """The report as tables for a terminal; one row per field unless the kind has a better form."""
        rows = [(name.replace("_", " "), str(value)) for name, value in report.model_dump(mode="json").items()]
        return [Table(run_id, ("", "value"), rows)]

    # Options

    @classmethod
    def options(cls) -> list[FieldOption]:
        """The options of the command."""
        return options_of(cls)

    @classmethod
    def from_overrides(cls, overrides: Overrides, runs_path: Path | None = None) -> "Job":  # noqa: ARG003
        """A job from the values that a person gave; presets and defaults fill the rest.

        Args:
            overrides: values by field name, nested configs as mappings.
            runs_path: folder of the runs, for a kind that works on an earlier run.

        Raises:
            ConfigError: one line that names the field, the value and what is allowed.
        """
        return cls.validated(overrides)

    def targets(self) -> "Sequence[Job]":
        """The configs that the options describe: the job itself, or the distillations of a series."""
        return [self]

    def always_written(self) -> dict[tuple[str, ...], Any]:
        """Values that the command gives even if a preset would fill them, by the path of their field."""
        written = [option for option in self.options() if option.positional or option.path in self.always_given]
        return {option.path: value_at(self, option) for option in written}

    def given(self, runs_path: Path | None = None) -> "list[tuple[FieldOption, Any]]":
        """The fewest options that the preset needs to become this job, each with its value."""

        def build(values: Overrides) -> Sequence[Job]:
            return type(self).from_overrides(values, runs_path).targets()

        return fewest(self.options(), self.targets(), build, self.always_written())

    def words(self, runs_path: Path | None = None) -> list[str]:
        """The words of the command after `python -m distrack`."""
        return [self.verb, *(word for option, value in self.given(runs_path) for word in option.words(value))]

    def command(self, runs_path: Path | None = None) -> str:
        """The command that a person types for this job."""
        return shell_text(self.words(runs_path))


JOBS: Registry[type[Job]] = Registry("kind of job")
J = TypeVar("J", bound=type[Job])


def register(cls: J) -> J:
    """Registers a kind of job under its `kind`, and under the verb of its own command, as a decorator."""
    verb = (cls.verb,) if cls.has_own_command and cls.verb != cls.kind else ()
    JOBS.add(cls.kind, cls, aliases=verb)
    return cls


def shell_text(words: Sequence[str]) -> str:
    """A command of this package as a person types it in a shell."""
    return shlex.join(["python", "-m", "distrack", *words])


def as_config(job: Job) -> dict[str, Any]:
    """The kind and every field of a job, defaults written out."""
    return {"kind": job.kind, **job.model_dump(mode="json")}


def as_json(job: Job) -> str:
    """The content of `config.json`."""
    return json.dumps(as_config(job), indent=2)


def from_json(config: Mapping[str, Any]) -> Job:
    """A job from the content of a `config.json`; one that an earlier version wrote is migrated.

    Raises:
        ConfigError: the kind is unknown or a field is impossible.
    """
    current = migrated(config)
    return JOBS[str(current["kind"])].validated({name: value for name, value in current.items() if name != "kind"})


# Runs of any kind


def kind_of(run: Run) -> str:
    """The kind of a run's job; empty if its config cannot be read."""
    try:
        return JOBS.name(str(migrated(run.config())["kind"]))
    except (RunError, ConfigError):
        return ""


def job_of(run: Run) -> Job:
    """The job of a run.

    Raises:
        RunError: `config.json` is missing or damaged.
    """
    config = run.config()
    try:
        return from_json(config)
    except ConfigError as error:
        raise RunError(f"run {run.id}: config.json is missing or damaged ({error})") from None


def title_of(run: Run) -> str:
    """The title that a person gave a run, or one made from its config; its id if that cannot be read."""
    try:
        return about(run).title or job_of(run).title
    except RunError:
        return run.id


def titles_of(some: Iterable[Run]) -> dict[str, str]:
    """The titles of runs by their ids; where two are equal, with the time of the run and, if need be, its id."""
    by_id = {run.id: run for run in some}
    texts = {run_id: title_of(run) for run_id, run in by_id.items()}
    for more in (lambda run: f"{datetime.fromtimestamp(run.status().started):%d %b, %H:%M}", lambda run: run.id):
        count = Counter(texts.values())
        texts = {key: text if count[text] == 1 else f"{text} · {more(by_id[key])}" for key, text in texts.items()}
    return texts


def report_of(run: Run) -> Any:
    """The report that a run's own job wrote so far, an instance of its kind's `report_type`; None if there is none."""
    kind = kind_of(run)
    return read_report(run, JOBS[kind]) if kind else None


def key_figures(run: Run) -> dict[str, float]:
    """The key figures of a run's own kind; a run whose config cannot be read counts as a distillation."""
    return JOBS[kind_of(run) or "distillation"].key_figures(run)


def read_report(run: Run, kind: type[Job]) -> Any:
    """The report that a job of a kind left in a run's folder, or None."""
    return read_model(run.path / kind.report_name, kind.report_type)


def all_runs(runs_path: Path, *kinds: str) -> Iterator[Run]:
    """All runs of some kinds, newest first; of every kind that lies in the runs path itself if none is named.

    A run whose config is damaged counts where its folder tells its kind.
    """
    folders = dict.fromkeys(JOBS[kind].folder for kind in kinds) or {"": None}
    for folder in folders:
        for run in runs.all_runs(runs_path / folder):
            if not kinds or kind_of(run) in (kinds if folder == "" else (*kinds, "")):
                yield run


def find(runs_path: Path, run_id: str) -> Run:
    """The run with this id, of any kind.

    Raises:
        RunError: there is none.
    """
    for folder in _folders():
        with contextlib.suppress(RunError):
            run = runs.find(runs_path / folder, run_id)
            if (run.path / "config.json").is_file():
                return run
    return runs.find(runs_path, run_id)


def _folders() -> Iterator[str]:
    """The folders below the runs path that hold runs; the first is that of most kinds, known without importing any."""
    yield ""
    for kind in JOBS:
        yield JOBS[kind].folder


def runs_path_of(run: Run) -> Path:
    """The runs path that a run belongs to, whose kind may have a folder of its own there."""
    kind = kind_of(run)
    inner = bool(kind) and JOBS[kind].folder == run.path.parent.name
    return run.path.parent.parent if inner else run.path.parent
