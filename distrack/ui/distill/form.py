"""The form of a distillation: four choices in view, the rest under "Advanced"; a view of the config, nothing more."""

from pathlib import Path
from typing import Any

import streamlit as st

from distrack.audio import SAMPLE_RATE
from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig
from distrack.datasets import DATASETS, home
from distrack.distill.parameterisations import PARAMETERISATIONS
from distrack.errors import DistrackError
from distrack.evaluate import EvaluationConfig
from distrack.features import FeatureConfig
from distrack.jobs.distillation import DistillJob
from distrack.jobs.event_model import EventModelJob
from distrack.jobs.preparation import reading, used_folders
from distrack.jobs.series import SweepJob, sweep_of
from distrack.networks import NETWORKS, NetworkConfig, check_shape
from distrack.options import given_overrides
from distrack.registry import Choice, filled_choices
from distrack.ui.shared import stage
from distrack.ui.shared.fields import Fields
from distrack.ui.shared.folds import folds_of
from distrack.ui.shared.page import errors_shown
from distrack.validation import Overrides, from_preset, overlaid

# The slider ends here; the command takes more tracks per class.
_MOST_TRACKS = 50
# Numbers of tracks per class that are offered for several runs: those of the literature.
_BUDGETS = (1, 10, 50)


def ask(before: DistillJob | None) -> DistillJob | None:
    """The job that the widgets describe, beginning with an earlier one; None if a value is impossible."""
    plain = before or from_the_url()
    first, second, third, fourth = st.columns([1.45, 1.4, 1.25, 1.05])
    chosen = Fields(plain, f"{hash(plain)}")
    dataset: str = chosen.draw("dataset", first, choices=labelled_datasets())
    preset = chosen.draw("preset", fourth)
    chosen.slider("ipc", third, most=_MOST_TRACKS)
    image = Fields(_start(before, chosen.values), f"{hash(plain)}-{preset}")
    feature = image.draw("feature", second)
    place = folder(dataset, plain)
    with stage.aside("advanced"), st.expander("Advanced"):
        chosen.draw("domain")
        start = _start(before, chosen.values)
        if start.feature.name != feature:
            start = from_preset(DistillJob, {**chosen.values, **image.values})
        values = overlaid(
            {**chosen.values, **image.values, **place}, _advanced(start, f"{chosen.values}-{feature}", plain, place)
        )
    with errors_shown():
        # Settings without a widget stay as they were in an earlier job.
        rest = filled_choices(DistillJob, before.model_dump(), values) if before and start is before else values
        return from_preset(DistillJob, rest)
    return None


def labelled_datasets() -> list[str]:
    """The datasets that have classes."""
    return [name for name in DATASETS if DATASETS[name].labelled]


def from_the_url() -> DistillJob:
    """The recommended job, on the dataset that the URL names if it names one."""
    values = {"dataset": st.query_params.get("dataset"), "data_path": st.query_params.get("path")}
    try:
        job = from_preset(DistillJob, values)
    except DistrackError:
        return DistillJob()
    return job if DATASETS[job.dataset].labelled else DistillJob()


def _start(before: DistillJob | None, chosen: Overrides) -> DistillJob:
    """What the widgets begin with: the earlier job as long as it has the chosen values, else the preset."""
    usual = from_preset(DistillJob, chosen)
    return before if before and all(_name(before, field) == _name(usual, field) for field in chosen) else usual


def _name(job: DistillJob, field: str) -> Any:
    """The name of a selected entry; any other value itself."""
    value = getattr(job, field)
    return value.name if isinstance(value, Choice) else value


def folder(dataset: str, plain: DistillJob | EventModelJob) -> dict[str, Any]:
    """The folder of the dataset, if it is not in its usual place and cannot be made, and how it was prepared."""
    here = home(DATASETS[dataset], None).is_dir() or DATASETS[dataset].make is not None
    if here and (plain.dataset != dataset or plain.data_path is None):
        return dict(reading(dataset, None))
    path = st.text_input(
        str(DistillJob.model_fields["data_path"].title),
        value=str(plain.data_path or next(iter(used_folders(dataset)), "")),
        help=f"Expected contents: {DATASETS[dataset].layout}. Home page: {DATASETS[dataset].url}",
        placeholder=f"a folder with {DATASETS[dataset].layout}",
    )
    place = Path(path) if path.strip() else None
    return {"data_path": place, **reading(dataset, place)}


def fold(plain: DistillJob, dataset: str, place: Overrides) -> dict[str, Any]:
    """The fold to test on, if the dataset has folds."""
    folds = folds_of(dataset, **place)
    if not folds:
        return {}
    usual = plain.test_fold if plain.test_fold in folds else DATASETS[dataset].test_fold
    fields = Fields(plain, f"fold-{dataset}-{place}")
    fields.draw("test_fold", choices=folds, value=usual if usual in folds else folds[-1])
    return fields.values


