"""The membership attack: which of the clips that tracks were made from can be told by someone who has the tracks."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import safetensors.numpy
import torch
from pydantic import Field, model_validator
from safetensors import SafetensorError, safe_open

from distrack.arrays import Doubles
from distrack.device import side_by_side
from distrack.distill import SyntheticSet
from distrack.errors import ConfigError
from distrack.evaluate.half_sets import HalfSets
from distrack.evaluate.membership import NO_PROOF, SIGNALS, Membership, attack, exposed, scores
from distrack.images import RealImages
from distrack.jobs.contract import Job, Table, register
from distrack.jobs.distillation import distillation_job
from distrack.jobs.distillation.phases import device_of, prepared_material
from distrack.jobs.evaluation import FollowUp, report_of_present_tracks
from distrack.jobs.inspection import InspectionJob
from distrack.jobs.results import synthetic_file
from distrack.known_reports import VERSION
from distrack.learning import Recipe
from distrack.progress import DetailedProgress
from distrack.runs import Run, Session
from distrack.validation import Overrides

# Parts of one half that progress is counted in.
_PARTS = 100

# What an attacker reads from the sets of one half: by set and signal, a number for each training clip.
Read = dict[tuple[str, str], Doubles]


@register
class MembershipJob(FollowUp):
    """Compares every track with all real clips: a track that is a copy of a clip gives that recording away.

    An inspection of the same tracks that was made before is returned as it is. With --membership, the distillation is
    repeated on random halves of the training clips, and an attacker tells by the tracks which clips were in the half
    (LiRA). The attack is made on the run's kind of tracks, on tracks that start from noise, and on real clips, stored
    as the tracks are and as they are. It takes as long as all these distillations. Halves that are done are kept: the
    same command goes on after a stop, and more halves add to those that are done.
    """

    kind: ClassVar[str] = "membership"
    verb: ClassVar[str] = InspectionJob.verb
    summary: ClassVar[str] = "Looks for tracks that are copies of real clips, and for clips that tracks give away."
    report_type: ClassVar[type[Membership]] = Membership
    report_name: ClassVar[str] = "membership.json"
    on_cluster: ClassVar[bool] = True
    always_given: ClassVar[tuple[tuple[str, ...], ...]] = (("membership",),)

    membership: bool = True
    """Attack: repeat the distillation on random halves, and tell by the tracks which clips were used."""
    halves: Annotated[int, Field(ge=4, le=1000, multiple_of=2)] = 32
    """Number of halves of the attack; with more of them smaller rates can be told."""

    @model_validator(mode="after")
    def _is_wanted(self) -> Self:
        if not self.membership:
            raise ValueError("membership false: this is the config of an attack; inspect without --membership")
        return self

    @classmethod
    def from_overrides(cls, overrides: Overrides, runs_path: Path | None = None) -> Job:
        """An inspection, unless the attack is wanted."""
        if overrides.get("membership"):
            return cls.validated(overrides)
        if overrides.get("halves") is not None:
            raise ConfigError(f"--halves {overrides['halves']} is a setting of the attack: add --membership")
        rest = {name: value for name, value in overrides.items() if name != "membership"}
        return InspectionJob.from_overrides(rest, runs_path)

    def work(self, run: Run, session: Session) -> Membership:
        """Makes the sets of every half that is not done, and attacks them.

        Raises:
            ConfigError: a class has too few clips in a half.
            RunError: a distillation diverged, or the folder cannot be written.
        """
        job, synthetic = distillation_job(run), SyntheticSet.load(synthetic_file(run))
        train = prepared_material(job, session).train
        attacker = _Attacker(
            run, synthetic, train, job.evaluation.recipe if job.evaluation else Recipe(), device_of(job)
        )
        session.phase("membership", _PARTS * self.halves)
        read = [attacker.read(number, partial(self._progress, session, number)) for number in range(self.halves)]
        session.phase("intervals", len(read[0]))
        members = np.array([attacker.sets.members(number) for number in range(self.halves)])
        attacks, most = [], {}
        for done, (subject, signal) in enumerate(read[0], start=1):
            scored = scores(np.array([half[subject, signal] for half in read]), members)
            attacks.append(attack(subject, signal, scored, members, job.seed))
            if subject == "synthetic":
                most[signal] = exposed(scored, members, synthetic, train)
            session.progress(done, len(read[0]))
        report = Membership(
            tracks=synthetic.fingerprint,
            halves=self.halves,
            clips=len(train),
            attacks=tuple(attacks),
            exposed=most,
        )
        run.write(self.report_name, report.model_dump_json(indent=2))
        return report

    def _progress(self, session: Session, number: int, done: int, total: int, detail: str) -> None:
        parts = _PARTS * number + _PARTS * done // total
        session.progress(parts, _PARTS * self.halves, f"half {number + 1} of {self.halves}: {detail}")

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        rows = [
            (each.subject, each.signal, *(rate.text for rate in each.rates), f"{each.area:.3f}")
            for each in report.attacks
        ]
        rates = tuple(f"at {rate.false_positives:.1%} of others (95 %)" for rate in report.attacks[0].rates)
        title = f"{run_id}: share of used clips that are recognised, {report.halves} halves of {report.clips:,} clips"
        return [Table(title, ("made from clips", "told by", *rates, "area"), rows, [NO_PROOF])]


def membership_of(run: Run) -> Membership | None:
    """The report of the attack on a run's present tracks, or None if there is none."""
    report: Membership | None = report_of_present_tracks(run, MembershipJob)
    return report


