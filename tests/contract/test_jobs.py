"""The contract of every kind of job: a command with an option for every field, which makes the same job again."""

import json
import random
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from distrack import jobs
from distrack.cli import job_commands
from distrack.distill import PRESETS, DistillConfig
from distrack.distill.presets import Target
from distrack.errors import ConfigError
from distrack.jobs import JOBS, Job
from distrack.jobs.distillation import DistillJob
from distrack.options import FieldOption, nested, value_at
from distrack.runs import Run, Stopped
from distrack.validation import Overrides, overlaid

Again = Callable[[Job], Job]

KINDS = [kind for kind in JOBS if JOBS[kind].has_own_command]
# The options of a distillation are most of those of these kinds, and are tried with the first.
SERIES = ("sweep", "condensation")
_NO_VALUE = object()


@pytest.fixture
def typed_again(monkeypatch: pytest.MonkeyPatch, tiny_run: Run) -> Again:
    """The job that the command of a job makes; nothing is checked on the disk, and nothing is worked on."""
    made: list[Job] = []

    def catch(job: Job, *_: object, **__: object) -> None:
        made.append(job)
        raise Stopped

    monkeypatch.setattr(job_commands, "_worked", catch)
    for kind in JOBS:
        monkeypatch.setattr(JOBS[kind], "check", lambda _: None)
    commands = job_commands.commands()

    def type_again(job: Job) -> Job:
        program, *words = shlex.split(job.command(tiny_run.path.parent))[2:]
        assert program == "distrack"
        commands[words[0]].main([*words[1:], "--runs-path", str(tiny_run.path.parent)], standalone_mode=False)
        return made.pop()

    return type_again


def positionals(kind: type[Job], run: Run) -> dict[str, Any]:
    """Values of the arguments that a kind cannot do without."""
    protocol = run.path / "protocol.yaml"
    protocol.write_text("datasets: {digits: {dataset: FSDD}}\nmethods: {quick: {}, means: {objective: mean}}")
    values = {"run": run.id, "file": "/some where/it's.wav", "protocol": str(protocol)}
    return {option.path[0]: values[option.path[0]] for option in kind.options() if option.positional}


def values_of(option: FieldOption, before: Any) -> Iterator[Any]:
    """Values of an option to try, other than the present one; which of them are possible depends on the field."""
    if option.choices:
        values: list[Any] = [(name,) for name in option.choices] if option.several else list(option.choices)
    elif option.flag:
        values = [True, False]
    elif option.off:
        values = [None]
    else:
        kind = option.metavar.split(",")[0]
        number = before if isinstance(before, (int, float)) else 1
        by_kind: dict[str, list[Any]] = {
            "INTEGER": [number + 1, number - 1, 2, 1, 4, 16, 8000],
            "NUMBER": [number / 3, number * 1.1, 0.1 + 0.2, 1e-7, 2.0],
            "PATH": ['/somewhere/it\'s a $folder; "quoted" ~*'],
            "TEXT": ["cpu", "it's"],
        }
        values = by_kind[kind]
        values = [(value,) for value in values] if option.several else values
    yield from (value for value in values if value != before)


def given(option: FieldOption, value: Any, base: Overrides, entry: str | None = None) -> dict[str, Any]:
    """Overrides of a job with one more value; `entry` is what has to be selected for the option to have a meaning."""
    chosen = {} if entry is None else nested(option._replace(path=(*option.path[:-1], "name")), entry)
    return overlaid(overlaid(base, chosen), nested(option, value))


