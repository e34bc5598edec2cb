"""The blind test: questions one by one, then the number of correct answers."""

from pathlib import Path

import streamlit as st

from distrack import runs
from distrack.datasets.disk import writing_below
from distrack.distill import SyntheticSet
from distrack.jobs.listening import Listening, blind, listening_of
from distrack.jobs.listening.blind import QUESTIONS, BlindTest, Result, Trial
from distrack.settings import settings
from distrack.ui.listen.audience import Audience
from distrack.ui.shared import stage
from distrack.ui.shared.page import download_button, errors_shown
from distrack.ui.shared.run_in_view import DEMO
from distrack.ui.sound import pads

_DEFAULT_TRIALS = 12
_ABOUT_AUDIENCE = (
    "Opens a page for phones in this network until you end it: each listener takes the test alone, and the tally is "
    "shown here. Nothing else of the app can be reached there."
)
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
        _start(run, place, listening, synthetic.classes)
    elif test.current is not None:
        _question(run, place, test, test.current)
        return
    else:
        _results("You", blind.results([test]))
        if st.button("New test", icon=":material/replay:", key="again"):
            del st.query_params[_PARAMETER]
            st.rerun()
    with stage.aside("listeners"):
        _all_listeners(place)


def _start(run: runs.Run, place: runs.Run, listening: Listening, classes: tuple[str, ...]) -> None:
    """What the test asks, its length, and the two ways to take it: alone here, or many listeners on their phones."""
    st.markdown("Two tasks: name the class that you hear, and tell a synthetic track from a real clip.")
    audiences = _audiences()
    running = audiences.get(run.path)
    trials = st.slider("Questions", 4, 40, _DEFAULT_TRIALS, 2, disabled=running is not None)
    with st.container(horizontal=True):
        if st.button("Start", type="primary", icon=":material/hearing:", key="begin"):
            with errors_shown(), writing_below(place.path):
                place.path.mkdir(parents=True, exist_ok=True)
                started = blind.begin(place, listening, classes, trials=trials)
                st.query_params[_PARAMETER] = started.id
                st.rerun()
        if running is not None:
            if st.button("End audience mode", icon=":material/stop:", key="audience-end"):
                audiences.pop(run.path).close()
                st.rerun()
        elif st.button("Let an audience answer", icon=":material/qr_code_2:", key="audience", help=_ABOUT_AUDIENCE):
            with errors_shown(), writing_below(place.path):
                place.path.mkdir(parents=True, exist_ok=True)
                audiences[run.path] = Audience(run, place, listening, classes, trials=trials)
                st.rerun()
    if running is not None:
        code, tally = st.columns([1, 2], vertical_alignment="center")
        with code:
            st.image(running.qr_code(), width="stretch")
        with tally:
            st.markdown(f"Scan, or open **{running.url}** on a phone in the same network.")
            _tally(running)


@st.cache_resource
def _audiences() -> dict[Path, Audience]:
    """The audiences that are switched on, by the folder of their run; all sessions share them."""
    return {}


@st.fragment(run_every=1.0)
def _tally(audience: Audience) -> None:
    """How an audience does, as its answers come."""
    tests = audience.tests()
    finished = sum(test.current is None for test in tests)
    st.markdown(f"{len(tests)} {'listener' if len(tests) == 1 else 'listeners'}, {finished} finished.")
    _results("The audience", blind.results(tests))


def _question(run: runs.Run, place: runs.Run, test: BlindTest, trial: Trial) -> None:
    number = len(test.answers)
    st.progress(number / len(test.trials), text=f"Question {number + 1} of {len(test.trials)}")
    sounds = [blind.at_equal_loudness(run, source) for source in trial.sounds]
    key, choices = f"pads-{test.id}", test.sentences(trial)
    choice = pads(QUESTIONS[trial.task], sounds, choices, number=number, right=trial.truth, key=key)
    if choice is not None:
        with errors_shown():
            blind.answer(place, test, choice)
            st.rerun()


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
    for result in results:
        found, guessing = result.verdict(who)
        st.markdown(f"{heading}{found}\n\n{guessing}")
