"""Runs as a table of a paper: LaTeX with booktabs, a row for each run, a column for each thing that was learnt from."""

import re
from collections.abc import Sequence

from distrack.datasets import DATASETS
from distrack.errors import ConfigError
from distrack.evaluate import Accuracy
from distrack.export.comparison import Entry, groups, measured_by
from distrack.export.scores import Row, Scores, scores

_SPECIAL = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
}


def latex_text(entries: Sequence[Entry], evaluator: str, network: str) -> str:
    """A table for each set of test clips; it needs the package booktabs.

    Accuracies are in percent, with the deviation over seeds where there are several; the best at equal storage is bold.

    Args:
        entries: the runs.
        evaluator: by which they were measured.
        network: what it looks at images with, as a report names it.

    Raises:
        ConfigError: none of them was measured so.
    """
    found = [each for group in groups(entries) if (each := scores(group, evaluator, network)).rows]
    if not found:
        known = ", ".join(f"{name} with {with_what}" for name, with_what in measured_by(entries)) or "nothing"
        raise ConfigError(f"none of these runs was measured by {evaluator} with {network}: they were by {known}")
    lines = ["% Needs \\usepackage{booktabs}."]
    lacking = [entry.run.id for group in groups(entries) for entry in scores(group, evaluator, network).lacking]
    lines += [f"% Left out, not measured by {_plain(evaluator)} with {_plain(network)}: {name}" for name in lacking]
    for number, each in enumerate(found, start=1):
        lines += ["", *_table(each, number, alone=len(found) == 1)]
    return "\n".join(lines) + "\n"


def _table(found: Scores, number: int, *, alone: bool) -> list[str]:
    kinds = found.kinds
    head = ["run", "tracks per class", "floats per class", *kinds]
    body: list[str] = []
    for budget in found.budgets:
        body += [r"    \addlinespace"] if body else []
        body += [_line([*_facts(found.rows[row]), *_accuracies(found, row, kinds)]) for row in budget]
    return [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{_caption(found, alone=alone)}}}",
        f"  \\label{{tab:{_slug(found)}-{number}}}",
        f"  \\begin{{tabular}}{{lrr{'c' * len(kinds)}}}",
        r"    \toprule",
        _line(map(escaped, head)),
        r"    \midrule",
        *body,
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]


def _line(cells: "Sequence[str] | map[str]") -> str:
    return f"    {' & '.join(cells)} \\\\"


def _facts(row: Row) -> list[str]:
    report = row.entry.report
    return [escaped(row.entry.run.id), str(report.tracks_per_class), f"{report.floats_per_class:,}"]


def _accuracies(found: Scores, position: int, kinds: Sequence[str]) -> list[str]:
    there, best = found.rows[position].found, found.best
    return [_accuracy(there[kind].accuracy, (position, kind) in best) if kind in there else "--" for kind in kinds]


def _accuracy(accuracy: Accuracy, best: bool) -> str:
    text = f"{100 * accuracy.mean:.1f}"
    if len(accuracy.runs) > 1:
        text += rf" \pm {100 * accuracy.std:.1f}"
    return rf"$\mathbf{{{text}}}$" if best else f"${text}$"


def _caption(found: Scores, *, alone: bool) -> str:
    reports = [row.entry.report for row in found.rows]
    split, title = reports[0].split, DATASETS[reports[0].dataset].title
    disjoint = " or ".join(dict.fromkeys(report.split.disjoint_by for report in reports))
    fold = "" if split.test_fold is None else f", test fold {split.test_fold}"
    length = f"of {reports[0].seconds_per_track:g} s"
    clips = f"{split.test:,} test clips {length} of {title}{fold}"
    if found.listens:
        said = (
            f"Accuracy in percent on the tracks themselves, of a network that learnt from real clips of {title}{fold}"
        )
    else:
        said = f"Accuracy in percent on the {clips}"
    said += f" ({split.train:,} training clips; the two sides are disjoint by {disjoint})."
    fewest, most = found.seeds
    several = f"{fewest} seeds" if fewest == most else f"{fewest} to {most} seeds"
    over = f"mean and standard deviation over {several}" if most > 1 else "a single seed, thus without a deviation"
    said += f" Evaluator: {found.evaluator} with {found.network}; {over}."
    if found.best:
        said += " Bold: the best at equal storage (floats per class within 5 %), all clips apart."
    if not found.one_recipe:
        said += " The recipes of evaluation are not all the same."
    if not alone:
        said += " Measured on other clips than the other tables here: not comparable with them."
    notes = dict.fromkeys(note for report in reports for note in report.split.notes)
    said += "".join(f" Note: {note}." for note in notes)
    return escaped(said)


def _slug(found: Scores) -> str:
    words = f"{found.rows[0].entry.report.dataset} {found.evaluator} {found.network}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _plain(text: str) -> str:
    return " ".join(text.split())


def escaped(text: str) -> str:
    r"""Text as LaTeX shows it: none of its signs is a command, and two dashes stay two.

    >>> escaped("50 % of a_b--c")
    '50 \\% of a\\_b-{}-c'
    """
    signs = "".join(_SPECIAL.get(sign, sign) for sign in _plain(text))
    return re.sub("-(?=-)", "-{}", signs)
