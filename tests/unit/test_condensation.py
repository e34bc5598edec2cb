"""Temporal condensation: what a grid may be, which cells it has, what is made of their reports, how it is worked on."""

import dataclasses
import json
import os
import re
import shlex
import signal
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from distrack import jobs, runs
from distrack.cli import commands as cli
from distrack.errors import ConfigError, DistrackError, RunError
from distrack.evaluate import Accuracy, Evaluation, Report, SplitReport
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series import CondenseJob, CondenseReport, condense_job, fitting, possible, tabulated
from distrack.jobs.series.grid import NOTES, usual
from distrack.runs import Run
from distrack.validation import merged

MakeJob = Callable[..., CondenseJob]
Typed = Callable[..., tuple[int | str | None, str, str]]
Until = Callable[..., None]

pytestmark = pytest.mark.usefixtures("one_thread", "workers")

# Long enough for a cell to be cut off in the middle.
_STEPS = 150


@pytest.fixture(scope="module")
def tiny_grid(sounds: Path) -> MakeJob:
    """A condensation of the tiny dataset that takes a second or two a cell, whatever presets say; with changes."""
    plain: dict[str, Any] = {
        "dataset": "FOLDER",
        "data_path": sounds,
        "budget_seconds": 0.5,
        "durations": (0.25, 0.5),
        "feature": {"n_fft": 512, "hop_length": 256, "n_mels": 16},
        "network": {"width": 4, "depth": 2},
        "pool": {"size": 3, "grow_every": 2, "clips_per_class": 4, "training": 0},
        "evaluation": {"seeds": 2, "steps": 5, "network": {"width": 4, "depth": 2}},
        "parameterisation": "identity",
        "factor": 1,
        "objective": "mean",
        "initialisation": "real",
        "optimiser": "adam",
        "learning_rate": 0.05,
        "steps": 4,
        "snapshots": 3,
        "device": "cpu",
    }
    return lambda **changes: condense_job(merged(plain, changes))


# The grid


