"""The blind test: questions one by one, then the number of correct answers."""

import soundfile
import streamlit as st

from distrack import runs
from distrack.audio import flac_bytes
from distrack.datasets.disk import writing_below
from distrack.distill import SyntheticSet
from distrack.jobs.listening import Source, blind, listening_of
from distrack.jobs.listening.blind import BlindTest, Result, Task, Trial
from distrack.settings import settings
from distrack.ui.shared.page import download_button, errors_shown
from distrack.ui.shared.run_in_view import DEMO
from distrack.ui.sound import pads

_DEFAULT_TRIALS = 12
_QUESTIONS: dict[Task, str] = {"class": "Which class do you hear?", "synthetic": "Which one is synthetic?"}
_FOUND: dict[Task, str] = {"class": "named the class", "synthetic": "found the synthetic one"}
# All sounds are played at this level, or as near to it as their peaks allow.
_LUFS = -20.0
# The parameter of the URL that names the test.
_PARAMETER = "blind"


def show(run: runs.Run, synthetic: SyntheticSet) -> None:
    """The next question of the test that the URL names, its result when it is finished, or the start of a new one."""
    listening = listening_of(run)
    if listening is None:
        st.info("The test needs real clips. Press **Compare with real clips** under **Play**.")
        return
    # The included run stays as it is.
    place = runs.Run(settings().data_path / "blind-tests" / run.id) if run.path == DEMO else run
    test = blind.find(place, st.query_params.get(_PARAMETER, ""))
    if test is None:
        st.markdown("Two tasks: name the class that you hear, and tell a synthetic track from a real clip.")
        trials = st.slider("Questions", 4, 40, _DEFAULT_TRIALS, 2)
        if st.button("Start", type="primary", icon=":material/hearing:", key="begin"):
            with errors_shown(), writing_below(place.path):
                place.path.mkdir(parents=True, exist_ok=True)
                started = blind.begin(place, listening, synthetic.classes, trials=trials)
                st.query_params[_PARAMETER] = started.id
                st.rerun()
    elif test.current is not None:
        _question(run, place, test, test.current)
        return
    else:
        _results("You", blind.results([test]))
        if st.button("New test", icon=":material/replay:", key="again"):
            del st.query_params[_PARAMETER]
            st.rerun()
    _all_listeners(place)


def _question(run: runs.Run, place: runs.Run, test: BlindTest, trial: Trial) -> None:
    number, choices = len(test.answers), test.choices(trial)
    st.progress(number / len(test.trials), text=f"Question {number + 1} of {len(test.trials)}")
    if trial.task == "synthetic":
        choices = tuple(f"{choice} is the synthetic one" for choice in choices)
    sounds = [_at_equal_loudness(run, source) for source in trial.sounds]
    key = f"pads-{test.id}"
    choice = pads(_QUESTIONS[trial.task], sounds, choices, number=number, right=trial.truth, key=key)
    if choice is not None:
        with errors_shown():
            blind.answer(place, test, choice)
            st.rerun()


def _at_equal_loudness(run: runs.Run, source: Source) -> bytes:
    wave, _ = soundfile.read(run.path / source.file, dtype="float32")
    gain = 10 ** ((_LUFS - (source.loudness or _LUFS)) / 20)
    return flac_bytes(wave * min(gain, 1 / max(float(abs(wave).max()), 1e-6)))


def _all_listeners(place: runs.Run) -> None:
    tests = [test for test in blind.all_tests(place) if test.answers]
    if not tests:
        return
    st.subheader(f"All listeners ({len(tests)} {'test' if len(tests) == 1 else 'tests'})")
    _results("Listeners", blind.results(tests), heading="")
    answers = blind.table(tests).encode()
    download_button("Download answers (CSV)", answers, f"{place.id}-blind-test.csv", mime="text/csv", key="answers")


def _results(who: str, results: list[Result], heading: str = "#### ") -> None:
    """A plain verdict on each task."""
    for task, right, answered, (low, high), chance in results:
        st.markdown(
            f"{heading}{who} {_FOUND[task]} {right} of {answered} times.\n\n"
            f"Guessing finds {chance * answered:.2g}. 95 % interval: {low:.0%} to {high:.0%}."
        )
