"""What a run's tracks are worth: accuracies beside baselines, other networks, classes that are mixed up; and what else
can be measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from distrack import runs
from distrack.distill import DistillConfig, SyntheticSet
from distrack.errors import DistrackError, RunError
from distrack.evaluate import BASELINES, EVALUATORS, Evaluation, EvaluationConfig, Report, comparisons
from distrack.figures.accuracy import run_bars
from distrack.figures.confusion import confusion_matrix
from distrack.jobs.distillation import DistillJob
from distrack.jobs.evaluation import EvaluationJob, distillation_of
from distrack.jobs.results import synthetic_file
from distrack.networks import NETWORKS, check_shape
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import ink, show_errors
from distrack.ui.shared.run_in_view import runs_path

# Learning rates that are tried on held-out clips.
_RATES = ("0.002", "0.006", "0.02")
_OTHER_NETWORKS = "Other networks"


def class_names(run: runs.Run, count: int) -> list[str]:
    """Names of the classes; their numbers where the synthetic set that knows them is gone or damaged."""
    path = synthetic_file(run)
    try:
        return _named(path, path.stat().st_mtime)
    except (OSError, RunError):
        return [str(label) for label in range(count)]


@st.cache_data(max_entries=256, show_spinner=False)
def _named(path: Path, changed: float) -> list[str]:  # noqa: ARG001
    return list(SyntheticSet.load(path).classes)


def show(run: runs.Run, report: Report) -> None:
    """Bars, scores, the same with other networks, and the confusion of classes."""
    classes = class_names(run, len(report.evaluations[0].confusion))
    by: dict[tuple[str, str], list[Evaluation]] = {}
    for evaluation in report.evaluations:
        by.setdefault((evaluation.evaluator, evaluation.network), []).append(evaluation)
    evaluators = [evaluator for evaluator, _ in by]
    named = {
        evaluator if evaluators.count(evaluator) == 1 else f"{evaluator}, {network}": found
        for (evaluator, network), found in by.items()
    }
    chance = 1 / len(classes)
    st.altair_chart(run_bars(named, chance=chance, ink=ink()), key=f"bars-{run.id}")
    st.caption(f"Lines: 95 % interval of the mean over seeds (Student's t). Dotted: chance, {chance:.1%}.")
    _scores(report)
    _networks(report)
    _confusion(run, report, classes)


def _scores(report: Report) -> None:
    gains = {(found.evaluator, found.network): found for found in comparisons(report.evaluations)}
    rows = []
    for e in report.evaluations:
        low, high = e.accuracy.interval or (None, None)
        beside = gains.get((e.evaluator, e.network)) if e.trained_on == "synthetic" else None
        rows.append(
            {
                "evaluator": e.evaluator,
                "trained on": e.trained_on,
                "accuracy": f"{e.accuracy.mean:.3f} ± {e.accuracy.std:.3f}",
                "95 %": "" if low is None else f"{low:.3f} to {high:.3f}",
                "gain": None if beside is None else beside.gain,
                "lost": None if beside is None else beside.lost,
                "recovered": None if beside is None else beside.recovered,
                "macro F1": e.macro_f1,
                "seeds": len(e.accuracy.runs),
                "network": e.network,
                "learning rate": e.learning_rate,
            }
        )
    lacking = [
        name for name in ("gain", "lost", "recovered", "learning rate") if all(row[name] is None for row in rows)
    ]
    st.dataframe(
        [{name: value for name, value in row.items() if name not in lacking} for row in rows],
        hide_index=True,
        placeholder="–",
        column_config={
            "gain": st.column_config.NumberColumn(format="%+.3f", help="Beyond random clips of the same storage."),
            "lost": st.column_config.NumberColumn(format="%.3f", help="Against all clips (hard label recovery)."),
            "recovered": st.column_config.NumberColumn(format="percent", help="Share of the accuracy of all clips."),
            "macro F1": st.column_config.NumberColumn(format="%.3f"),
            "learning rate": st.column_config.NumberColumn(help="Chosen on held-out training clips."),
        },
    )


def _networks(report: Report) -> None:
    found = [e for e in report.evaluations if e.evaluator == "random-cnn"]
    names = list(dict.fromkeys(e.network for e in found))
    if len(names) < 2:
        return
    st.subheader("Learnt by other networks")
    st.caption("Distilled with one network; does what it made teach the others too?")
    sets = list(dict.fromkeys(e.trained_on for e in found))
    by = {e.key: f"{e.accuracy.mean:.3f} ± {e.accuracy.std:.3f}" for e in found}
    rows = [{"network": name, **{kind: by.get(("random-cnn", kind, name), "–") for kind in sets}} for name in names]
    st.dataframe(rows, hide_index=True)


def _confusion(run: runs.Run, report: Report, classes: Sequence[str]) -> None:
    # What is examined on the tracks knows each class a handful of times.
    found = {_said(e, report): e for e in report.evaluations if not EVALUATORS[e.evaluator].tests_tracks}
    if not found:
        return
    st.subheader("What is taken for what")
    picked = found[st.selectbox("Measured", list(found), key=f"confusion-{run.id}")]
    left, right = st.columns([2, 1])
    with left:
        st.plotly_chart(confusion_matrix(picked.confusion, classes, ink=ink()), key=f"matrix-{run.id}-{picked.key}")
    with right:
        st.dataframe(
            [{"class": name, "recall": share} for name, share in zip(classes, picked.recall, strict=True)],
            hide_index=True,
            column_config={
                "recall": st.column_config.ProgressColumn(
                    format="percent", min_value=0, max_value=1, help="Share of the class's test clips recognised."
                )
            },
        )


def _said(evaluation: Evaluation, report: Report) -> str:
    networks = {e.network for e in report.evaluations if e.evaluator == evaluation.evaluator}
    more = f", {evaluation.network}" if len(networks) > 1 else ""
    return f"{evaluation.evaluator} trained on {evaluation.trained_on}{more}"


def ask(run: runs.Run) -> None:
    """What else to measure, and the button that starts it; what was measured before is not measured again."""
    try:
        job = distillation_of(run)
    except DistrackError as error:
        st.warning(str(error))
        return
    usual = job.evaluation if isinstance(job, DistillJob) and job.evaluation else EvaluationConfig()
    with st.expander("Measure more"), st.form("measure", border=False):
        left, right = st.columns(2)
        evaluators = left.multiselect(
            "Evaluators", list(EVALUATORS), usual.evaluators, help=_help({n: EVALUATORS[n].summary for n in EVALUATORS})
        )
        baselines = right.multiselect(
            "Baselines", list(BASELINES), usual.baselines, help=_help({n: BASELINES[n].summary for n in BASELINES})
        )
        networks = left.multiselect(
            _OTHER_NETWORKS,
            [name for name in NETWORKS if name != usual.network.name and _fits(job, usual, name)],
            usual.architectures,
            help="random-cnn once more with each of these.",
        )
        seeds = right.number_input(
            "Seeds", 1, 100, usual.seeds, help="Networks that each accuracy is the mean of; a further one costs one."
        )
        held_out = left.toggle(
            "Choose the learning rate",
            bool(usual.learning_rates),
            help=f"For each training set the best of {', '.join(_RATES)} on held-out training clips, never on test.",
        )
        if not st.form_submit_button("Measure", icon=":material/straighten:"):
            return
    if not evaluators:
        st.error("Choose one evaluator at least.")
        return
    overrides = {
        "run": run.id,
        "evaluators": evaluators,
        "baselines": baselines,
        "seeds": seeds,
        "architectures": networks,
        "learning_rates": _RATES if held_out else (),
    }
    show_errors(lambda: job_panel.start(EvaluationJob.from_overrides(overrides, runs_path())))


def _help(summaries: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {summary}" for name, summary in summaries.items()) + "."


def _fits(job: DistillConfig, usual: EvaluationConfig, name: str) -> bool:
    try:
        check_shape(usual.network.model_copy(update={"name": name}), job.feature.shape(job.samples))
    except ValueError:
        return False
    return True
