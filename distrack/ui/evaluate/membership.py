"""The membership attack: which clips the tracks give away, in figures, as a curve, and to hear."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from distrack import runs
from distrack.distill import SyntheticSet
from distrack.evaluate import Report, name_of
from distrack.evaluate.membership import NO_PROOF, SIGNALS, Attack, Membership, Rate
from distrack.figures.roc import roc
from distrack.jobs.membership import MembershipJob, membership_of
from distrack.jobs.results import synthetic_file
from distrack.ui.evaluate.track_and_clip import one_of, real_clips, show_clip, show_track
from distrack.ui.shared import job_panel
from distrack.ui.shared.page import chart, errors_shown, ink
from distrack.ui.shared.run_in_view import DEMO

_HALVES = MembershipJob.model_fields["halves"].default


def show(run: runs.Run, _report: Report) -> None:
    """The result of the attack, or a button that starts it."""
    membership = membership_of(run)
    if membership is not None:
        with errors_shown(st.warning):
            _result(run, membership)
        return
    st.caption(
        f"Can someone who has the tracks tell which clips they were made from? Distills {_HALVES} random halves of the "
        f"training clips, from clips and from noise, and attacks the results. Stop keeps the halves that are done."
    )
    idle = run.path != DEMO and run.status().state not in runs.ALIVE
    if idle and st.button("Attack", icon=":material/fingerprint:", key="membership"):
        job_panel.start(MembershipJob(run=run.id))


def _result(run: runs.Run, membership: Membership) -> None:
    signal = one_of("Told by", {name: SIGNALS.title(name) for name in SIGNALS})
    attacks = [attack for attack in membership.attacks if attack.signal == signal]
    st.subheader(_verdict(membership))
    st.markdown(_sentence(membership, attacks))
    titles = {attack.subject: name_of(attack.subject) for attack in attacks}
    curves = {attack.subject: attack.curve for attack in attacks}
    st.dataframe(_table(attacks, titles), hide_index=True)
    chart(roc(curves, titles=titles, ink=ink()), key=f"roc-{signal}")
    st.caption(NO_PROOF)
    _exposed(run, membership, signal)


def _verdict(membership: Membership) -> str:
    """The result of all attacks on the run's own kind of tracks, compared with guessing."""
    rates = [rate for attack in membership.attacks if attack.subject == "synthetic" for rate in attack.rates]
    if any(rate.interval[0] > rate.false_positives for rate in rates):
        return "The tracks give some clips away"
    return "These attacks do not tell which clips were used"


def _sentence(membership: Membership, attacks: Sequence[Attack]) -> str:
    """The recognised share of clips, beside that of the control and of guessing."""
    tracks, control = (_of(attacks, subject).rates[0] for subject in ("synthetic", "same-storage"))
    return (
        f"**{tracks.true_positives:.1%}** of the clips that tracks were made from are recognised, and "
        f"{control.true_positives:.1%} where real clips are stored in the same way and not distilled. Guessing "
        f"recognises {tracks.false_positives:.0%}, as that share of the other clips is taken for used ones. "
        f"{membership.halves} halves of {membership.clips:,} training clips."
    )


def _of(attacks: Sequence[Attack], subject: str) -> Attack:
    return next(attack for attack in attacks if attack.subject == subject)


def _table(attacks: Sequence[Attack], titles: Mapping[str, str]) -> pd.DataFrame:
    """Recognised shares and their intervals, one row for each kind of set."""
    return pd.DataFrame(
        [
            {
                "Made from clips": titles[attack.subject],
                **{f"At {rate.false_positives:.1%} false": _percent(rate) for rate in attack.rates},
                "Area": f"{attack.area:.3f}",
            }
            for attack in attacks
        ]
    )


def _percent(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.true_positives:.1%} ({low:.1%} to {high:.1%})"


def _exposed(run: runs.Run, membership: Membership, signal: str) -> None:
    """The most exposed clips, each beside the track of its class that is nearest to it."""
    synthetic = SyntheticSet.load(synthetic_file(run))
    names = synthetic.track_names()
    chosen = st.selectbox(
        "Most exposed training clips",
        membership.exposed[signal],
        format_func=lambda each: f"Clip {each.clip + 1}, score {each.exposure:+.1f}, nearest track {names[each.track]}",
        help="How much higher an attacker's score is when the clip was used, in standard deviations.",
        key=f"exposed-{run.id}-{signal}",
    )
    left, right = st.columns(2)
    with left:
        show_track(run, names[chosen.track], chosen.track)
    with right:
        show_clip(run, synthetic.classes, real_clips(run.path), "train", chosen.clip)
