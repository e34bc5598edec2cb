"""The judgement of a speech recogniser: how many tracks and how many real clips it understands."""

from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field

from distrack.distill import SyntheticSet
from distrack.distill.sounds import decoded
from distrack.evaluate.speech import Recognised, Speech, recogniser, words_of
from distrack.jobs.contract import Table, register
from distrack.jobs.distillation import distillation_job
from distrack.jobs.distillation.phases import prepared_material
from distrack.jobs.evaluation import FollowUp
from distrack.jobs.results import synthetic_file, track_file
from distrack.randomness import generator
from distrack.runs import Run, Session
from distrack.validation import read_model


@register
class SpeechJob(FollowUp):
    """Asks a speech recogniser, which never saw the dataset, for the word of every track and of real test clips.

    The classes have to be English words or digits. The ratio of the two shares is the figure: a recogniser that errs on
    real clips errs on tracks, too. It needs PocketSphinx (pip install 'distrack[speech]').
    """

    kind: ClassVar[str] = "speech"
    verb: ClassVar[str] = "speech"
    summary: ClassVar[str] = "Asks a speech recogniser how many tracks it understands."
    report_type: ClassVar[type[Speech]] = Speech
    report_name: ClassVar[str] = "speech.json"

    clips: Annotated[int, Field(ge=1, le=100_000, title="Real clips")] = 300
    """Random real test clips that are judged, at most."""

    def work(self, run: Run, session: Session) -> Speech:
        """Judges the exported tracks and real test clips.

        Raises:
            ConfigError: the recogniser is not installed, or does not know the word of a class.
        """
        synthetic = SyntheticSet.load(synthetic_file(run))
        words = words_of(synthetic.classes)
        test = prepared_material(distillation_job(run), session).test
        chosen = torch.randperm(len(test), generator=generator(0, "speech"))[: self.clips].sort().values.numpy()
        files = [track_file(run, name).read_bytes() for name in synthetic.track_names()]
        sounds = [*decoded(files), *test.sounds(chosen).numpy()]
        labels = [*synthetic.labels.tolist(), *test.labels[chosen].tolist()]
        session.phase("speech", len(sounds))
        name, hear = recogniser(words)
        right = []
        for number, (sound, label) in enumerate(zip(sounds, labels, strict=True), start=1):
            right.append(hear(sound) == label)
            session.progress(number, len(sounds))
        tracks, clips = right[: len(files)], right[len(files) :]
        speech = Speech(
            synthetic=synthetic.fingerprint,
            recogniser=name,
            words=words,
            tracks=Recognised(right=sum(tracks), sounds=len(tracks)),
            clips=Recognised(right=sum(clips), sounds=len(clips)),
        )
        run.write(self.report_name, speech.model_dump_json(indent=2))
        return speech

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        rows = [
            (what, str(each.sounds), f"{each.share:.3f}", f"{each.interval[0]:.3f} to {each.interval[1]:.3f}")
            for what, each in (("tracks", report.tracks), ("real test clips", report.clips))
        ]
        notes = [] if report.ratio is None else [f"tracks are understood {report.ratio:.2f} times as often as clips"]
        return [
            Table(f"{run_id}: understood by {report.recogniser}", ("sounds", "number", "share", "95 %"), rows, notes)
        ]


def speech_of(run: Run) -> Speech | None:
    """The judgement of a run's tracks, or None if there is none."""
    return read_model(run.path / SpeechJob.report_name, Speech)
