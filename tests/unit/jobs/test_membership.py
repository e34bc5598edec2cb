"""The job of the membership attack: it goes on where it stopped, and adds halves to those that are done."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from distrack import jobs
from distrack.errors import ConfigError, RunError
from distrack.evaluate import BASELINES
from distrack.evaluate.half_sets import CONTROLS, FROM_NOISE
from distrack.evaluate.membership import SIGNALS, Membership
from distrack.jobs.distillation import DistillJob
from distrack.jobs.inspection import InspectionJob
from distrack.jobs.membership import MembershipJob, membership_of
from distrack.runs import Run

# A small network that learns for a moment.
QUICK = {"network": {"width": 4, "depth": 2}, "steps": 20, "epochs": 1}


@pytest.fixture(scope="module")
def made(tiny_job: Callable[..., DistillJob], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was attacked by four halves."""
    run = tiny_job(evaluation=QUICK).create(tmp_path_factory.mktemp("attacked"), "attacked")
    jobs.work(run)
    jobs.work(run, MembershipJob(run=run.id, halves=4))
    return run


def halves_of(run: Run) -> dict[str, bytes]:
    """What is kept of each half."""
    return {path.name: path.read_bytes() for path in sorted((run.path / "membership").iterdir())}


def test_every_kind_of_set_is_attacked_by_every_signal(made: Run) -> None:
    found = membership_of(made)
    assert isinstance(found, Membership)
    assert found.halves == 4
    subjects = ("synthetic", FROM_NOISE, *CONTROLS)
    assert {(each.subject, each.signal) for each in found.attacks} == {(a, b) for a in subjects for b in SIGNALS}
    assert all(name in BASELINES for name in CONTROLS)
    for exposed in found.exposed.values():
        assert len(exposed) == 12
        scores = [each.exposure for each in exposed]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= each.clip < found.clips for each in exposed)
    (table,) = MembershipJob.tables(found, made.id)
    assert len(table.rows) == len(found.attacks)
    assert "not that the tracks are private" in table.notes[0]


def test_a_stopped_attack_goes_on_and_ends_as_one_that_was_not_stopped(made: Run, tmp_path: Path) -> None:
    whole = halves_of(made)
    run = Run(shutil.copytree(made.path, tmp_path / "attacked"))
    for name in ("2", "3"):
        (run.path / "membership" / f"{name}.safetensors").unlink()
    (run.path / MembershipJob.report_name).unlink()

    def stop(phase: str, step: int, steps: int, _detail: str, _loss: float | None) -> None:
        if phase == "membership" and step > steps * 0.8:
            raise RunError("the power failed")

    with pytest.raises(RunError, match="power"):
        jobs.work(run, MembershipJob(run=run.id, halves=4), watch=stop)
    assert membership_of(run) is None
    assert halves_of(run).keys() == {f"{number}.safetensors" for number in range(3)}
    jobs.work(run, MembershipJob(run=run.id, halves=4))
    assert halves_of(run) == whole
    assert membership_of(run) == membership_of(made)


def test_more_halves_add_to_those_that_are_done(made: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(made.path, tmp_path / "attacked"))
    seen: list[float] = []
    times = {path: path.stat().st_mtime_ns for path in (run.path / "membership").iterdir()}
    jobs.work(run, MembershipJob(run=run.id, halves=6), watch=lambda _phase, step, *_: seen.append(step))
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    found = membership_of(run)
    assert found is not None
    assert found.halves == 6
    assert len(halves_of(run)) == 6


def test_halves_of_other_clips_are_made_again(made: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(made.path, tmp_path / "attacked"))
    file = run.path / "membership" / "0.safetensors"
    whole = file.read_bytes()
    file.write_bytes(b"damaged")
    other = run.path / "membership" / "1.safetensors"
    changed = bytearray(other.read_bytes())
    changed[changed.index(b'"of":"') + 6] ^= 1  # the digest of what it was made from
    other.write_bytes(changed)
    before = halves_of(made)
    jobs.work(run, MembershipJob(run=run.id, halves=4))
    assert halves_of(run) == before
    assert file.read_bytes() == whole


def test_a_run_from_noise_has_no_second_kind_from_noise(tiny_job: Callable[..., DistillJob], tmp_path: Path) -> None:
    job = tiny_job(evaluation=None, initialisation="noise")
    run = job.create(tmp_path, "noise")
    jobs.work(run)
    found = jobs.work(run, MembershipJob(run=run.id, halves=4))
    assert {each.subject for each in found.attacks} == {"synthetic", *CONTROLS}


def test_what_cannot_be_attacked_is_said(tiny_job: Callable[..., DistillJob], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--halves 8 is a setting of the attack: add --membership"):
        MembershipJob.from_overrides({"run": "any", "halves": 8})
    with pytest.raises(ConfigError, match="halves 5: Input should be a multiple of 2"):
        MembershipJob.from_overrides({"run": "any", "membership": True, "halves": 5})
    assert isinstance(MembershipJob.from_overrides({"run": "any"}), InspectionJob)
    # There are as many tracks as training clips: half of them are too few.
    train = tiny_job().material().train
    fewest = min(len(train.of_class(label)) for label in range(train.classes))
    run = tiny_job(evaluation=None, ipc=fewest).create(tmp_path, "many")
    jobs.work(run)
    problem = f"ipc {fewest}: half of the training clips of class .* are only {fewest // 2}"
    with pytest.raises(ConfigError, match=problem):
        jobs.work(run, MembershipJob(run=run.id, halves=4))