def test_what_fits_is_all_that_divides_the_budget_and_nothing_else() -> None:
    for budget in (0.5, 1.0, 3.0, 4.8, 60.0):
        fit = fitting(budget)
        assert list(fit) == sorted(set(fit))
        assert budget in fit or budget > 30
        thousandths = round(1000 * budget)
        expected = {ms / 1000 for ms in range(100, 30_001) if thousandths % ms == 0 and thousandths // ms <= 1000}
        assert set(fit) == expected
        assert set(usual(budget)) <= set(fit)


def test_every_cell_has_the_whole_budget() -> None:
    job = condense_job({"budget_seconds": 3, "durations": (3, 0.5, 1), "seeds": 2, "seed": 5})
    assert job.durations == (0.5, 1.0, 3.0)
    cells = job.cells("g")
    assert [cell.run_id for cell in cells] == [f"g-{d}s-{seed}" for seed in (5, 6) for d in ("0.5", "1", "3")]
    assert [(cell.job.ipc, cell.job.seconds, cell.job.seed) for cell in cells[:4]] == [
        (6, 0.5, 5),
        (3, 1.0, 5),
        (1, 3.0, 5),
        (6, 0.5, 6),
    ]
    assert {cell.job.ipc * cell.job.samples for cell in cells} == {48_000}
    floats = [cell.job.plan(1).budget for cell in cells]
    assert max(floats) / min(floats) < 1.05


def test_a_third_of_a_second_is_a_third_to_the_sample() -> None:
    assert condense_job({"budget_seconds": 1, "durations": (0.333333,)}).first.ipc == 3
    with pytest.raises(ConfigError, match="no whole number of tracks"):
        condense_job({"budget_seconds": 1, "durations": (0.333,)})


def test_what_is_possible_fits_the_budget_and_is_not_refused() -> None:
    assert possible({"budget_seconds": 1}) == (0.25, 0.5, 1.0)
    assert possible({"budget_seconds": 1, "feature": {"hop_length": 128}}) == fitting(1.0)
    for seconds in set(fitting(1.0)) - {0.25, 0.5, 1.0}:
        with pytest.raises(ConfigError, match="too small"):
            condense_job({"budget_seconds": 1, "durations": (seconds,)})
    assert possible({"budget_seconds": 1, "steps": -1}) == ()


@pytest.mark.parametrize("preset", ["quick", "standard", "paper"])
def test_a_cell_is_what_distilling_it_alone_would_be_with_one_feature_for_all(preset: str) -> None:
    job = condense_job({"budget_seconds": 6, "durations": (0.5, 1, 6), "preset": preset})
    for cell in job.cells("g"):
        feature = job.first.feature.model_dump()
        asked = {"duration": cell.job.seconds, "ipc": cell.job.ipc, "preset": preset, "feature": feature}
        assert cell.job.distillation() == DistillJob.model_validate(asked).distillation()
    usual_feature = DistillJob.model_validate({"duration": 0.5, "ipc": 12, "preset": preset}).feature
    assert job.first.feature == usual_feature
    floats = [cell.plan(1).budget for cell in job.distillations]
    assert max(floats) / min(floats) < 1.07


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"durations": (0.7,)}, ["durations 0.7", "a budget of 3 s", "0.6", "0.75"]),
        ({"durations": (6.0,)}, ["durations 6", "1.5", "3"]),
        ({"durations": ()}, ["durations", "name one at least"]),
        ({"durations": (0.5, 0.5)}, ["durations 0.5, 0.5", "each once"]),
        ({"durations": (float("nan"),)}, ["durations", "nan"]),
        ({"durations": (0.05,)}, ["durations.0", "0.05", "0.1"]),
        ({"durations": ("half",)}, ["durations.0 'half'", "number"]),
        ({"budget_seconds": 0}, ["budget_seconds 0", "0.1"]),
        ({"budget_seconds": float("inf")}, ["budget_seconds inf"]),
        ({"seeds": 0}, ["seeds 0", "greater than or equal to 1"]),
        ({"seed": 2**32 - 1, "seeds": 2}, ["seed 4294967295", "2^32"]),
        ({"dataset": "FSD"}, ["unknown dataset 'FSD'", "FSDD"]),
        ({"feature": {"name": "mell"}}, ["unknown feature 'mell'"]),
        ({"durations": (0.1, 3)}, ["duration 0.1: ", "too small"]),
        ({"evaluation": {"evaluators": ("prototype",)}}, ["evaluation", "random-cnn on synthetic"]),
        ({"evaluation": {"baselines": ()}}, ["evaluation", "random-cnn on random-selection"]),
        ({"stpes": 3}, ["stpes"]),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line(asked: dict[str, Any], says: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        condense_job({"budget_seconds": 3, **asked})
    line = str(refused.value)
    assert "\n" not in line
    assert [part for part in says if part not in line] == []


def test_too_few_clips_are_refused_with_the_duration_that_asks_for_them(tiny_grid: MakeJob) -> None:
    job = tiny_grid(budget_seconds=16.5, durations=(0.5, 16.5))
    with pytest.raises(ConfigError, match=r"^duration 0.5: ipc 33: class chirp .* only 32 training clips"):
        job.check()


def test_an_absent_dataset_is_said_once(tiny_grid: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(DistrackError, match="^No FOLDER recordings"):
        tiny_grid(data_path=tmp_path / "nothing").check()


def test_the_config_is_json_both_ways(tiny_grid: MakeJob) -> None:
    job = tiny_grid(seeds=3)
    assert CondenseJob.model_validate_json(job.model_dump_json()) == job
    with pytest.raises(ValueError, match="frozen"):
        job.seeds = 4  # type: ignore[misc]


def test_a_config_whose_cells_are_not_of_the_grid_is_refused(tiny_grid: MakeJob) -> None:
    written = tiny_grid().model_dump()
    written["distillations"] = written["distillations"][:1]
    with pytest.raises(ValueError, match="one of each"):
        CondenseJob.model_validate(written)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"budget_seconds": 3, "durations": (0.5, 3), "seeds": 2, "seed": 7, "steps": 11, "preset": "standard"},
        {"domain": "waveform", "budget_seconds": 1, "evaluation": {"seeds": 1}},
        {"feature": {"name": "mfcc"}, "parameterisation": "multiformation", "factor": 4, "device": "cpu"},
    ],
    ids=str,
)
def test_typing_its_command_gives_the_same_job(
    asked: dict[str, Any], typed: Typed, sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = condense_job({"dataset": "FOLDER", "data_path": sounds, **asked})
    begun: list[Run] = []
    monkeypatch.setattr(cli, "_worked", lambda run, **_: begun.append(run))
    words = shlex.split(job.command())
    assert words[:3] == ["python", "-m", "distrack"]
    code, _, err = typed(*words[3:], "--runs-path", str(tmp_path), "--name", "typed")
    assert code == 0, err
    assert jobs.job_of(begun[0]) == job


# Its folder


def test_it_is_no_run_and_is_found_beside_them(tiny_grid: MakeJob, tmp_path: Path) -> None:
    run = series.create(tmp_path, tiny_grid(), "grid")
    assert list(runs.all_runs(tmp_path)) == []
    assert [found.id for found in series.everything(tmp_path, series.CONDENSATION)] == ["grid"]
    assert series.kind_of(jobs.find(tmp_path, "grid")) is series.CONDENSATION
    assert jobs.job_of(run) == tiny_grid()
    with pytest.raises(RunError, match="no run 'grids' in"):
        jobs.find(tmp_path, "grids")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("taken", "run taken exists"),
        ("half", "run half-0.5s-0 exists"),
        ("../outside", "'../outside'"),
        ("", "run name ''"),
        ("x" * 97, "at most 100"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_left(
    name: str, says: str, tiny_grid: MakeJob, tmp_path: Path
) -> None:
    for taken in ("taken", "half-0.5s-0"):
        (tmp_path / taken).mkdir()
    with pytest.raises(RunError, match=re.escape(says)):
        series.create(tmp_path, tiny_grid(), name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half-0.5s-0", "taken"]


def test_a_name_goes_on_with_the_same_job_and_is_refused_with_another(tiny_grid: MakeJob, tmp_path: Path) -> None:
    assert series.begun(tmp_path, tiny_grid(), "grid") is None
    series.create(tmp_path, tiny_grid(), "grid")
    assert series.begun(tmp_path, tiny_grid(), "grid") is not None
    with pytest.raises(RunError, match=r"with other settings: choose another --name, or .* resume grid"):
        series.begun(tmp_path, tiny_grid(steps=5), "grid")


def test_a_damaged_config_is_said(tiny_grid: MakeJob, tmp_path: Path) -> None:
    run = series.create(tmp_path, tiny_grid(), "grid")
    (run.path / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"condensation grid: config\.json is missing or damaged"):
        jobs.work(run)


# Its table


def evaluated(trained_on: str, *accuracies: float) -> Evaluation:
    accuracy = Accuracy(mean=statistics.fmean(accuracies), std=statistics.pstdev(accuracies), runs=accuracies)
    return Evaluation(
        evaluator="random-cnn",
        trained_on=trained_on,
        network="convnet 4 x 2",
        accuracy=accuracy,
        macro_f1=0.5,
        confusion=((1, 0, 0),) * 3,
    )


def test_the_table_pools_seeds_counts_random_clips_once_and_leaves_gaps(tiny_grid: MakeJob, tmp_path: Path) -> None:
    job = tiny_grid(seeds=2)
    run = job.create(tmp_path, "grid")
    measured = {"grid-0.25s-0": (0.5, 0.7), "grid-0.25s-1": (0.9, 0.9)}
    for cell in job.cells("grid"):
        if cell.run_id in measured:
            report = Report(
                dataset="FOLDER",
                split=SplitReport(train=96, test=24, disjoint_by="clip"),
                feature="logmelspectrogram",
                domain="spectral",
                tracks_per_class=2,
                rendered_per_class=4,
                seconds_per_track=0.25,
                floats_per_class=514,
                seconds={},
                device="cpu",
                skipped=1,
                evaluations=(
                    evaluated("synthetic", *measured[cell.run_id]),
                    evaluated("random-selection", 0.25, 0.75),
                ),
            )
            cell.job.create(tmp_path, cell.run_id).write("report.json", report.model_dump_json())
    # Half measured: the synthetic tracks alone.
    half = report.model_copy(update={"evaluations": report.evaluations[:1]})
    jobs.create(tmp_path, job.cells("grid")[1].job, "grid-0.5s-0").write("report.json", half.model_dump_json())

    table = tabulated(run)
    assert isinstance(table, CondenseReport)
    assert (table.cells, table.done, table.classes) == (4, 2, 3)
    assert table.notes == NOTES
    short, long = table.rows
    assert (short.seconds_per_track, short.tracks_per_class, short.rendered_per_class) == (0.25, 2, 4)
    assert (short.floats_per_class, short.train, short.test, short.skipped) == (514, 96, 24, 1)
    assert short.runs == tuple(measured)
    assert short.synthetic is not None
    assert short.random_selection is not None
    assert short.synthetic.runs == (0.5, 0.7, 0.9, 0.9)
    assert short.synthetic.mean == pytest.approx(0.75)
    assert short.synthetic.std == pytest.approx(np.std([0.5, 0.7, 0.9, 0.9]))
    assert short.random_selection.runs == (0.25, 0.75)
    assert short.gain == pytest.approx(0.25)
    assert (long.tracks_per_class, long.synthetic, long.gain, long.runs) == (1, None, None, ())


# The work


@dataclasses.dataclass
class Whole:
    run: Run
    report: CondenseReport


@pytest.fixture(scope="module")
def whole(tiny_grid: MakeJob, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Whole:  # noqa: ARG001
    """A grid of two durations and two seeds, done in one go."""
    run = series.create(tmp_path_factory.mktemp("whole"), tiny_grid(seeds=2, steps=_STEPS), "grid")
    report = jobs.work(run)
    assert isinstance(report, CondenseReport)
    return Whole(run, report)


def kept(run: Run, cell: str) -> dict[str, bytes]:
    """What has to be equal of a cell, by name."""
    folder = run.path.parent.parent / cell
    files = [folder / "synthetic.safetensors", *folder.glob("snapshots/*"), *folder.glob("audio/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def untouched(run: Run, cell: str) -> dict[str, int]:
    folder = run.path.parent.parent / cell
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_grid_is_done_cell_by_cell(whole: Whole) -> None:
    names = [f"grid-{d}s-{seed}" for seed in (0, 1) for d in ("0.25", "0.5")]
    assert [run.id for run in runs.all_runs(whole.run.path.parent.parent)] == names[::-1]
    assert whole.run.status().state == "done"
    assert jobs.report_of(whole.run) == whole.report
    assert (whole.report.done, whole.report.cells, whole.report.evaluator) == (4, 4, "random-cnn")
    for row, shape in zip(whole.report.rows, ((2, 16), (1, 32)), strict=True):
        assert row.synthetic is not None
        assert row.random_selection is not None
        assert row.floats_per_class == shape[0] * (16 * shape[1] + 1)
        assert len(row.synthetic.runs) == 4
        # The same clips and networks whatever the distillation's seed.
        assert len(row.random_selection.runs) == 2
        assert row.test == 24
    for name in names:
        assert kept(whole.run, name)
    log = (whole.run.path / "log.txt").read_text()
    assert log.count("phase distill") == 4


def test_stopped_killed_and_resumed_it_ends_equal_and_what_was_done_is_left_alone(
    whole: Whole, tiny_grid: MakeJob, until: Until, typed: Typed, tmp_path: Path
) -> None:
    run = series.create(tmp_path, tiny_grid(seeds=2, steps=_STEPS), "grid")
    cells = [Run(tmp_path / cell.run_id) for cell in series.cells_of(jobs.job_of(run), "grid")]

    def step(cell: Run) -> int:
        return max((record.get("step", 0) for record in cell.metrics()), default=0)

    jobs.resume(run)
    with pytest.raises(RunError, match="at work"):
        jobs.resume(run)
    until(lambda: step(cells[0]) > 20)
    # Whoever stops the cell at work stops what works on it.
    assert typed("stop", cells[0].id, "--runs-path", str(tmp_path)) == (0, f"{cells[0].id} is stopped\n", "")
    until(lambda: run.status().state == "stopped", 10)
    assert step(cells[0]) < _STEPS
    assert not cells[1].path.exists()

    jobs.resume(run)
    until(lambda: step(cells[1]) > 20)
    os.kill(run.status().pid, signal.SIGKILL)
    until(lambda: run.status().state == "stale")
    assert cells[1].status().state == "stale"
    assert step(cells[1]) < _STEPS
    first = untouched(run, cells[0].id)
    half = jobs.report_of(run)
    assert half is not None
    assert half.done == 1

    code, out, err = typed("resume", "grid", "--runs-path", str(tmp_path), "--json", "--quiet")
    assert code == 0, err
    assert untouched(run, cells[0].id) == first
    assert json.loads(out) == json.loads((run.path / "report.json").read_text())
    assert CondenseReport.model_validate_json(out) == whole.report
    for cell in cells:
        assert kept(run, cell.id) == kept(whole.run, cell.id)
        assert cell.status().state == "done"


def test_the_same_command_with_its_name_does_nothing_again(whole: Whole, typed: Typed) -> None:
    before = {name: untouched(whole.run, name) for name in whole.report.rows[0].runs}
    code, out, _ = typed("resume", "grid", "--runs-path", str(whole.run.path.parent.parent), "--quiet")
    assert code == 0
    assert {name: untouched(whole.run, name) for name in before} == before
    assert "random selection" in out
    assert f"note: {NOTES[0]}" in out


def test_a_condensation_takes_turns_with_runs_and_waits_for_another_and_can_be_stopped_meanwhile(
    tiny_grid: MakeJob, tiny_job: Callable[..., DistillJob], until: Until, typed: Typed, tmp_path: Path
) -> None:
    first = series.create(tmp_path, tiny_grid(steps=1), "first")
    second = series.create(tmp_path, tiny_grid(durations=(0.5,), steps=1), "second")
    between = tiny_job(steps=1, factor=1).create(tmp_path, "between")
    cells = [Run(tmp_path / name) for name in ("first-0.25s-0", "first-0.5s-0", "second-0.5s-0")]
    (tmp_path / ".queue").mkdir()
    with FileLock(tmp_path / ".queue" / "cpu.lock"):
        jobs.resume(first)
        until(lambda: cells[0].status().state == "queued")
        until(lambda: first.status().detail == "2 x 0.25 s, seed 0, waiting for the device")
        assert typed("stop", "first", "--runs-path", str(tmp_path)) == (0, "first is stopped\n", "")
        assert cells[0].status().state == "stopped"

        jobs.resume(first)
        until(lambda: cells[0].status().state == "queued")
        jobs.resume(between)
        until((between.path / ".lock").exists)
    jobs.work(second)
    until(lambda: between.status().state == "done")
    # The run waited for one cell only, the other condensation for all.
    began = [(run.path / "environment.json").stat().st_mtime_ns for run in (cells[0], between, *cells[1:])]
    assert began == sorted(began)
    assert [run.status().state for run in (first, second, between, *cells)] == ["done"] * 6


def test_a_cell_that_someone_else_works_on_is_waited_for(tiny_grid: MakeJob, until: Until, tmp_path: Path) -> None:
    run = series.create(tmp_path, tiny_grid(durations=(0.5,), steps=_STEPS), "grid")
    (cell,) = series.cells_of(jobs.job_of(run), "grid")
    theirs = cell.job.create(tmp_path, cell.run_id)
    jobs.resume(theirs)
    until(lambda: theirs.status().step > 0)
    pid = theirs.status().pid
    assert pid != os.getpid()
    report = jobs.work(run)
    assert report.done == 1
    assert theirs.status().pid == pid


def test_a_cell_that_fails_does_not_keep_the_others_from_being_done(tiny_grid: MakeJob, tmp_path: Path) -> None:
    data = tmp_path / "late"
    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        (data / name).mkdir(parents=True)
        for take in range(10):
            wave = draw.uniform(-0.5, 0.5, 8000)
            wave[: 8000 if take < 0 else 5000 if take < 2 else 0] = 0  # two of ten begin with silence
            soundfile.write(data / name / f"{take}.wav", wave, 16_000)
    run = series.create(tmp_path, tiny_grid(data_path=data, steps=1), "grid")
    with pytest.raises(RunError, match=r"1 of 2 cells failed, the first is grid-0.25s-0: .*silent"):
        jobs.work(run)
    assert run.status().state == "failed"
    assert "silent" in run.status().error
    assert [found.id for found in runs.all_runs(tmp_path) if found.id != "late"] == ["grid-0.5s-0"]
    report = jobs.report_of(run)
    assert report is not None
    assert [row.synthetic is not None for row in report.rows] == [False, True]


# The command


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--durations", "0.7"], "durations 0.7"),
        (["--durations", "half"], "durations.0 'half'"),
        (["--durations", ""], "name one at least"),
        (["--budget-seconds", "x"], "--budget-seconds"),
        (["--name", "../x"], "'../x'"),
        (["--durations", "0.5", "--budget-seconds", "50"], "only 32 training clips"),
        (["--data-path", "nowhere"], "nowhere"),
    ],
)
def test_the_command_refuses_in_one_line_and_leaves_nothing(
    words: list[str], says: str, typed: Typed, sounds: Path, tmp_path: Path
) -> None:
    common = ["condense", "--dataset", "FOLDER", "--data-path", str(sounds), "--runs-path", str(tmp_path / "runs")]
    code, out, err = typed(*common, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("distrack: ")
    assert says in err
    assert not (tmp_path / "runs").exists()


def test_help_says_what_a_duration_does_to_the_test_clips(typed: Typed) -> None:
    code, out, _ = typed("condense", "--help")
    assert code == 0
    assert "test clips hold less too" in " ".join(out.split())
