"""The blind test on the Listen page: questions one by one, then how often listeners were right."""

from functools import partial

import soundfile
import streamlit as st

from distrack import runs
from distrack.audio import flac_bytes
from distrack.distill import SyntheticSet
from distrack.jobs.listening import Source, listening_of
from distrack.jobs.listening import blind as blind_test
from distrack.jobs.listening.blind import BlindTest, Result, Task, Trial
from distrack.ui.shared.download import download_button
from distrack.ui.shared.page import show_errors
from distrack.ui.shared.run_in_view import DEMO

_TRIALS = 12
_ASKED: dict[Task, str] = {"class": "Which class is this?", "synthetic": "Which one is synthetic?"}
# All are heard at this level, or as near to it as their peaks allow.
_LUFS = -20.0
_PARAMETER = "blind"


def show(run: runs.Run, synthetic: SyntheticSet) -> None:
    """The question of the test in the URL, its result at the end, or the way into a test."""
    listening = listening_of(run)
    if run.path == DEMO:
        st.info("Answers are kept with a run, and the demo belongs to the project: distil one of your own.")
        return
    if listening is None:
        st.info("Real clips to compare with are made first: press **Hear it beside real clips** under **Hear**.")
        return
    test = blind_test.find(run, st.query_params.get(_PARAMETER, ""))
    if test is None:
        number = st.slider("Questions", 4, 40, _TRIALS, 2)
        if st.button("Begin", type="primary", icon=":material/hearing:", key="begin"):
            show_errors(lambda: _go(blind_test.begin(run, listening, synthetic.classes, trials=number)))
    elif test.current is not None:
        _question(run, test, test.current)
        return
    else:
        st.subheader("You were right")
        _results(blind_test.results([test]))
        if st.button("Another test", icon=":material/replay:", key="again"):
            del st.query_params[_PARAMETER]
            st.rerun()
    _everyone(run)


def _go(test: BlindTest) -> None:
    st.query_params[_PARAMETER] = test.id
    st.rerun()


def _question(run: runs.Run, test: BlindTest, trial: Trial) -> None:
    number = len(test.answers)
    st.progress(number / len(test.trials), text=f"Question {number + 1} of {len(test.trials)}")
    st.subheader(_ASKED[trial.task])
    for column, source in zip(st.columns(len(trial.sounds)), trial.sounds, strict=True):
        column.audio(_levelled(run, source), format="audio/flac")
    choices = test.choices(trial)
    given = None
    with st.container(horizontal=True):
        for choice, label in enumerate(choices):
            if st.button(label, key=f"answer-{test.id}-{number}-{choice}"):
                given = choice
    if given is not None and show_errors(partial(blind_test.answer, run, test, given)):
        st.rerun()


def _levelled(run: runs.Run, source: Source) -> bytes:
    wave, _ = soundfile.read(run.path / source.file, dtype="float32")
    gain = 10 ** ((_LUFS - (source.loudness or _LUFS)) / 20)
    return flac_bytes(wave * min(gain, 1 / max(float(abs(wave).max()), 1e-6)))


def _everyone(run: runs.Run) -> None:
    tests = [test for test in blind_test.all_tests(run) if test.answers]
    if not tests:
        return
    st.subheader(f"All listeners, {len(tests)} {'test' if len(tests) == 1 else 'tests'}")
    _results(blind_test.results(tests))
    answers = blind_test.table(tests).encode()
    download_button("Download answers (CSV)", answers, f"{run.id}-blind-test.csv", mime="text/csv", key="answers")


def _results(results: list[Result]) -> None:
    for column, found in zip(st.columns(max(len(results), 1)), results, strict=False):
        low, high = found.interval
        column.metric(_ASKED[found.task], f"{found.right} of {found.answered}")
        column.caption(
            f"{found.right / found.answered:.0%}, 95 % interval {low:.0%} to {high:.0%}; chance {found.chance:.0%}"
        )
