"""The work of a distillation, phase by phase: prepare, distill, invert, evaluate."""

import json
import logging
import time

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from distrack.audio import flac_bytes, level
from distrack.distill import DistillConfig, Distiller, SyntheticSet
from distrack.evaluate import EvaluationConfig, Report
from distrack.images import Material
from distrack.inversion import invert
from distrack.jobs.distillation.phases import device_of, evaluate_tracks, prepared_material, write_report
from distrack.jobs.results import synthetic_file, track_file
from distrack.runs import Run, Session

log = logging.getLogger(__name__)

_CHECKPOINT_SECONDS = 2.0
# A loss curve has at most this many points; a longer run writes every n-th.
_MAX_METRICS = 5000
# Tracks that are inverted together.
_INVERSION_BATCH = 32


class Work:
    """The phases of a run, each done unless an earlier process did it; without an `evaluation`, all but the last."""

    def __init__(self, run: Run, config: DistillConfig, evaluation: EvaluationConfig | None, session: Session) -> None:
        self.run, self.config, self.evaluation, self.session = run, config, evaluation, session

    def finish(self) -> Report:
        """Does the phases that are not done yet; the report is written as far as it is measured."""
        material = prepared_material(self.config, self.session)
        if not synthetic_file(self.run).is_file():
            self.distill(material)
        synthetic = SyntheticSet.load(synthetic_file(self.run))
        if not all(track_file(self.run, name).is_file() for name in synthetic.track_names()):
            self.invert(synthetic)
        if self.evaluation is None:
            return write_report(self.run, self.config, self.session, material, synthetic)
        return evaluate_tracks(self.run, self.config, self.evaluation, self.session, material, again=False)

    def distill(self, material: Material) -> None:
        """Takes the steps that are left, with snapshots as configured and a checkpoint every few seconds."""
        classes, device = material.prepared.index.classes, device_of(self.config)
        distiller = Distiller(self.config, material.train, classes=classes, device=device)
        self._restore(distiller)
        self.session.phase("distill", self.config.steps)
        snapshot_steps = self.config.snapshot_steps
        every = max(1, self.config.steps // _MAX_METRICS)
        if distiller.step == 0:
            self._snapshot(distiller)
        saved = time.monotonic()
        for record in distiller:
            if record.loss is not None and (record.step % every == 0 or record.step in (1, self.config.steps)):
                self.run.append_metrics(t=round(self.session.elapsed(), 3), step=record.step, loss=record.loss)
            if record.step in snapshot_steps:
                self._snapshot(distiller)
            if self.session.stop_requested or time.monotonic() - saved > _CHECKPOINT_SECONDS:
                self.run.write("checkpoint.safetensors", save(distiller.state()))
                saved = time.monotonic()
            self.session.progress(record.step, self.config.steps, loss=record.loss)
        self.run.write("synthetic.safetensors", distiller.synthetic_set().to_bytes())
        self.run.checkpoint.unlink(missing_ok=True)

    def _snapshot(self, distiller: Distiller) -> None:
        self.run.write(f"snapshots/{distiller.step}.safetensors", distiller.synthetic_set().to_bytes())

    def _restore(self, distiller: Distiller) -> None:
        """Restores the checkpoint, and removes metrics and snapshots of later steps."""
        if self.run.checkpoint.is_file():
            try:
                distiller.resume(load_file(self.run.checkpoint))
                log.info("continues after step %d", distiller.step)
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                # Steps from the start give the same result; only time is lost.
                log.warning("the checkpoint cannot be read (%s): starts again from step 0", error)
        records = [record for record in self.run.metrics() if record.get("step", 0) <= distiller.step]
        self.run.write("metrics.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        for step, path in self.run.snapshots().items():
            if step > distiller.step:
                path.unlink()

    def invert(self, synthetic: SyntheticSet) -> None:
        """Writes every track as `audio/<class>_<k>.flac`: images inverted and levelled, waveforms as they are."""
        names, tracks = synthetic.track_names(), synthetic.render()
        self.session.phase("invert", len(names))
        for start in range(0, len(names), _INVERSION_BATCH):
            batch = slice(start, start + _INVERSION_BATCH)
            if self.config.domain.name == "waveform":
                waves = list(tracks[batch].clamp(-1, 1).numpy())
            else:
                images = synthetic.normalisation.undo(tracks[batch])
                sounds = invert(images, self.config.feature, samples=self.config.samples)
                waves = [level(wave) for wave in sounds.numpy()]
            for name, wave in zip(names[batch], waves, strict=True):
                self.run.write(f"audio/{name}.flac", flac_bytes(wave))
            self.session.progress(start + len(waves), len(names))
