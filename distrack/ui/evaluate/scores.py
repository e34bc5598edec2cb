"""The scores of a run: accuracy beside baselines, accuracy with other networks, and the confusion matrix."""

import streamlit as st

from distrack import runs
from distrack.evaluate import EVALUATORS, Evaluation, Report, comparisons, name_of
from distrack.figures.accuracy import run_bars
from distrack.figures.confusion import confusion_matrix
from distrack.ui.shared import stage
from distrack.ui.shared.glossary import GLOSSARY
from distrack.ui.shared.page import chart, ink
from distrack.ui.shared.scores import added_text, class_names, relative_scores, score_table


def overview(run: runs.Run, report: Report) -> None:
    """What a report says in one sentence and one figure. The report has at least one evaluation."""
    st.header(_headline(report))
    by_evaluator: dict[str, list[Evaluation]] = {}
    for evaluation in report.evaluations:
        # One that measures some sets alone has its place in the table.
        if not EVALUATORS[evaluation.evaluator].measures:
            by_evaluator.setdefault(_with_network(evaluation, report), []).append(evaluation)
    for text in filter(None, (added_text(each, interval=True) for each in comparisons(report.evaluations)[:1])):
        st.markdown(text, help=GLOSSARY["Same-storage control"])
    if stage.active():  # the stop of a talk is one frame
        by_evaluator = dict(list(by_evaluator.items())[:1])
    chance = 1 / len(report.evaluations[0].confusion)
    chart(run_bars(by_evaluator, chance=chance, ink=ink()), key=f"bars-{run.id}")
    st.caption(f"Error bars: 95 % CI over seeds. Dotted: chance ({chance:.0%}).")


def _headline(report: Report) -> str:
    """The accuracy of the first evaluator on the tracks, beside what the tracks have to beat."""
    evaluator = report.evaluations[0].evaluator
    text, tracks = EVALUATORS.title(evaluator), report.accuracy(evaluator, "synthetic")
    if tracks is not None:
        text += f" trained on the tracks: {tracks:.1%}"
    others = {"same storage": "same-storage", "random clips": "random-selection"}
    known = {title: report.accuracy(evaluator, name) for title, name in others.items()}
    beside = ", ".join(f"{title}: {value:.1%}" for title, value in known.items() if value is not None)
    return f"{text} ({beside})" if beside else text


def tables(report: Report) -> None:
    """All scores in figures, and those of each network beside each other."""
    _scores(report)
    _networks(report)


def _with_network(evaluation: Evaluation, report: Report) -> str:
    """The evaluator's title; with the network if the report has the evaluator with several."""
    networks = {other.network for other in report.evaluations if other.evaluator == evaluation.evaluator}
    title = EVALUATORS.title(evaluation.evaluator)
    return f"{title}, {evaluation.network}" if len(networks) > 1 else title


def _scores(report: Report) -> None:
    by_evaluator = {(each.evaluator, each.network): each for each in comparisons(report.evaluations)}
    rows = []
    for evaluation in report.evaluations:
        comparison = by_evaluator.get((evaluation.evaluator, evaluation.network))
        rows.append(
            {
                "evaluator": EVALUATORS.title(evaluation.evaluator),
                "trained on": name_of(evaluation.training_set),
                "accuracy (runs)": evaluation.accuracy.text,
                "95% CI": evaluation.accuracy.interval_text,
                **relative_scores(comparison if evaluation.training_set == "synthetic" else None),
                "macro F1": evaluation.macro_f1,
                "network": evaluation.network,
                "learning rate": evaluation.learning_rate,
            }
        )
    empty = [name for name in rows[0] if all(row[name] is None for row in rows)]
    score_table([{name: value for name, value in row.items() if name not in empty} for row in rows])


def _networks(report: Report) -> None:
    by_cnn = [evaluation for evaluation in report.evaluations if EVALUATORS[evaluation.evaluator].any_network]
    names = list(dict.fromkeys(_with_network(evaluation, report) for evaluation in by_cnn))
    if len(names) < 2:
        return
    st.subheader("Cross-architecture accuracy")
    st.caption("Distilled with one network, tested on others.")
    training_sets = list(dict.fromkeys(evaluation.training_set for evaluation in by_cnn))
    texts = {(_with_network(each, report), each.training_set): each.accuracy.text for each in by_cnn}
    rows = [
        {"evaluator": name, **{name_of(trained_on): texts.get((name, trained_on), "–") for trained_on in training_sets}}
        for name in names
    ]
    st.dataframe(rows, hide_index=True)


def confusion(run: runs.Run, report: Report) -> None:
    """Which classes are taken for which, by one of the report's evaluations."""
    # An evaluator that classifies the tracks has too few of each class for a matrix.
    measured = [each for each in report.evaluations if not EVALUATORS[each.evaluator].tests_tracks]
    if not measured:
        st.info("No evaluation has a confusion matrix.")
        return
    classes = class_names(run, len(measured[0].confusion))
    options = {f"{_with_network(each, report)}: {name_of(each.training_set)}": each for each in measured}
    evaluation = options[st.selectbox("Evaluator", list(options), key=f"confusion-{run.id}")]
    left, right = st.columns([2, 1])
    with left:
        figure = confusion_matrix(evaluation.confusion, classes, ink=ink())
        chart(figure, key=f"matrix-{run.id}-{evaluation.key}")
    with right:
        st.dataframe(
            [{"class": name, "recall": share} for name, share in zip(classes, evaluation.recall, strict=True)],
            hide_index=True,
            column_config={
                "recall": st.column_config.ProgressColumn(
                    format="percent",
                    min_value=0,
                    max_value=1,
                    help="Share of the class's test clips that are recognised.",
                )
            },
        )
