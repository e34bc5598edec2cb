"""Temporal condensation: what a grid may be, which cells it has, what is made of their reports, how it is worked on."""

import dataclasses
import json
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
from filelock import FileLock

from distrack import jobs, runs
from distrack.errors import ConfigError, DistrackError, RunError
from distrack.evaluate import Accuracy, Evaluation, Report, SplitReport
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series import CondenseJob, CondenseReport, condense_job, fitting, possible, tabulated, usual
from distrack.jobs.series.condensation import NOTES
from distrack.runs import Run, Session
from distrack.runs.folder import make_folder
from distrack.runs.session import HOLD_AT
from distrack.validation import merged

MakeJob = Callable[..., CondenseJob]
Typed = Callable[..., tuple[int | str | None, str, str]]
Until = Callable[..., None]

# Steps of a cell, and the one at which it is interrupted.
_STEPS, _HELD = 12, 6


@pytest.fixture(autouse=True)
def never_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is stopped in this process, which must not be ended however long the machine takes for it."""
    monkeypatch.setattr("distrack.runs.session._EXIT_AFTER", 1_000.0)


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
        "evaluation": {
            "evaluators": ("random-cnn",),
            "baselines": ("random-selection",),
            "forms": ("image",),
            "seeds": 2,
            "steps": 5,
            "network": {"width": 4, "depth": 2},
        },
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
        ({"durations": ()}, ["durations", "name at least one"]),
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


def test_an_absent_dataset_is_said_once(tiny_grid: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(DistrackError, match=r"^no FOLDER recordings"):
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


# Its folder


def test_its_folder_is_not_listed_among_runs_and_is_found_by_its_kind(tiny_grid: MakeJob, tmp_path: Path) -> None:
    run = tiny_grid().create(tmp_path, "grid")
    assert list(runs.all_runs(tmp_path)) == []
    assert [found.id for found in jobs.all_runs(tmp_path, "condensation")] == ["grid"]
    assert jobs.kind_of(jobs.find(tmp_path, "grid")) == "condensation"
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
        tiny_grid().create(tmp_path, name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half-0.5s-0", "taken"]


def test_a_name_continues_the_same_job_and_is_refused_with_another(tiny_grid: MakeJob, tmp_path: Path) -> None:
    made = tiny_grid().open(tmp_path, "grid")
    assert tiny_grid().open(tmp_path, "grid").path == made.path
    with pytest.raises(RunError, match=r"with other settings: choose another --name, or .* resume grid"):
        tiny_grid(steps=5).open(tmp_path, "grid")


def test_a_damaged_config_is_an_error_that_names_it(tiny_grid: MakeJob, tmp_path: Path) -> None:
    run = tiny_grid().create(tmp_path, "grid")
    (run.path / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"run grid: config\.json is missing or damaged"):
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
    job.cells("grid")[1].job.create(tmp_path, "grid-0.5s-0").write("report.json", half.model_dump_json())

    table = tabulated(run, job)
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
    """A finished grid, and its runs as a process leaves them that is killed in the second cell."""

    run: Run
    report: CondenseReport
    killed: Path


def last_step(run: Run) -> int:
    return max((record.get("step", 0) for record in run.metrics()), default=0)


@pytest.fixture(scope="module")
def whole(tiny_grid: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A grid of two durations and two seeds, done without an interruption."""
    place = tmp_path_factory.mktemp("whole")
    run = tiny_grid(seeds=2, steps=_STEPS).create(place / "runs", "grid")
    second = Run(place / "runs" / "grid-0.5s-0")

    def watch(*_: object) -> None:
        if last_step(second) >= _HELD and not (place / "killed").exists():
            shutil.copytree(place / "runs", place / "killed")

    report = jobs.work(run, watch=watch)
    assert isinstance(report, CondenseReport)
    return Whole(run, report, place / "killed")


