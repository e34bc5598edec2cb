"""The listening as a job: real clips, class means and snapshots become sounds that tracks are compared with."""

import statistics
from typing import Annotated, Any, ClassVar

from distrack.distill import SyntheticSet
from distrack.jobs.contract import Table, register
from distrack.jobs.distillation import distillation_job
from distrack.jobs.distillation.phases import prepared_material
from distrack.jobs.evaluation import FollowUp, report_of_present_tracks
from distrack.jobs.inspection import inspected
from distrack.jobs.listening.make import Clips, Sources
from distrack.jobs.listening.sounds import Listening
from distrack.jobs.results import synthetic_file
from distrack.runs import Run, Session
from distrack.validation import Option


@register
class ListeningJob(FollowUp):
    """Makes the sounds that tracks are compared with: nearest and random real clips, class means, and snapshots.

    Sounds that were made before are not made again.
    """

    kind: ClassVar[str] = "listening"
    verb: ClassVar[str] = "listen"
    summary: ClassVar[str] = "Makes the sounds that tracks are compared with."
    report_type: ClassVar[type[Listening]] = Listening
    report_name: ClassVar[str] = "listening.json"

    tracks: Annotated[tuple[str, ...], Option("track")] = ()
    """Tracks whose snapshots become sounds, by name; the first of each class if none is given."""
    snapshots: bool = True
    """Make snapshots audible as well, which takes most of the time."""

    def work(self, run: Run, session: Session) -> Listening:
        """The sounds that are missing; real clips are loaded only if one of these needs them."""
        synthetic, before = SyntheticSet.load(synthetic_file(run)), listening_of(run)
        sources = Sources(run, synthetic, self.tracks, before, snapshots=self.snapshots)
        clips = None
        if sources.lack_clips:
            material = prepared_material(distillation_job(run).distillation(), session)
            near = inspected(run, session, material).memorisation.of("feature", "train")
            clips = Clips(material.train, material.prepared.index, near)
        session.phase("listen")
        return sources.make(clips, session.progress)

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        rows = []
        for kind in dict.fromkeys(source.kind for source in report.every):
            of_kind = [source for source in report.every if source.kind == kind]
            levels = [source.loudness for source in of_kind if source.loudness is not None]
            errors = [source.error for source in of_kind if source.error is not None]
            loudness = f"{statistics.median(levels):.1f}" if levels else ""
            error = f"{statistics.median(errors):.2f} {report.unit}".rstrip() if errors else ""
            rows.append((kind, str(len(of_kind)), loudness, error))
        return [Table(f"{run_id}: sounds", ("kind", "sounds", "LUFS, median", "inversion error, median"), rows)]


def listening_of(run: Run) -> Listening | None:
    """The listening of a run's present tracks, or None if there is none."""
    listening: Listening | None = report_of_present_tracks(run, ListeningJob)
    return listening
