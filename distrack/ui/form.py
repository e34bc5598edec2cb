"""The form of a distillation: four choices in view, the rest under "Advanced"; a view of the config, nothing more."""

from pathlib import Path
from typing import Any

import streamlit as st

from distrack import runs
from distrack.datasets import DATASETS, home
from distrack.distill import PRESETS, from_preset
from distrack.distill.initialisation import INITIALISATIONS
from distrack.errors import DistrackError
from distrack.evaluate import BASELINES, EvaluationConfig
from distrack.features import FEATURES
from distrack.ui.current import runs_path

_PRESET_HELP = (
    "quick: the best result in under a minute on a laptop. paper: the published recipe, for comparison (slow)."
)


def earlier(run: runs.Run) -> runs.DistillJob | None:
    """The job of a run, to start from; None where its config cannot be read."""
    try:
        return run.job()
    except DistrackError:
        return None


def ask(before: runs.DistillJob | None) -> runs.DistillJob | None:
    """The job that the widgets describe, starting from an earlier one; None where they describe none."""
    plain = before or _from_the_url()
    first, second, third, fourth = st.columns([1.5, 1.3, 1.3, 0.9])
    names = [name for name in DATASETS if DATASETS[name].labelled]
    dataset = first.selectbox(
        "Dataset", names, index=names.index(plain.dataset), format_func=lambda name: DATASETS[name].title
    )
    presets = list(PRESETS)
    preset = fourth.selectbox("Preset", presets, index=presets.index(plain.preset), help=_PRESET_HELP)
    ipc = third.slider("Tracks per class", 1, 50, min(plain.ipc, 50))
    kept = _start(before, preset, ipc)
    features = list(FEATURES)
    feature = second.selectbox(
        "Feature",
        features,
        index=features.index(kept.feature.name),
        format_func=lambda name: FEATURES[name].title,
        key=f"feature-{preset}",
    )
    asked: dict[str, Any] = {"dataset": dataset, "preset": preset, "ipc": ipc, "feature": {"name": feature}}
    asked |= _folder(dataset, plain)
    with st.expander("Advanced"):
        asked |= _advanced(kept, dataset)
    try:
        return from_preset(runs.DistillJob, asked)
    except DistrackError as error:
        st.error(str(error))
        return None


def _from_the_url() -> runs.DistillJob:
    """The recommended job, on the dataset that the URL names where it names one."""
    asked = {"dataset": st.query_params.get("dataset"), "data_path": st.query_params.get("path")}
    try:
        job = from_preset(runs.DistillJob, asked)
    except DistrackError:
        return runs.DistillJob()
    return job if DATASETS[job.dataset].labelled else runs.DistillJob()


def _start(before: runs.DistillJob | None, preset: str, ipc: int) -> runs.DistillJob:
    """What the widgets start from: the earlier job while preset and budget are its own, else the preset."""
    if before is not None and (before.preset, before.ipc) == (preset, ipc):
        return before
    return from_preset(runs.DistillJob, {"preset": preset, "ipc": ipc})


def _folder(dataset: str, plain: runs.DistillJob) -> dict[str, Any]:
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


def _advanced(kept: runs.DistillJob, dataset: str) -> dict[str, Any]:
    first, second, third = st.columns(3)
    key = f"{dataset}-{kept.preset}-{kept.ipc}"
    initialisations = list(INITIALISATIONS)
    evaluation = kept.evaluation or EvaluationConfig()
    return _fold(kept, dataset) | {
        "duration": first.number_input(
            "Seconds of a track",
            0.1,
            30.0,
            float(DATASETS[dataset].seconds),
            0.1,
            key=f"duration-{key}",
            help="Longer clips are cut, shorter ones filled with silence.",
        ),
        "steps": second.number_input(
            "Steps", 1, 100_000, kept.steps, key=f"steps-{key}", help="More steps, closer match."
        ),
        "seed": third.number_input("Seed", 0, 2**32 - 1, kept.seed, help="The same seed gives the same tracks."),
        "initialisation": first.selectbox(
            "Start from",
            initialisations,
            index=initialisations.index(kept.initialisation),
            key=f"initialisation-{key}",
            help="Random real clips, or noise.",
        ),
        "evaluation": {
            "seeds": second.number_input(
                "Evaluation seeds", 1, 20, evaluation.seeds, help="Networks that an accuracy is the mean of."
            ),
            "baselines": tuple(
                third.multiselect(
                    "Baselines",
                    list(BASELINES),
                    list(evaluation.baselines),
                    help="What real clips do in the tracks' place. full trains on all of them and takes longest.",
                )
            ),
        },
    }


def _fold(kept: runs.DistillJob, dataset: str) -> dict[str, Any]:
    """The official fold to test on, asked only where there are some."""
    folds = DATASETS[dataset].folds
    if not folds:
        return {}
    usual = kept.test_fold if kept.test_fold in folds else DATASETS[dataset].test_fold
    index = len(folds) - 1 if usual is None else folds.index(usual)
    return {"test_fold": st.selectbox("Test fold", folds, index=index, key=f"fold-{dataset}")}


def budget(job: runs.DistillJob) -> None:
    """What the job will store and how long it may take, before it is launched."""
    bands, frames = job.feature.shape(round(job.seconds * 16_000))
    floats = job.ipc * (bands * frames + 1)
    time = expected_seconds(job)
    st.caption(
        f"Stores **{floats:,} floats a class** ({job.ipc} x {bands} bands x {frames} frames, and a label each). "
        + (
            f"Expected: **about {time:.0f} s**, going by an earlier run."
            if time
            else "No earlier run to tell the time by."
        )
    )


def expected_seconds(job: runs.DistillJob) -> float | None:
    """Wall time of the newest finished run most like this one, scaled to its steps; None where there is none."""
    for run in runs.all_runs(runs_path()):
        report = run.report()
        if report is None or run.status().state != "done":
            continue
        try:
            other = run.job()
        except DistrackError:
            continue
        if (other.dataset, other.preset, other.ipc) == (job.dataset, job.preset, job.ipc):
            scaled = report.seconds.get("distill", 0.0) * job.steps / other.steps
            return scaled + sum(spent for phase, spent in report.seconds.items() if phase != "distill")
    return None
