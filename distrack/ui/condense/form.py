"""The form of a temporal condensation: four choices in view, the rest under "Advanced", and what they amount to."""

from typing import Any

import streamlit as st

from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.jobs.distillation import DistillJob
from distrack.jobs.series import CondenseJob, Grid, condense_job, possible, usual
from distrack.ui.distill.estimate import time_text
from distrack.ui.distill.form import fold, folder, from_the_url, labelled_datasets
from distrack.ui.shared.fields import Fields, field_input
from distrack.ui.shared.page import errors_shown
from distrack.validation import Overrides

_AS_PRESET = "Preset default"
# Tracks that a strip shows one by one.
_MOST_DRAWN = 60


def ask(before: CondenseJob | None) -> CondenseJob | None:
    """The job that the widgets describe, beginning with an earlier one; None if a value is impossible."""
    plain = from_the_url() if before is None else before.first
    key = f"condense-{hash(before)}"
    first, second, third, fourth = st.columns([1.6, 0.9, 2.1, 1.1])
    fields, grid = Fields(plain, key), Fields(before or Grid(), key)
    dataset: str = fields.draw("dataset", first, choices=labelled_datasets())
    grid.draw("budget_seconds", second)
    preset: str = fields.draw("preset", fourth)
    values: dict[str, Any] = {**fields.values, **grid.values}
    values |= (place := folder(dataset, plain))
    with st.expander("Advanced"):
        values |= _advanced(before, plain, dataset, preset, place)
    with errors_shown():
        with third:
            durations = _durations(before, values)
        if durations:
            return condense_job({**values, "durations": durations})
        st.info("Select the lengths of a track: one at least, two or more to compare.")
    return None


def _durations(before: CondenseJob | None, values: dict[str, Any]) -> tuple[float, ...]:
    """The selected lengths, of those that divide the budget and that the networks can take.

    Raises:
        ConfigError: there is no such length.
    """
    budget = values["budget_seconds"]
    offered = possible(values)
    if not offered:
        condense_job(values)  # its error says what is wrong with any length
    start = usual(budget, offered)
    if before is not None and before.budget_seconds == budget:
        offered = tuple(sorted({*offered, *before.durations}))
        start = before.durations
    selected: tuple[float, ...] = field_input(
        Grid.model_fields["durations"],
        key=f"durations-{offered}",
        value=start,
        choices=offered,
        text=lambda seconds: f"{seconds:g} s",
    )
    return selected


def _advanced(
    before: CondenseJob | None, plain: DistillJob, dataset: str, preset: str, place: Overrides
) -> dict[str, Any]:
    first, second, third = st.columns(3)
    usually = condense_job({"preset": preset, "dataset": dataset})
    start = before if before is not None and plain.preset == preset else usually
    key = f"condense-{hash(before)}"
    image = Fields(start.first, f"{key}-{preset}")
    image.draw("feature", first)
    fields = Fields(plain, key)
    domain = fields.draw("domain", second)
    forms = [name for name in PARAMETERISATIONS if domain in PARAMETERISATIONS[name].domains]
    fields.draw("parameterisation", third, variant=domain, choices=forms, none=_AS_PRESET)
    series = Fields(before or usually, key)
    series.draw("seeds", first)
    fields.draw("evaluation.seeds", second)
    fields.draw("seed", third)
    fields.draw("steps", first, none=_AS_PRESET)
    return {**image.values, **fields.values, **series.values, **fold(plain, dataset, place)}


def strips(job: CondenseJob) -> None:
    """Draws every length as a strip of the budget, cut into its tracks."""
    rows = "".join(_strip(distillation) for distillation in job.distillations)
    st.html(f'<div data-testid="strips">{rows}</div>')


def _strip(job: DistillJob) -> str:
    pieces = "<i></i>" * min(job.ipc, _MOST_DRAWN)
    tracks = "track" if job.ipc == 1 else "tracks"
    return (
        f"<b>{job.ipc} {tracks} x {job.seconds:g} s</b><span>{pieces}</span>"
        f"<small>{job.plan(1).budget:,} floats per class</small>"
    )


def summary(job: CondenseJob) -> None:
    """How many runs there are, and how long they may take."""
    count = len(job.distillations) * job.seeds
    each = "one per length" if job.seeds == 1 else f"{job.seeds} per length"
    st.caption(
        f"**{count} run{'s' * (count > 1)}** of {job.budget_seconds:g} s per class, {each}. "
        f"{time_text(job.distillations, times=job.seeds)}"
    )