def changed(kind: type[Job], option: FieldOption, base: Overrides, runs_path: Path) -> Job:
    """A job in which an option has another value than in the plain one."""
    plain = kind.from_overrides(base, runs_path)
    before = value_at(plain, option)
    names = next((other for other in kind.options() if other.path == (*option.path[:-1], "name")), None)
    for entry in (None, *(names.choices if names is not None and option.path[-1] != "name" else ())):
        for value in values_of(option, before):
            try:
                job = kind.from_overrides(given(option, value, base, entry), runs_path)
            except ConfigError:
                continue
            if job != plain:
                return job
    raise AssertionError(f"no other value of --{option.name} is possible")


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_with_any_one_option_is_typed_again_as_the_same_job(kind: str, typed_again: Again, tiny_run: Run) -> None:
    base = positionals(JOBS[kind], tiny_run)
    if kind in SERIES:
        base["dataset"] = "ESC10"  # it has official folds
    if kind == "membership":
        base["membership"] = True  # the other options are for the attack
    for option in JOBS[kind].options():
        if option.positional or (kind == SERIES[1] and option in JOBS[SERIES[0]].options()):
            continue
        job = changed(JOBS[kind], option, base, tiny_run.path.parent)
        assert typed_again(job) == job, f"--{option.name}: {job.command()}"


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_options_share_a_name_and_each_has_a_sentence(kind: str) -> None:
    names = [name for option in JOBS[kind].options() for name in (option.name, *option.aliases) if name]
    assert len(names) == len(set(names))
    for option in JOBS[kind].options():
        assert option.help.endswith("."), option


