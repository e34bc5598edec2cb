"""The inspection: how near the tracks of a finished run come to real clips, and a map of both."""

import statistics
from typing import Any, ClassVar

from distrack.distill import SyntheticSet
from distrack.evaluate import Inspection, inspect
from distrack.evaluate.memorisation import CANNOT_JUDGE
from distrack.images import Material
from distrack.jobs.contract import Table, register
from distrack.jobs.distillation import distillation_job
from distrack.jobs.distillation.phases import device_of, prepared_material
from distrack.jobs.evaluation import FollowUp
from distrack.jobs.results import synthetic_file
from distrack.runs import Run, Session
from distrack.validation import read_model


@register
class InspectionJob(FollowUp):
    """Compares every track with all real clips: a track that is a copy of a clip gives that recording away.

    An inspection of the same tracks that was made before is returned as it is.
    """

    kind: ClassVar[str] = "inspection"
    verb: ClassVar[str] = "inspect"
    summary: ClassVar[str] = "Looks for tracks that are copies of real clips."
    report_type: ClassVar[type[Inspection]] = Inspection
    report_name: ClassVar[str] = "inspection.json"
    has_own_command: ClassVar[bool] = False  # the membership attack's, which may be an inspection alone

    def work(self, run: Run, session: Session) -> Inspection:
        return inspected(run, session)

    @classmethod
    def tables(cls, report: Any, run_id: str) -> list[Table]:
        rows = []
        for near in report.memorisation.nearest:
            medians = [f"{statistics.median(distances):.3f}" for distances in (near.distances, near.reference)]
            flagged = f"{len(near.flagged)}, too many" if near.suspicious else str(len(near.flagged))
            rows.append((near.space, near.side, *medians, f"{near.threshold:.3f}", flagged))
        flagged_tracks = sorted({track for near in report.memorisation.nearest for track in near.flagged})
        names = ", ".join(report.names[track] for track in flagged_tracks)
        notes = [f"nearer to a real clip than real clips are to each other: {names}"] if names else []
        if not all(near.can_judge for near in report.memorisation.nearest):
            notes.append(CANNOT_JUDGE)
        return [
            Table(
                f"{run_id}: {len(report.names)} tracks, distance to the nearest real clip",
                ("compared by", "clips", "tracks, median", "real clips, median", "first percentile", "flagged"),
                rows,
                notes,
            )
        ]


def inspection_of(run: Run) -> Inspection | None:
    """The inspection of a run, or None if there is none."""
    return read_model(run.path / InspectionJob.report_name, Inspection)


def inspected(run: Run, session: Session, material: Material | None = None) -> Inspection:
    """The inspection of a run's tracks: the earlier one of the same tracks, or a new one, with `material` if given."""
    synthetic = SyntheticSet.load(synthetic_file(run))
    before = inspection_of(run)
    if before is not None and before.tracks == synthetic.fingerprint:
        return before
    config = distillation_job(run)
    material = material or prepared_material(config, session)
    session.phase("inspect")
    inspection = inspect(synthetic, material.train, material.test, device=device_of(config), progress=session.progress)
    run.write(InspectionJob.report_name, inspection.model_dump_json())
    return inspection
