"""A training of a model of events in view: its loss, what it hears in a recording, and its result."""

import streamlit as st

from distrack import runs
from distrack.decompose import Events
from distrack.figures.loss import loss_curve
from distrack.jobs.decomposition import original
from distrack.jobs.event_model import event_model_report
from distrack.ui.decompose.events_in_view import loaded, played, sound_of
from distrack.ui.shared.glossary import GLOSSARY
from distrack.ui.shared.page import chart, errors_shown
from distrack.ui.shared.run_in_view import PANELS, Panel
from distrack.ui.sound import PlayerSource, Sound, player

# Titles of the parts of a training.
PARTS = {
    "timbres": "Timbres of random instruments",
    "scenes": "Onsets and pitches in synthetic scenes",
    "recordings": "Events of recordings",
}


def note(run: runs.Run) -> str:
    """The result of a training in a few words; empty before it is done."""
    report = event_model_report(run)
    return "" if report is None else f"finds events of synthetic scenes with F {report.scenes_f:.2f}"


def _live(run: runs.Run, status: runs.Status) -> None:
    """The loss of the current part, and the sounds that the model makes so far."""
    records = [record for record in run.metrics() if "loss" in record]
    if records and status.state in runs.ALIVE:
        part = str(records[-1]["part"])
        mine = [{**record, "step": record["part_step"]} for record in records if record["part"] == part]
        st.markdown(f"**{PARTS[part]}**: loss **{mine[-1]['loss']:.3f}**")
        chart(loss_curve(mine, max(status.steps, int(mine[-1]["step"]))), key=f"loss-{run.id}")
    if not (run.path / "heard.safetensors").is_file():
        if status.state in runs.ALIVE:
            st.caption("The first sounds come with the first synthetic scenes.")
        return
    with errors_shown(st.warning):
        _sounds(run)


def _sounds(run: runs.Run) -> None:
    heard, drawn = (loaded(run.path / f"{name}.safetensors") for name in ("heard", "random"))
    sound, rate = original(run)
    wave = sound[:, :]
    sources = [
        PlayerSource("Original", "A recording, or a synthetic scene.", (played(wave, rate),)),
        PlayerSource("Reconstruction", f"Its {len(heard)} events, found by the model as it is now.", (_of(heard),)),
        PlayerSource("Random events", "Timbres that the model knows, drawn at random.", (_of(drawn),)),
    ]
    seconds = max(wave.shape[1] / rate, heard.seconds, drawn.seconds)
    player(sources, title="What the model hears", seconds=seconds, key=f"heard-{run.id}")


def _of(events: Events) -> Sound:
    return played(sound_of(events, 0, events.samples), events.sample_rate)


def _done(run: runs.Run) -> None:
    report = event_model_report(run)
    if report is None:
        return
    st.subheader("Result")
    with st.container(horizontal=True):
        st.metric("Events found (F)", f"{report.scenes_f:.2f}", help=GLOSSARY["Events found (F)"])
        st.metric("Numbers of the model", f"{report.floats:,}")
        st.metric("Of these its decoder", f"{report.decoder_floats:,}")
        st.metric("Recordings", report.recordings)
        st.metric("Trained in", f"{report.seconds / 60:.0f} min")
    st.markdown(f"Decompose with it: select the method **Trained model**, and the model `{run.id}` under **Advanced**.")


def _links(run: runs.Run) -> None:  # noqa: ARG001
    st.page_link("pages/decompose.py", label="Decompose", icon=":material/call_split:")


PANELS.add("event-model", Panel("pages/train_events.py", "model", _live, _done, _links))
