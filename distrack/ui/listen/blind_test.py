"""The blind test: questions one by one, then the number of correct answers."""

import soundfile
import streamlit as st

from distrack import runs
from distrack.audio import flac_bytes
from distrack.distill import SyntheticSet
from distrack.jobs.listening import Source, blind, listening_of
from distrack.jobs.listening.blind import BlindTest, Result, Task, Trial
from distrack.ui.shared.page import download_button, errors_shown
from distrack.ui.shared.run_in_view import DEMO

_DEFAULT_TRIALS = 12
_QUESTIONS: dict[Task, str] = {"class": "Which class do you hear?", "synthetic": "Which one is synthetic, A or B?"}
# All sounds are played at this level, or as near to it as their peaks allow.
_LUFS = -20.0
# The parameter of the URL that names the test.
_PARAMETER = "blind"


def show(run: runs.Run, synthetic: SyntheticSet) -> None:
    """The next question of the test that the URL names, its result when it is finished, or the start of a new one."""
    listening = listening_of(run)
    if run.path == DEMO:
        st.info("Answers are saved with a run, and the included run is read-only. Distill a dataset to test your own.")
        return
    if listening is None:
        st.info("The test needs real clips. Press **Compare with real clips** under **Play**.")
        return
    test = blind.find(run, st.query_params.get(_PARAMETER, ""))
    if test is None:
        trials = st.slider("Questions", 4, 40, _DEFAULT_TRIALS, 2)
        if st.button("Start", type="primary", icon=":material/hearing:", key="begin"):
            with errors_shown():
                started = blind.begin(run, listening, synthetic.classes, trials=trials)
                st.query_params[_PARAMETER] = started.id
                st.rerun()
    elif test.current is not None:
        _question(run, test, test.current)
        return
    else:
        st.subheader("Your result")
        _results(blind.results([test]))
        if st.button("New test", icon=":material/replay:", key="again"):
            del st.query_params[_PARAMETER]
            st.rerun()
    _all_listeners(run)


def _question(run: runs.Run, test: BlindTest, trial: Trial) -> None:
    number = len(test.answers)
    st.progress(number / len(test.trials), text=f"Question {number + 1} of {len(test.trials)}")
    st.subheader(_QUESTIONS[trial.task])
    choices = test.choices(trial)
    for position, (column, source) in enumerate(zip(st.columns(len(trial.sounds)), trial.sounds, strict=True)):
        if len(trial.sounds) > 1:
            column.markdown(f"**{choices[position]}**")
        column.audio(_at_equal_loudness(run, source), format="audio/flac")
    with st.container(horizontal=True):
        pressed = [st.button(label, key=f"answer-{test.id}-{number}-{choice}") for choice, label in enumerate(choices)]
    if any(pressed):
        with errors_shown():
            blind.answer(run, test, pressed.index(True))
            st.rerun()


def _at_equal_loudness(run: runs.Run, source: Source) -> bytes:
    wave, _ = soundfile.read(run.path / source.file, dtype="float32")
    gain = 10 ** ((_LUFS - (source.loudness or _LUFS)) / 20)
    return flac_bytes(wave * min(gain, 1 / max(float(abs(wave).max()), 1e-6)))


def _all_listeners(run: runs.Run) -> None:
    tests = [test for test in blind.all_tests(run) if test.answers]
    if not tests:
        return
    st.subheader(f"All listeners ({len(tests)} {'test' if len(tests) == 1 else 'tests'})")
    _results(blind.results(tests))
    answers = blind.table(tests).encode()
    download_button("Download answers (CSV)", answers, f"{run.id}-blind-test.csv", mime="text/csv", key="answers")


def _results(results: list[Result]) -> None:
    for column, result in zip(st.columns(max(len(results), 1)), results, strict=False):
        low, high = result.interval
        column.metric(_QUESTIONS[result.task], f"{result.right} of {result.answered} correct")
        column.caption(f"Guessing: {result.chance:.0%} · 95 % CI {low:.0%} to {high:.0%}")
