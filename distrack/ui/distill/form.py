"""The form of a distillation: four choices in view, the rest under "Advanced"; a view of the config, nothing more."""

from pathlib import Path
from typing import Any

import streamlit as st

from distrack import jobs, runs
from distrack.audio import SAMPLE_RATE
from distrack.augmentation import NO_AUGMENTATION, AugmentationConfig
from distrack.datasets import DATASETS, home
from distrack.distill import PRESETS
from distrack.distill.config import LONGEST, SHORTEST
from distrack.distill.domains import DOMAINS
from distrack.distill.initialisations import INITIALISATIONS
from distrack.distill.objectives import OBJECTIVES
from distrack.distill.parameterisations import PARAMETERISATIONS, Plan
from distrack.errors import DistrackError
from distrack.evaluate import BASELINES, EvaluationConfig
from distrack.features import FEATURES
from distrack.jobs.distillation import DistillJob
from distrack.jobs.results import evaluation_report
from distrack.jobs.series import SweepJob, sweep_of
from distrack.networks import NETWORKS, check_shape
from distrack.registry import Choice, Registry
from distrack.ui.shared.run_in_view import runs_path
from distrack.validation import from_preset

# Runs that are alike in these take about the same time for a step.
_TIMED_BY = ("dataset", "preset", "ipc", "domain", "duration", "parameterisation", "factor", "network", "objective")
PRESET_HELP = (
    "quick: under a minute on a laptop. standard: more accuracy in a few minutes. paper: the published recipe, slow."
)


def earlier(run: runs.Run) -> DistillJob | None:
    """The job of a run, to start from; None where its config cannot be read."""
    try:
        job = jobs.job_of(run)
    except DistrackError:
        return None
    return job if isinstance(job, DistillJob) else None


def ask(before: DistillJob | None) -> DistillJob | None:
    """The job that the widgets describe, starting from an earlier one; None where they describe none."""
    plain = before or from_the_url()
    first, second, third, fourth = st.columns([1.5, 1.3, 1.3, 0.9])
    names = [name for name in DATASETS if DATASETS[name].labelled]
    dataset = first.selectbox(
        "Dataset", names, index=names.index(plain.dataset), format_func=lambda name: DATASETS[name].title
    )
    presets = list(PRESETS)
    preset = fourth.selectbox("Preset", presets, index=presets.index(plain.preset), help=PRESET_HELP)
    ipc = third.slider("Tracks per class", 1, 50, min(plain.ipc, 50))
    chosen: dict[str, Any] = {"dataset": dataset, "preset": preset, "ipc": ipc}
    features = list(FEATURES)
    usual = _start(before, chosen).feature.name
    feature = second.selectbox(
        "Feature",
        features,
        index=features.index(usual),
        format_func=lambda name: FEATURES[name].title,
        key=f"feature-{preset}",
    )
    place = folder(dataset, plain)
    with st.expander("Advanced"):
        chosen["domain"] = _domain(before)
        kept = _start(before, chosen)
        if feature != kept.feature.name:
            kept = from_preset(DistillJob, {**chosen, "feature": {"name": feature}})
        key = "-".join(map(str, chosen.values())) + feature
        asked = {**chosen, "feature": {"name": feature}, **place, **_advanced(kept, key)}
    try:
        return from_preset(DistillJob, asked)
    except DistrackError as error:
        st.error(str(error))
        return None


def from_the_url() -> DistillJob:
    """The recommended job, on the dataset that the URL names where it names one."""
    asked = {"dataset": st.query_params.get("dataset"), "data_path": st.query_params.get("path")}
    try:
        job = from_preset(DistillJob, asked)
    except DistrackError:
        return DistillJob()
    return job if DATASETS[job.dataset].labelled else DistillJob()


def _start(before: DistillJob | None, chosen: dict[str, Any]) -> DistillJob:
    """What the widgets start from: the earlier job while what was chosen is its own, else the preset."""
    if before is not None and all(_plain(getattr(before, field)) == value for field, value in chosen.items()):
        return before
    return from_preset(DistillJob, chosen)


def _plain(value: Any) -> Any:
    """The name of a selected entry; any other value itself."""
    return value.name if isinstance(value, Choice) else value


def folder(dataset: str, plain: DistillJob) -> dict[str, Any]:
    """Where the dataset is, asked only where it is not in its own place and cannot be made."""
    here = home(DATASETS[dataset], None).is_dir() or DATASETS[dataset].make is not None
    if here and (plain.dataset != dataset or plain.data_path is None):
        return {}
    given = st.text_input(
        "Folder of the dataset",
        value=str(plain.data_path or ""),
        help=f"Expected there: {DATASETS[dataset].layout}. Home page: {DATASETS[dataset].url}",
        placeholder=f"a folder with {DATASETS[dataset].layout}",
    )
    return {"data_path": Path(given) if given.strip() else None}