class _Attacker:
    """What an attacker reads from the sets of each half; it is kept in the run's folder `membership`."""

    def __init__(
        self, run: Run, synthetic: SyntheticSet, train: RealImages, recipe: Recipe, device: torch.device
    ) -> None:
        self.sets = HalfSets(synthetic, train, device)
        self._run, self._train, self._recipe, self._device = run, train, recipe, device
        parts = (
            synthetic.config.model_dump_json(exclude={"data_path", "devices"}),
            train.fingerprint,
            recipe.model_dump_json(),
        )
        text = "\n".join((*parts, *SIGNALS, str(VERSION), torch.__version__, device.type))
        self._digest = hashlib.sha256(text.encode()).hexdigest()

    def read(self, number: int, progress: DetailedProgress) -> Read:
        """The signals of one half: those of an earlier process, or new ones."""
        name = f"membership/{number}.safetensors"
        stored = self._stored(self._run.path / name)
        if stored is None:
            stored = self._made(number, progress)
            named = {"/".join(key): values for key, values in stored.items()}
            self._run.write(name, safetensors.numpy.save(named, metadata={"of": self._digest}))
        return stored

    def _stored(self, file: Path) -> Read | None:
        try:
            with safe_open(file, framework="numpy") as content:
                if (content.metadata() or {}).get("of") != self._digest:
                    return None
                pairs = [(subject, signal) for subject in self.sets.subjects for signal in SIGNALS]
                return {pair: content.get_tensor("/".join(pair)) for pair in pairs}
        except (OSError, SafetensorError):
            return None

    def _made(self, number: int, progress: DetailedProgress) -> Read:
        steps = self.sets.steps
        total = steps + steps // 2  # the networks take about half as long as the distillations
        made = self.sets.make(number, lambda done: progress(done, total, "distilling"))
        pairs = [(subject, signal) for subject in made for signal in SIGNALS]

        def signal_of(pair: tuple[str, str]) -> Doubles:
            subject, signal = pair
            return SIGNALS[signal](
                made[subject],
                self._train,
                self._recipe,
                self.sets.seed(number),
                self._device,
                lambda *_: progress(steps, total, "training networks"),
            )

        with side_by_side(self._device) as pool:
            return dict(zip(pairs, pool.map(signal_of, pairs), strict=True))
