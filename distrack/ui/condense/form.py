"""The form of a temporal condensation: four choices in view, the rest under "Advanced", and what they amount to."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from distrack.datasets import DATASETS
from distrack.distill import PRESETS
from distrack.distill.domains import DOMAINS
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.errors import DistrackError
from distrack.features import FEATURES
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series import CondenseJob, condense_job, possible
from distrack.jobs.series.grid import usual
from distrack.ui.distill import form
from distrack.ui.shared.job_panel import spoken

_AS_PRESET = "what the preset says"
_MOST_DRAWN = 60


def ask(before: CondenseJob | None) -> CondenseJob | None:
    """The job that the widgets describe, starting from an earlier one; None where they describe none."""
    plain = form.from_the_url() if before is None else before.first
    first, second, third, fourth = st.columns([1.6, 0.9, 2.1, 0.9])
    names = [name for name in DATASETS if DATASETS[name].labelled]
    dataset = first.selectbox(
        "Dataset", names, index=names.index(plain.dataset), format_func=lambda name: DATASETS[name].title
    )
    kept = 3.0 if before is None else before.budget_seconds
    text = "Seconds of tracks per class, whatever the length of each."
    budget = second.number_input("Budget (s)", 0.1, 300.0, kept, 0.5, "%g", help=text)
    presets = list(PRESETS)
    preset = fourth.selectbox("Preset", presets, index=presets.index(plain.preset), help=form.PRESET_HELP)
    asked: dict[str, Any] = {"dataset": dataset, "budget_seconds": budget, "preset": preset}
    asked |= form.folder(dataset, plain)
    with st.expander("Advanced"):
        asked |= _advanced(before, plain, dataset, preset)
    try:
        with third:
            durations = _durations(before, asked)
        if durations:
            return condense_job({**asked, "durations": durations})
        st.info("Choose the lengths of a track: one at least, two or more to compare.")
    except DistrackError as error:
        st.error(str(error))
    return None


def _durations(before: CondenseJob | None, asked: dict[str, Any]) -> list[float]:
    """Chosen from what the budget holds a whole number of times and the networks can take.

    Raises:
        ConfigError: there is no such length.
    """
    budget = asked["budget_seconds"]
    offered = possible(asked)
    if not offered:
        condense_job(asked)  # says what is wrong with any length
    start = usual(budget, offered)
    if before is not None and before.budget_seconds == budget:
        offered = tuple(sorted({*offered, *before.durations}))
        start = before.durations
    return st.multiselect(
        "Track lengths",
        offered,
        start,
        format_func=lambda seconds: f"{seconds:g} s",
        key=f"durations-{offered}",
        help="Seconds; offered are those that the budget holds a whole number of times, and that are not too short for "
        "the networks.",
    )


def _advanced(before: CondenseJob | None, plain: DistillJob, dataset: str, preset: str) -> dict[str, Any]:
    first, second, third = st.columns(3)
    features, domains = list(FEATURES), list(DOMAINS)
    usually = condense_job({"preset": preset, "dataset": dataset}).first
    started = plain if before is not None and plain.preset == preset else usually
    feature = first.selectbox(
        "Feature",
        features,
        index=features.index(started.feature.name),
        format_func=lambda name: FEATURES[name].title,
        key=f"feature-{preset}",
    )
    domain = second.selectbox(
        "What is optimised",
        domains,
        index=domains.index(plain.domain.name),
        format_func=lambda name: f"{name}: {DOMAINS[name].summary}",
    )
    forms = [_AS_PRESET, *(name for name in PARAMETERISATIONS if domain in PARAMETERISATIONS[name].domains)]
    stored = third.selectbox("Stored as", forms, key=f"stored-{domain}", help="How stored numbers become tracks.")
    seeds = first.number_input(
        "Seeds",
        1,
        20,
        1 if before is None else before.seeds,
        help="Distillations of each duration: error bars need some.",
    )
    evaluation_seeds = second.number_input(
        "Evaluation seeds",
        1,
        20,
        3 if plain.evaluation is None else plain.evaluation.seeds,
        help="Networks that learn from each set of tracks.",
    )
    seed = third.number_input("First seed", 0, 2**32 - 100, min(plain.seed, 2**32 - 100))
    steps = first.number_input("Steps", 1, 100_000, None, placeholder=_AS_PRESET, help="Of each distillation.")
    return {
        "feature": {"name": feature},
        "domain": domain,
        "parameterisation": None if stored == _AS_PRESET else stored,
        "seeds": seeds,
        "evaluation": {"seeds": evaluation_seeds},
        "seed": seed,
        "steps": steps,
        **form.fold(plain, dataset),
    }


def strips(job: CondenseJob) -> None:
    """Every duration as a strip of the budget, cut into its tracks."""
    rows = "".join(_strip(distillation) for distillation in job.distillations)
    st.html(
        '<div data-testid="strips" style="display:grid;grid-template-columns:max-content 1fr max-content;'
        f'gap:.45rem 1rem;align-items:center;margin:.4rem 0">{rows}</div>'
    )


def _strip(job: DistillJob) -> str:
    drawn = min(job.ipc, _MOST_DRAWN)
    piece = "background:#c2407f;border-radius:.3rem;flex:1;min-width:2px"
    pieces = f'<span style="{piece}"></span>' * drawn
    tracks = "track" if job.ipc == 1 else "tracks"
    return (
        f'<span style="font-weight:600">{job.ipc} {tracks} x {job.seconds:g} s</span>'
        f'<span style="display:flex;gap:{4 if drawn < 30 else 2}px;height:1.5rem">{pieces}</span>'
        f'<span style="opacity:.75">{job.plan(1).budget:,} floats a class</span>'
    )


def summary(job: CondenseJob) -> None:
    """How many cells there are, and how long they may take."""
    count = len(job.distillations) * job.seeds
    seeds = f" x {job.seeds} seeds" if job.seeds > 1 else ""
    runs_ = "run" if count == 1 else "runs"
    st.caption(
        f"**{count} {runs_}** of {job.budget_seconds:g} s per class: {len(job.distillations)} durations{seeds}. "
        + _expected(job.distillations, job.seeds)
    )


def _expected(distillations: Sequence[DistillJob], seeds: int) -> str:
    times = [form.expected_seconds(job) for job in distillations]
    known = [time for time in times if time is not None]
    if not known:
        return "No earlier run to tell the time by."
    return f"Expected: **about {spoken(sum(known) / len(known) * len(times) * seeds)}**, going by earlier runs."