def leaves(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every field of a config."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner, (*prefix, name))
        else:
            yield (*prefix, name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_an_option(kind: str) -> None:
    paths = {option.path for option in JOBS[kind].options()}
    fields = set(leaves(JOBS[kind]))
    if kind == "bench":
        fields = {("protocol",)}
    if kind in SERIES:
        fields = {path for path in leaves(DistillConfig) if kind == "sweep" or path not in (("ipc",), ("duration",))}
    assert fields <= paths


@pytest.mark.parametrize("kind", list(JOBS))
def test_the_config_that_is_printed_can_be_given_back(
    kind: str, tiny_run: Run, typed: Callable[..., tuple[int, str, str]], tmp_path: Path, typed_again: Again
) -> None:
    plain = JOBS[kind].from_overrides(positionals(JOBS[kind], tiny_run), tiny_run.path.parent)
    runs_path = ("--runs-path", str(tiny_run.path.parent))
    code, out, err = typed("config", kind, *positionals(JOBS[kind], tiny_run).values(), *runs_path)
    assert (code, err) == (0, "")
    assert jobs.from_json(json.loads(out)) == plain
    assert jobs.from_json(json.loads(jobs.as_json(plain))) == plain
    file = tmp_path / "config.json"
    file.write_text(out)
    made: list[Job] = []

    def catch(job: Job, *_: object, **__: object) -> None:
        made.append(job)
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_commands, "_worked", catch)
        code, out, err = typed(JOBS[kind].verb, "--config", str(file), *runs_path)
    assert (code, err) == (0, "")
    assert made == [plain] == [typed_again(plain)]


# Presets: which options a command needs depends on what the preset says of the values that are given


def random_jobs(count: int, options: int, *, seed: int, **fixed: Any) -> Iterator[Job]:
    """Distillations and sweeps with so many options on average; those that do not go together are left out."""
    kind = JOBS["sweep"]
    draw = random.Random(seed)
    every = [option for option in kind.options() if option.path[0] not in fixed]
    # What presets decide by.
    often = [option for option in every if option.path[0] in ("preset", "domain", "ipc", "duration")]
    while count:
        overrides: dict[str, Any] = dict(fixed)
        chosen = draw.sample(every, draw.randint(1, 2 * options))
        for option in (*(option for option in often if draw.random() < 0.4), *chosen):
            value = draw.choice([*values_of(option, _NO_VALUE)])
            overrides = overlaid(overrides, nested(option, value))
        try:
            job = kind.from_overrides(overrides)
        except ConfigError:
            continue
        count -= 1
        yield job


@pytest.mark.parametrize("options", [2, 6])
def test_a_random_job_is_typed_again_as_the_same_job(typed_again: Again, options: int) -> None:
    seen = set()
    for job in random_jobs(40, options, seed=options):
        assert typed_again(job) == job, job.command()
        first = job if isinstance(job, DistillJob) else job.first  # type: ignore[attr-defined]
        seen.add((job.kind, first.domain.name, first.parameterisation.name, first.preset))
    assert len(seen) > 4


def on_every_part_of_the_job(target: Target) -> Overrides:
    """A recipe in which nothing is the same for two jobs."""
    spectral = target.domain == "spectral"
    return {
        "parameterisation": "dct" if spectral else "multiformation",
        "factor": 16 if spectral else 4,
        "steps": 60 + 20 * target.ipc + round(10 * target.seconds),
        "learning_rate": 0.05 if spectral else 2.0,
        "classification": 0.05 if target.ipc > 1 else 0.0,
        "initialisation": "k-means" if target.seconds > 1 else "real",
        "pool": {"training": 100 if spectral else 10},
        "augmentation": {"gain": 0.3 if target.ipc > 1 else 0.0, "noise": 0.1},
    }


def test_so_it_is_whatever_the_preset_makes_of_domain_budget_and_duration(
    typed_again: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS._entries, "quick", on_every_part_of_the_job)
    for job in random_jobs(40, 4, seed=1, preset="quick"):
        assert typed_again(job) == job, job.command()


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("domain", ["spectral", "waveform"])
def test_a_value_that_the_preset_gives_to_other_jobs_is_written_out(
    typed_again: Again, preset: str, domain: str
) -> None:
    short = DistillJob.validated({"dataset": "FOLDER", "preset": preset, "duration": 0.5})
    base = {"dataset": "FOLDER", "preset": preset, "domain": domain, "duration": 4.0, "ipc": 20}
    for name in ("steps", "learning_rate", "optimiser", "initialisation", "classification"):
        job = DistillJob.validated({**base, name: getattr(short, name)})
        assert typed_again(job) == job, job.command()


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_job_that_its_preset_alone_would_make_impossible_has_a_command_too(typed_again: Again, preset: str) -> None:
    # A tenth of a second has too few frames for the usual network and hop.
    base = {"dataset": "FOLDER", "preset": preset, "duration": 0.1}
    feature = {"name": "logmelspectrogram", "n_fft": 800, "hop_length": 200, "n_mels": 20}
    job = DistillJob.validated({**base, "feature": feature, "network": {"depth": 1}})
    assert typed_again(job) == job, job.command()
    assert not {"--data-path", "--test-fold"} & set(job.words()), job.command()


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_command_names_the_preset_and_only_what_differs_from_it(preset: str) -> None:
    job = DistillJob.validated({"preset": preset, "ipc": 3, "seed": 5})
    words = shlex.split(job.command())
    assert words[:4] == ["python", "-m", "distrack", "distill"]
    given = {"--dataset": job.dataset, "--preset": preset, "--ipc": "3", "--seed": "5"}
    assert dict(zip(words[4::2], words[5::2], strict=True)) == given


def test_underscores_and_any_case_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[DistillJob] = []

    def catch(job: DistillJob, *_: object, **__: object) -> None:
        made.append(job)
        raise Stopped

    monkeypatch.setattr(job_commands, "_worked", catch)
    from distrack.cli.commands import app

    words = ["--pool_refresh_every", "7", "--tracks_per_step", "2", "--feature_type", "Mel", "--time_mask", ".2"]
    app.main(["distill", *words, "--parameterisation", "Multi_Formation"], standalone_mode=False)
    (job,) = made
    assert (job.pool.refresh_every, job.tracks_per_step, job.feature.name) == (7, 2, "melspectrogram")
    assert (job.augmentation.time_mask, job.parameterisation.name) == (0.2, "multiformation")


def test_a_kind_says_what_it_is() -> None:
    kinds: Mapping[str, type[Job]] = {kind: JOBS[kind] for kind in JOBS}
    assert {kind: cls.kind for kind, cls in kinds.items()} == {kind: kind for kind in kinds}
    for cls in kinds.values():
        assert cls.summary.endswith(".")
        assert issubclass(cls.report_type, BaseModel)