def _domain(before: DistillJob | None) -> str:
    """What is optimised; asked first, for much of the rest depends on it."""
    domains = list(DOMAINS)
    usual = before.domain.name if before is not None else domains[0]
    return st.selectbox(
        "What is optimised",
        domains,
        index=domains.index(usual),
        format_func=lambda name: f"{name}: {DOMAINS[name].summary}",
        help="Images are quicker and give more accuracy for their storage; waveforms are sounds from the first step.",
    )


def _advanced(kept: DistillJob, key: str) -> dict[str, Any]:
    """Everything else, in three tabs; what cannot be combined is not offered."""
    tracks, matching, measured = st.tabs(["Tracks", "Matching", "Run and evaluation"])
    with tracks:
        asked = _tracks(kept, key)
    with matching:
        asked |= _matching(kept, key, asked["duration"])
    with measured:
        return asked | _measured(kept, key)


def _pick(column: Any, label: str, options: list[str], value: str, key: str, text: str) -> str:
    picked: str = column.selectbox(
        label, options, index=options.index(value) if value in options else 0, key=f"{label}-{key}", help=text
    )
    return picked


def _tracks(kept: DistillJob, key: str) -> dict[str, Any]:
    first, second, third = st.columns(3)
    duration = first.number_input(
        "Seconds of a track",
        SHORTEST,
        LONGEST,
        float(kept.seconds),
        0.1,
        key=f"duration-{key}",
        help="Longer clips are cut, shorter ones filled with silence.",
    )
    forms = [name for name in PARAMETERISATIONS if kept.domain.name in PARAMETERISATIONS[name].domains]
    form = second.selectbox(
        "Stored as",
        forms,
        index=forms.index(kept.parameterisation.name),
        key=f"form-{key}",
        help="The budget stays the same. " + _summaries(PARAMETERISATIONS, forms),
    )
    factors = _factors(kept, form, duration)
    usual = kept.factor if form == kept.parameterisation.name else PARAMETERISATIONS[form].usual_factor(kept.ipc)
    factor = third.selectbox(
        "Tracks in the storage of one",
        factors,
        index=factors.index(usual) if usual in factors else len(factors) - 1,
        disabled=len(factors) == 1,
        key=f"factor-{form}-{key}",
        help="More tracks, each with less detail.",
    )
    return {
        "duration": duration,
        "parameterisation": form,
        "factor": factor,
        "initialisation": _pick(
            first,
            "Start from",
            list(INITIALISATIONS),
            kept.initialisation.name,
            key,
            _summaries(INITIALISATIONS, list(INITIALISATIONS)),
        ),
        "domain": _prior(second, kept, key),
        "learning_rate": third.number_input(
            "Learning rate", 1e-4, 100.0, kept.learning_rate, key=f"rate-{key}", help="How far a step goes."
        ),
    }


def _prior(column: Any, kept: DistillJob, key: str) -> dict[str, Any]:
    """The domain with its settings; only waveforms have one."""
    if "prior" not in kept.domain.settings:
        return {"name": kept.domain.name}
    text = "Waveforms only. spectrum: each frequency in proportion to what the class has there; none: all alike."
    return {
        "name": kept.domain.name,
        "prior": _pick(column, "Moves", ["spectrum", "none"], kept.domain.settings["prior"], key, text),
    }


def _summaries(registry: Registry[Any], names: list[str]) -> str:
    """What each of these entries of a registry is."""
    return "; ".join(f"{name}: {registry[name].summary}" for name in names) + "."


def _factors(kept: DistillJob, form: str, duration: float) -> list[int]:
    """The factors that a parameterisation can have with these images."""
    possible = []
    for factor in PARAMETERISATIONS[form].factors:
        try:
            size = DOMAINS[kept.domain.name].size_of(kept.feature, round(duration * SAMPLE_RATE))
            PARAMETERISATIONS[form](Plan(1, kept.ipc, factor, size)).check()
        except ValueError:
            continue
        possible.append(factor)
    return possible or [PARAMETERISATIONS[form].factors[0]]


