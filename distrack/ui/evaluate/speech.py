"""The judgement of a speech recogniser on the Evaluate page."""

from contextlib import suppress

import streamlit as st

from distrack import runs
from distrack.errors import ConfigError
from distrack.evaluate.speech import Speech, is_installed, words_of
from distrack.jobs.results import synthetic_file
from distrack.jobs.speech import SpeechJob, speech_of
from distrack.ui.shared import job_panel
from distrack.ui.shared.run_in_view import DEMO
from distrack.ui.shared.scores import class_names


def show(run: runs.Run) -> None:
    """The judgement in a sentence, or a button that asks for it; nothing where classes are no words."""
    speech = speech_of(run)
    if speech is not None:
        st.subheader("Speech recognition")
        st.markdown(sentence_of(speech))
    elif run.path != DEMO and run.status().state not in runs.ALIVE and _are_words(run):
        st.subheader("Speech recognition")
        st.caption("How many tracks does a speech recogniser understand that never heard this dataset?")
        if st.button("Ask PocketSphinx", icon=":material/record_voice_over:", key="speech"):
            job_panel.start(SpeechJob(run=run.id))


def sentence_of(speech: Speech) -> str:
    """What the recogniser understood.

    >>> from distrack.evaluate.speech import Recognised
    >>> sentence_of(Speech(synthetic="", recogniser="R", words=("a",), tracks=Recognised(right=1, sounds=2),
    ...                    clips=Recognised(right=4, sounds=5)))
    'R, which never heard this dataset, understands **50%** of the 2 tracks and **80%** of 5 real test clips.'
    """
    tracks, clips = speech.tracks, speech.clips
    return (
        f"{speech.recogniser}, which never heard this dataset, understands **{tracks.share:.0%}** of the "
        f"{tracks.sounds} tracks and **{clips.share:.0%}** of {clips.sounds} real test clips."
    )


def _are_words(run: runs.Run) -> bool:
    if not is_installed() or not synthetic_file(run).is_file():
        return False
    with suppress(ConfigError):
        return bool(words_of(class_names(run, 0)))
    return False
