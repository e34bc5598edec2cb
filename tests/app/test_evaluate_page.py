"""The Evaluate page without a browser: scores, further evaluations, and the memorisation check."""

import pytest
from streamlit.testing.v1 import AppTest

from distrack import jobs, runs
from distrack.errors import RunError
from distrack.evaluate import comparisons
from distrack.jobs.membership import MembershipJob
from distrack.jobs.results import evaluation_report, synthetic_file
from distrack.networks import NETWORKS
from tests.app.page import again, given, labelled, opened, texts


def test_it_states_the_split_and_shows_baselines(app: AppTest, finished: runs.Run) -> None:
    opened(app, "evaluate", run=finished.id)
    assert "appears in both training and test" in texts(app)
    table = app.dataframe[0].value
    assert set(table["trained on"]) == {
        "Synthetic tracks",
        "Synthetic tracks (sound)",
        "Random clips",
        "Same-storage control",
    }
    tracks = table[table["trained on"] == "Synthetic tracks"].iloc[0]
    report = evaluation_report(finished)
    assert report is not None
    random = report.accuracy("random-cnn", "random-selection") or 0.0
    assert tracks["vs random"] == pytest.approx((report.accuracy("random-cnn", "synthetic") or 0.0) - random)
    assert len(app.get("vega_lite_chart")) == 1
    sets = ("synthetic", "same-storage", "random-selection")
    ours, stored, theirs = (report.accuracy("random-cnn", name) for name in sets)
    beside = f"same storage: {stored:.1%}, random clips: {theirs:.1%}"
    assert app.header[0].value == f"CNN trained on the tracks: {ours:.1%} ({beside})"
    (line,) = (line for line in comparisons(report.evaluations) if line.evaluator == "random-cnn")
    assert line.added == pytest.approx((ours or 0.0) - (stored or 0.0))
    assert f"Distillation adds **{100 * (line.added or 0.0):+.1f} points**" in texts(app)
    assert tracks["distillation adds"] == pytest.approx(line.added)
    assert tracks["as sound"] == pytest.approx(report.accuracy("random-cnn", "synthetic", "sound"))
    assert tracks["ARS"] == pytest.approx(line.augmentation_robust_score)
    opened(app, "evaluate", run=finished.id, tab="Confusion")
    recall = app.dataframe[0].value
    assert list(recall["class"]) == ["high", "low", "middle"]
    assert list(recall["recall"]) == pytest.approx(report.evaluations[0].recall)


def test_further_measurements_are_launched_as_they_would_be_typed(
    app: AppTest, finished: runs.Run, launched: list[tuple[str, ...]]
) -> None:
    opened(app, "evaluate", run=finished.id)
    evaluators = labelled(app, "multiselect", "Evaluators")
    baselines = labelled(app, "multiselect", "Baselines")
    networks = labelled(app, "multiselect", "Other networks")
    assert (evaluators.value, baselines.value) == (
        ["random-cnn", "random-cnn-plain", "prototype"],
        ["random-selection", "same-storage"],
    )
    assert {NETWORKS.title(name) for name in ("mlp", "resnet18")} <= set(networks.options)
    evaluators.set_value(["random-cnn", "linear-probe"])
    baselines.set_value(["herding"])
    networks.set_value(["mlp"])
    app.number_input[0].set_value(5)
    app.button[0].click()
    again(app)
    words = ["--evaluators", "random-cnn,linear-probe", "--baselines", "herding", "--seeds", "5"]
    words += ["--architectures", "mlp"]
    assert [command[: 3 + len(words)] for command in launched] == [(finished.id, "evaluate", finished.id, *words)]


def test_no_evaluator_is_refused(app: AppTest, finished: runs.Run, launched: list[tuple[str, ...]]) -> None:
    opened(app, "evaluate", run=finished.id)
    labelled(app, "multiselect", "Evaluators").set_value([])
    app.button[0].click()
    again(app)
    assert "Select at least one evaluator" in texts(app)
    assert launched == []


def test_the_check_shows_the_closest_tracks_beside_their_real_clips(app: AppTest, finished: runs.Run) -> None:
    opened(app, "evaluate", run=finished.id, tab="Copies")
    assert "tracks are suspiciously close to a training clip" in texts(app)
    assert "not a privacy guarantee" in texts(app)
    assert len(app.selectbox[-1].options) == 6
    assert len(app.get("audio")) == 2, "the track and the real clip that is the nearest to it"
    app.segmented_control[1].set_value("test")
    again(app)
    assert "suspiciously close to a test clip" in texts(app)
    pictures = [part.proto.body for part in app.get("html") if "<img" in part.proto.body]
    assert len(pictures) == 2, "the track and the clip"
    assert all(" alt=" in picture for picture in pictures)
    opened(app, "evaluate", run=finished.id, tab="Map")
    points = given(app, "distrack_map")["points"]
    assert {point["kind"] for point in points} == {"clip", "track", "centre"}
    assert all(bool(point["sheet"]) == (point["kind"] != "centre") for point in points)


def test_the_membership_attack_is_started_and_its_result_is_shown_with_clips_to_hear(
    app: AppTest, finished: runs.Run, launched: list[tuple[str, ...]]
) -> None:
    opened(app, "evaluate", run=finished.id, tab="Membership")
    app.button(key="membership").click()
    again(app)
    assert [command[:4] for command in launched] == [(finished.id, "inspect", finished.id, "--membership")]
    jobs.work(finished, MembershipJob(run=finished.id, halves=4))
    opened(app, "evaluate", run=finished.id, tab="Membership")
    assert list(app.dataframe[0].value["Made from clips"]) == [
        "Synthetic tracks",
        "Synthetic tracks (from noise)",
        "Same-storage control",
        "Random clips",
    ]
    assert "not that the tracks are private" in texts(app)
    assert "4 halves of" in texts(app)
    assert len(app.get("vega_lite_chart")) == 2
    assert len(app.selectbox[-1].options) == 12
    assert len(app.get("audio")) == 2, "the nearest track and the clip"
    app.segmented_control[-1].set_value("network")
    again(app)
    assert "not that the tracks are private" in texts(app)
    assert not app.error


def test_the_error_of_a_check_that_cannot_start_stays_on_the_page(
    app: AppTest, finished: runs.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_run: runs.Run, *_words: str, device: str) -> None:  # noqa: ARG001
        raise RunError("the disk is full")

    monkeypatch.setattr(runs, "launch", full)
    made = finished.path / "inspection.json"
    content = made.read_bytes()
    made.unlink()
    try:
        opened(app, "evaluate", run=finished.id, tab="Map")
        app.button(key="inspect").click()
        again(app)
        assert [error.value for error in app.error] == ["The disk is full."]
    finally:
        made.write_bytes(content)


def test_a_run_whose_synthetic_set_is_gone_keeps_its_scores(app: AppTest, finished: runs.Run) -> None:
    content = synthetic_file(finished).read_bytes()
    synthetic_file(finished).unlink()
    try:
        opened(app, "evaluate", run=finished.id)
        assert set(app.dataframe[0].value["trained on"]) == {
            "Synthetic tracks",
            "Synthetic tracks (sound)",
            "Random clips",
            "Same-storage control",
        }
        opened(app, "evaluate", run=finished.id, tab="Confusion")
        assert list(app.dataframe[0].value["class"]) == ["0", "1", "2"]
    finally:
        synthetic_file(finished).write_bytes(content)
