"""The time that a distillation is expected to take, from the times of earlier runs."""

from typing import Any

import pytest

from distrack.evaluate import Accuracy, Evaluation, Report, SplitReport, measurements
from distrack.jobs.distillation import DistillJob, expected_seconds
from distrack.jobs.distillation.expected import Earlier
from distrack.validation import from_preset, merged

SECONDS = {"prepare": 1.0, "distill": 40.0, "invert": 4.0, "evaluate": 99.0, "inspect": 5.0, "listen": 6.0}
# Images that a network sees: 200 steps with 16 of the 80 tracks, or with the 10 clips that are selected.
OF_TRACKS, OF_CLIPS = 200 * 16, 200 * 10


def job(**changes: Any) -> DistillJob:
    """The usual job with changes, and two evaluators on images of the tracks and of two baselines."""
    evaluation = {
        "evaluators": ("random-cnn", "prototype"),
        "baselines": ("random-selection", "class-mean"),
        "forms": ("image",),
    }
    return from_preset(DistillJob, merged({"evaluation": evaluation}, changes))


def earlier(of: DistillJob, pace: float | None = 0.001, runs: int = 3) -> Earlier:
    """A finished run of a job, whose measurements have so many runs."""
    assert of.evaluation is not None
    lines = tuple(
        Evaluation(
            evaluator=each.evaluator,
            trained_on=each.trained_on,
            network=each.network,
            form=each.form,
            accuracy=Accuracy.of([0.5] * runs),
            macro_f1=0.5,
            confusion=((1,) * 10,) * 10,
            recipe=each.recipe.model_dump(mode="json"),
        )
        for each in measurements(of.evaluation)
    )
    report = Report(
        dataset=of.dataset,
        split=SplitReport(train=2400, test=600, disjoint_by="speaker"),
        feature=of.feature.name,
        domain=of.domain.name,
        tracks_per_class=of.ipc,
        rendered_per_class=of.ipc * of.factor,
        seconds_per_track=of.seconds,
        floats_per_class=2042,
        seconds=SECONDS,
        device="cpu",
        skipped=0,
        evaluations=lines,
        pace=pace,
    )
    return Earlier(of, report, SECONDS)


def expected(of: DistillJob, *known: Earlier) -> dict[str, float]:
    """The seconds that a job is expected to take."""
    return expected_seconds(of, of.evaluation, known)


def test_networks_in_the_cache_take_no_time_and_the_others_go_by_their_images() -> None:
    known = earlier(job())
    assert expected(job(), known) == {**SECONDS, "evaluate": 0}, "the same run again"
    assert expected(job(seed=1), known)["evaluate"] == pytest.approx(3 * OF_TRACKS * 0.001), "only tracks are new"
    more = expected(job(seed=1, evaluation={"seeds": 5}), known)["evaluate"]
    assert more == pytest.approx((5 * OF_TRACKS + 2 * 2 * OF_CLIPS) * 0.001)
    full = expected(job(seed=1, evaluation={"baselines": ("full",)}), known)["evaluate"]
    assert full == pytest.approx(3 * (OF_TRACKS + 1800 * 16) * 0.001), "twelve epochs of 2,400 clips"
    other = expected(job(feature="melspectrogram"), known)["evaluate"]
    assert other == pytest.approx(3 * (OF_TRACKS + 2 * OF_CLIPS) * 0.001), "another feature, other clips"


def test_time_that_the_cache_saved_does_not_make_a_network_cheap() -> None:
    again = earlier(job(), pace=None)
    assert expected(job(seed=1), again, earlier(job()))["evaluate"] == pytest.approx(3 * OF_TRACKS * 0.001)


def test_steps_are_scaled_and_a_run_that_is_alike_goes_before_a_newer_one() -> None:
    assert expected(job(steps=2 * job().steps), earlier(job()))["distill"] == pytest.approx(80)
    slow = earlier(job(objective="mean"))._replace(seconds={**SECONDS, "distill": 7.0})
    assert expected(job(), slow, earlier(job()))["distill"] == pytest.approx(40)
    assert expected(job(), slow)["distill"] == pytest.approx(7)


def test_without_an_evaluation_there_are_three_phases() -> None:
    assert expected(job().model_copy(update={"evaluation": None})).keys() == {"prepare", "distill", "invert"}


@pytest.mark.parametrize("changes", [{}, {"preset": "paper"}, {"domain": "waveform"}, {"evaluation": {"seeds": 1}}])
def test_before_any_run_every_phase_has_a_share(changes: dict[str, Any]) -> None:
    assert all(seconds > 0 for seconds in expected(job(**changes)).values())