def _matching(kept: DistillJob, key: str, duration: float) -> dict[str, Any]:
    first, second, third = st.columns(3)
    objective = _pick(
        first,
        "Objective",
        list(OBJECTIVES),
        kept.objective.name,
        key,
        _summaries(OBJECTIVES, list(OBJECTIVES)),
    )
    network = _pick(
        second,
        "Embedding network",
        [name for name in NETWORKS if _fits(kept, name, duration)],
        kept.network.name,
        key,
        "What both sides are compared in; networks that are too deep for the images are not offered.",
    )
    width = third.number_input(
        "Width", 4, 256, kept.network.width, key=f"width-{key}", help="Channels; wider sees more and takes longer."
    )
    training = first.number_input(
        "Training of the networks",
        0,
        1000,
        kept.pool.training,
        key=f"training-{key}",
        help="Steps on real clips at most, spread from none; 0 leaves them random.",
    )
    weight = second.number_input(
        "Classification",
        0.0,
        10.0,
        kept.classification,
        0.05,
        key=f"classification-{key}",
        disabled=not training,
        help="Weight of the trained networks' own verdict on the tracks; needs trained networks.",
    )
    paired = third.toggle(
        "Paired augmentation",
        kept.augmentation != NO_AUGMENTATION,
        key=f"paired-{key}",
        help="Shifts, gain and noise, the same for real clips and tracks, as in evaluation.",
    )
    usual = AugmentationConfig() if kept.augmentation == NO_AUGMENTATION else kept.augmentation
    return {
        "objective": objective,
        "network": {"name": network, "width": width},
        "pool": {"training": training},
        "classification": weight if training else 0.0,
        "augmentation": (usual if paired else NO_AUGMENTATION).model_dump(),
    }


def _fits(kept: DistillJob, name: str, duration: float) -> bool:
    try:
        shape = kept.feature.shape(round(duration * SAMPLE_RATE))
        check_shape(kept.network.model_copy(update={"name": name}), shape)
    except ValueError:
        return False
    return True


def _measured(kept: DistillJob, key: str) -> dict[str, Any]:
    first, second, third = st.columns(3)
    evaluation = kept.evaluation or EvaluationConfig()
    return fold(kept, kept.dataset) | {
        "steps": first.number_input(
            "Steps", 1, 100_000, kept.steps, key=f"steps-{key}", help="More steps, closer match."
        ),
        "seed": second.number_input("Seed", 0, 2**32 - 1, kept.seed, help="The same seed gives the same tracks."),
        "evaluation": {
            "seeds": third.number_input(
                "Evaluation seeds", 1, 20, evaluation.seeds, help="Networks that an accuracy is the mean of."
            ),
            "baselines": tuple(
                st.multiselect(
                    "Baselines",
                    list(BASELINES),
                    list(evaluation.baselines),
                    help="What real clips do in the tracks' place. full trains on all of them and takes longest.",
                )
            ),
        },
    }


def fold(kept: DistillJob, dataset: str) -> dict[str, Any]:
    """The official fold to test on, asked only where there are some."""
    folds = DATASETS[dataset].folds
    if not folds:
        return {}
    usual = kept.test_fold if kept.test_fold in folds else DATASETS[dataset].test_fold
    index = len(folds) - 1 if usual is None else folds.index(usual)
    return {"test_fold": st.selectbox("Test fold", folds, index=index, key=f"fold-{dataset}")}


def every_fold(job: DistillJob) -> SweepJob | None:
    """The same job on each official fold in turn, where there are some and that is asked for."""
    folds = DATASETS[job.dataset].folds
    if not folds or not st.toggle(
        f"Test on each of the {len(folds)} official folds in turn",
        key=f"folds-{job.dataset}",
        help="Cross-validation: a run for each fold, and their mean and deviation. Takes as many times as long.",
    ):
        return None
    return sweep_of([job.model_copy(update={"test_fold": None})], cross_validate=True)


def budget(job: DistillJob) -> None:
    """What the job will store and how long it may take, before it is launched."""
    plan = job.plan(1)
    size = " x ".join(map(str, plan.size[-2:]))
    tracks = job.ipc * job.factor
    floats = job.form(1).floats(tracks)
    within = f" within the {plan.budget:,} of" if tracks > job.ipc else ":"
    more = f", holding **{tracks} tracks** as {job.parameterisation.name}" if tracks > job.ipc else ""
    time = expected_seconds(job)
    st.caption(
        f"Stores **{floats:,} floats a class**{within} {job.ipc} x {size} with labels{more}. "
        + (
            f"Expected: **about {time:.0f} s**, going by an earlier run."
            if time
            else "No earlier run to tell the time by."
        )
    )


def expected_seconds(job: DistillJob) -> float | None:
    """Wall time of the newest finished run most like this one, scaled to its steps; None if there is none."""
    for run in jobs.all_runs(runs_path(), "distillation"):
        report, other = evaluation_report(run), earlier(run)
        if report is None or other is None or run.status().state != "done":
            continue
        if all(getattr(other, name) == getattr(job, name) for name in _TIMED_BY):
            distilling = report.seconds.get("distill", 0.0) * job.steps / other.steps
            return distilling + sum(spent for phase, spent in report.seconds.items() if phase != "distill")
    return None
