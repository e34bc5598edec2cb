"""The form of a training: which recordings, how many, and for how long."""

from typing import Any

import streamlit as st

from distrack.jobs.event_model import EventModelJob
from distrack.ui.distill.form import folder, labelled_datasets
from distrack.ui.shared.fields import Fields
from distrack.ui.shared.page import errors_shown

_STEPS = ("scene_steps", "timbre_steps", "recording_steps")


def ask(before: EventModelJob | None) -> EventModelJob | None:
    """The job that the widgets describe, beginning with an earlier one; None if a value is impossible."""
    start = before or EventModelJob()
    fields = Fields(start, f"events-{hash(before)}")
    first, second, third = st.columns([2, 1, 1])
    dataset: str = fields.draw("dataset", first, choices=labelled_datasets())
    fields.draw("recordings", second)
    fields.draw("seed", third)
    values: dict[str, Any] = {**fields.values, **folder(dataset, start)}
    with st.expander("Advanced"):
        for place, name in zip(st.columns(3), _STEPS, strict=True):
            fields.draw(name, place)
    with errors_shown():
        return EventModelJob.validated({**values, **fields.values})
    return None