def results(runs_path: Path, cell: str) -> dict[str, bytes]:
    """The files of a cell that an interruption must not change, by name."""
    folder = runs_path / cell
    files = [folder / "synthetic.safetensors", *folder.glob("snapshots/*"), *folder.glob("audio/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def times(runs_path: Path, cell: str) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in (runs_path / cell).rglob("*") if path.is_file()}


def check_equal(runs_path: Path, whole: Whole) -> None:
    run = jobs.find(runs_path, "grid")
    assert jobs.report_of(run) == whole.report
    for cell in tiny_cells(whole):
        assert results(runs_path, cell) == results(jobs.runs_path_of(whole.run), cell)
        assert Run(runs_path / cell).status().state == "done"


def tiny_cells(whole: Whole) -> list[str]:
    job = jobs.job_of(whole.run)
    assert isinstance(job, CondenseJob)
    return [cell.run_id for cell in job.cells("grid")]


def test_a_grid_is_done_cell_by_cell(whole: Whole) -> None:
    names = [f"grid-{d}s-{seed}" for seed in (0, 1) for d in ("0.25", "0.5")]
    assert tiny_cells(whole) == names
    assert [run.id for run in runs.all_runs(jobs.runs_path_of(whole.run))] == names[::-1]
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
    log = (whole.run.path / "log.txt").read_text()
    assert log.count("phase distill") == 4


def test_killed_and_resumed_it_ends_equal_and_the_cell_that_was_done_is_left_alone(
    whole: Whole, typed: Typed, tmp_path: Path
) -> None:
    place = Path(shutil.copytree(whole.killed, tmp_path / "runs"))
    run, (first, second, *_) = jobs.find(place, "grid"), tiny_cells(whole)
    for process in (run, Run(place / second)):
        process.write("status.json", process.status().model_copy(update={"pid": 2**31 - 2}).model_dump_json())
        assert process.status().state == "stale"
    assert _HELD <= last_step(Run(place / second)) < _STEPS
    half = jobs.report_of(run)
    assert half is not None
    assert half.done == 1
    before = times(place, first)
    code, out, err = typed("resume", "grid", "--runs-path", str(place), "--json", "--quiet")
    assert code == 0, err
    assert times(place, first) == before
    assert json.loads(out) == json.loads((run.path / "report.json").read_text())
    check_equal(place, whole)


def test_stopping_the_cell_that_runs_stops_the_grid_which_ends_equal_when_it_is_resumed(
    whole: Whole, tiny_grid: MakeJob, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_grid(seeds=2, steps=_STEPS).create(tmp_path, "grid")
    first, second, *_ = (Run(tmp_path / cell) for cell in tiny_cells(whole))

    def stop() -> runs.Status:
        until(lambda: last_step(first) >= _HELD)
        return jobs.stop(first)

    monkeypatch.setenv(HOLD_AT, f"distill:{_HELD}")
    with ThreadPoolExecutor() as threads:
        stopped = threads.submit(stop)
        with pytest.raises(runs.Stopped):
            jobs.work(run)
        assert stopped.result().state == "stopped"
    assert run.status().state == "stopped"
    assert last_step(first) < _STEPS
    assert not second.path.exists()
    monkeypatch.delenv(HOLD_AT)
    jobs.work(run)
    check_equal(tmp_path, whole)


def test_a_grid_that_is_done_is_shown_again_and_nothing_is_done_again(whole: Whole, typed: Typed) -> None:
    place = jobs.runs_path_of(whole.run)
    before = {name: times(place, name) for name in tiny_cells(whole)}
    code, out, _ = typed("resume", "grid", "--runs-path", str(place), "--quiet")
    assert code == 0
    assert {name: times(place, name) for name in before} == before
    assert "random selection" in out
    assert f"note: {NOTES[0]}" in out


def test_a_grid_that_waits_for_the_device_can_be_stopped(tiny_grid: MakeJob, until: Until, tmp_path: Path) -> None:
    run = tiny_grid(steps=1).create(tmp_path, "grid")
    cell = Run(tmp_path / "grid-0.25s-0")

    def stop() -> runs.Status:
        until(lambda: run.status().detail == "2 x 0.25 s, seed 0, waiting for the device")
        return jobs.stop(run)

    (tmp_path / ".queue").mkdir()
    with FileLock(tmp_path / ".queue" / "cpu.lock"), ThreadPoolExecutor() as threads:
        stopped = threads.submit(stop)
        with pytest.raises(runs.Stopped):
            jobs.work(run)
        assert stopped.result().state == "stopped"
    assert cell.status().state == "stopped"


def test_a_run_waits_for_one_cell_of_a_grid_and_another_grid_for_all(
    tiny_grid: MakeJob, until: Until, tmp_path: Path
) -> None:
    first = tiny_grid(steps=1).create(tmp_path, "first")
    second = tiny_grid(durations=(0.5,), steps=1).create(tmp_path, "second")
    between = make_folder(tmp_path, "between", "{}")
    cells = [Run(tmp_path / name) for name in ("first-0.25s-0", "first-0.5s-0", "second-0.5s-0")]

    def work_between() -> None:
        with Session(between, "cpu").working() as session:
            session.phase("idle")

    (tmp_path / ".queue").mkdir()
    with ThreadPoolExecutor() as threads:
        with FileLock(tmp_path / ".queue" / "cpu.lock"):
            works = [threads.submit(jobs.work, first)]
            until(lambda: cells[0].status().state == "queued")
            works.append(threads.submit(work_between))
            until(lambda: between.status().state == "queued")
        jobs.work(second)
        for work in works:
            work.result()
    ended = [run.status().heartbeat for run in (cells[0], between, *cells[1:])]
    assert ended == sorted(ended)
    assert [run.status().state for run in (first, second, between, *cells)] == ["done"] * 6


def test_a_cell_that_another_process_works_on_is_waited_for(
    whole: Whole, tiny_grid: MakeJob, until: Until, tmp_path: Path
) -> None:
    run = tiny_grid(durations=(0.5,), steps=_STEPS).create(tmp_path, "grid")
    done = jobs.runs_path_of(whole.run) / "grid-0.5s-0"
    cell = Run(Path(shutil.copytree(done, tmp_path / "grid-0.5s-0")))
    status = cell.status()
    before = times(tmp_path, cell.id).keys()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) as other:
        theirs = {"state": "running", "pid": other.pid, "process_started": psutil.Process(other.pid).create_time()}
        cell.write("status.json", status.model_copy(update=theirs).model_dump_json())

        def finish() -> None:
            until(lambda: "running in another process" in run.status().detail)
            cell.write("status.json", status.model_copy(update={**theirs, "state": "done"}).model_dump_json())

        with ThreadPoolExecutor() as threads:
            finished = threads.submit(finish)
            report = jobs.work(run)
            finished.result()
        other.kill()
    assert report.done == 1
    assert cell.status().pid == other.pid
    assert times(tmp_path, cell.id).keys() == before


def test_a_cell_that_fails_does_not_keep_the_others_from_being_done(tiny_grid: MakeJob, tmp_path: Path) -> None:
    data = tmp_path / "late"
    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        (data / name).mkdir(parents=True)
        for take in range(10):
            wave = draw.uniform(-0.5, 0.5, 8000)
            wave[: 8000 if take < 0 else 5000 if take < 2 else 0] = 0  # two of ten begin with silence
            soundfile.write(data / name / f"{take}.wav", wave, 16_000)
    run = tiny_grid(data_path=data, steps=1).create(tmp_path, "grid")
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
        (["--durations", ""], "name at least one"),
        (["--budget-seconds", "x"], "budget_seconds 'x'"),
        (["--name", "../x"], "'../x'"),
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
    assert "cut or padded to the track length, in training and test" in " ".join(out.split())