def several(job: DistillJob) -> DistillJob | SweepJob | None:
    """The same job over several budgets, seeds or official folds, if a person wants that; else the job itself.

    None if these cannot be combined, which is shown.
    """
    folds = folds_of(job.dataset, job.data_path, layout=job.layout, subset=job.subset)
    with stage.aside("several"), st.expander("Several runs"):
        left, right = st.columns(2)
        budgets = sorted({*_BUDGETS, job.ipc})
        about = "One run for each number, each with the preset for it."
        counts = left.multiselect("Tracks per class", budgets, [job.ipc], key=f"budgets-{job.ipc}", help=about)
        about = "Each run is repeated with other seeds, for a mean and a deviation."
        seeds = right.number_input("Distillation seeds", 1, 100, key="distillation-seeds", help=about)
        every_fold = bool(folds) and st.toggle(
            f"{len(folds)}-fold cross-validation",
            key=f"folds-{job.dataset}",
            help=f"One run per fold, and their mean and deviation. Takes {len(folds)} times as long.",
        )
    if counts == [job.ipc] and seeds == 1 and not every_fold:
        return job
    with errors_shown():
        # The preset depends on the number of tracks: what a person changed is kept, the rest is as it says for each.
        given = given_overrides(job.given()) | ({"test_fold": None} if every_fold else {})
        over = [from_preset(DistillJob, {**given, "ipc": count}) for count in counts]
        return sweep_of(over, cross_validate=every_fold, seeds=seeds)
    return None


def _advanced(start: DistillJob, key: str, plain: DistillJob, place: Overrides) -> dict[str, Any]:
    """The other settings, in three tabs; what cannot be combined is not offered."""
    fields = Fields(start, key)
    # These do not depend on the preset: they keep their values when it changes.
    steady, counted = (
        Fields(job.model_copy(update={"evaluation": job.evaluation or EvaluationConfig()}), f"{hash(plain)}{preset}")
        for job, preset in ((plain, ""), (start, f"-{start.preset}"))
    )
    tracks, matching, training = st.tabs(["Tracks", "Matching loss", "Training and evaluation"])
    with tracks:
        duration = _tracks(fields, start)
    with matching:
        _matching(fields, start, duration)
    with training:
        folds = fold(plain, start.dataset, place)
        first, second, third = st.columns(3)
        fields.draw("steps", first)
        steady.draw("seed", second)
        counted.draw("evaluation.seeds", third)
        steady.draw("evaluation.baselines")
        steady.draw("evaluation.forms")
    return overlaid({**fields.values, **steady.values, **folds}, counted.values)


def _tracks(fields: Fields, start: DistillJob) -> float:
    first, second, third = st.columns(3)
    duration: float = fields.draw("duration", first)
    forms = [name for name in PARAMETERISATIONS if start.domain.name in PARAMETERISATIONS[name].domains]
    form: str = fields.draw("parameterisation", second, choices=forms)
    factors = _factors(start, form, duration)
    usual = start.factor if form == start.parameterisation.name else PARAMETERISATIONS[form].usual_factor(start.ipc)
    value = usual if usual in factors else factors[-1]
    fields.draw("factor", third, variant=form, value=value, choices=factors, disabled=len(factors) == 1)
    fields.draw("initialisation", first)
    for name in start.domain.settings:
        fields.draw(f"domain.{name}", second)
    fields.draw("learning_rate", third)
    return duration


def _factors(start: DistillJob, form: str, duration: float) -> list[int]:
    """The factors that a parameterisation can have with these images."""
    possible = []
    for factor in PARAMETERISATIONS[form].factors:
        try:
            chosen = {"parameterisation": PARAMETERISATIONS.choice(form), "factor": factor, "duration": duration}
            start.model_copy(update=chosen).form(1).check()
        except ValueError:
            continue
        possible.append(factor)
    return possible or [PARAMETERISATIONS[form].factors[0]]


def _matching(fields: Fields, start: DistillJob, duration: float) -> None:
    first, second, third = st.columns(3)
    fields.draw("objective", first)
    networks = fitting_networks(start.network, start.feature, round(duration * SAMPLE_RATE))
    fields.draw("network.name", second, choices=networks)
    fields.draw("network.width", third)
    training = fields.draw("pool.training", first)
    fields.draw("classification", second, disabled=not training)
    if not training:
        fields.set("classification", 0.0)
    fields.switch("augmentation", third, off=NO_AUGMENTATION, on=AugmentationConfig())
    fields.draw("regression", first)
    fields.draw("students.count", third)
    fields.draw("hearings", second, disabled=not start.inverts)
    if not DATASETS[start.dataset].pitch_is_class:
        fields.draw("pitch_is_class", second)


def fitting_networks(network: NetworkConfig, feature: FeatureConfig, samples: int) -> list[str]:
    """The architectures that, with the other settings of a network, can take the features of so many samples."""

    def fits(name: str) -> bool:
        try:
            check_shape(network.model_copy(update={"name": name}), feature.shape(samples))
        except ValueError:
            return False
        return True

    return list(filter(fits, NETWORKS))
