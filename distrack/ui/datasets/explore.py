"""A prepared dataset: counts, lengths and levels, class means, and its clips to see and hear."""

from collections import Counter
from pathlib import Path

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from distrack import datasets, runs
from distrack.audio import SAMPLE_RATE, Wave, flac_bytes, level
from distrack.datasets import Dataset, Index, Prepared
from distrack.datasets.clips import Split, disjoint_text
from distrack.distill.config import DistillConfig
from distrack.features import FEATURES, build_feature
from distrack.figures.clips import class_balance, clip_views, distribution
from distrack.figures.images import image_uris
from distrack.images import Material, RealImages, class_means
from distrack.jobs.preparation import PreparationReport, left_out_text, place, preparation_report, reading
from distrack.ui.shared.folds import folds_of
from distrack.ui.shared.page import chart, ink, sentence
from distrack.ui.sound import recording

_TILES = 12
# Of a picture, below its brightest point: a quiet clip looks like a loud one.
_RANGE_DB = 80.0
_SPLITS: dict[Split, str] = {"train": "Training", "validation": "Validation", "test": "Test"}


# For seconds only: files may change meanwhile.
@st.cache_resource(max_entries=8, ttl=30, show_spinner="Loading")
def _material(
    name: str,
    data_path: Path | None,
    fold: int | None,
    changed: float,  # noqa: ARG001
) -> Material | None:
    config = DistillConfig(dataset=name, data_path=data_path, test_fold=fold, **reading(name, data_path))
    return config.cached_material()


def show(dataset: Dataset, data_path: Path | None) -> None:
    """Draws what is known of a prepared dataset; nothing if it is not prepared."""
    run = place(dataset.name, data_path)
    report = preparation_report(run)
    if report is None or not datasets.home(dataset, data_path).is_dir() or run.status().state in runs.ALIVE:
        return
    folds, fold = folds_of(dataset.name, data_path, **reading(dataset.name, data_path)), None
    if folds:
        usual = dataset.test_fold if dataset.test_fold in folds else folds[-1]
        fold = st.segmented_control("Test fold", folds, default=usual, required=True, key="fold")
    material = _material(dataset.name, data_path, fold, (run.path / "report.json").stat().st_mtime)
    if material is None:
        _material.clear()
        st.info("Files or clip length changed. Prepare again.")
        return
    clips, splits = material
    here = {"dataset": dataset.name} | ({"path": str(data_path)} if data_path else {})
    st.page_link("pages/distill.py", label="Distill this dataset", icon=":material/science:", query_params=here)
    _numbers(clips)
    _balance(clips)
    _class_means(clips, splits["train"])
    _clips(clips, splits)
    _skipped(clips, report)


def _numbers(prepared: Prepared) -> None:
    index = prepared.index
    with st.container(horizontal=True):
        st.metric("Classes", len(index.classes))
        for split, label in _SPLITS.items():
            if count := len(prepared.split_rows(split)):
                st.metric(f"{label} clips", f"{count:,}")
        st.metric("Clip length", f"{prepared.seconds:g} s")
        st.metric("Skipped files", len(prepared.skipped))
    split_text = disjoint_text(index.disjoint_by)
    if index.random:
        split_text = f"Random split. {split_text}"
    st.caption(" ".join([split_text, *map(sentence, prepared.notes)]))


def _balance(prepared: Prepared) -> None:
    index = prepared.index
    counts = Counter((index.clips[row].split, index.clips[row].label) for row in prepared.rows)
    st.subheader("Class balance")
    labels = range(len(index.classes))
    chart(
        class_balance(index.classes, {split: [counts[split, label] for label in labels] for split in _SPLITS}),
        key="balance",
    )
    left, right = st.columns(2)
    facts = prepared.facts[prepared.rows]
    with left:
        st.subheader("Duration")
        chart(distribution(facts[:, 0], title="File duration (s)"), key="durations")
    with right:
        st.subheader("Level")
        chart(distribution(facts[:, 1], title="RMS level (dBFS)", colour="full"), key="levels")


def _class_means(prepared: Prepared, train: RealImages) -> None:
    st.subheader("Class means")
    st.caption("Mean log-mel-spectrogram of the training clips, time by frequency.")
    means = _means(hash((prepared.folder, train.rows.tobytes(), train.labels.tobytes())), train)
    with st.container(horizontal=True):
        for name, uri in zip(prepared.index.classes, image_uris(means), strict=True):
            with st.container(width=140):
                st.image(uri, caption=name, alt=f"mean of class {name}")


@st.cache_data(max_entries=8, show_spinner="Computing class means")
def _means(what: int, _train: RealImages) -> NDArray[np.float32]:  # noqa: ARG001
    return class_means(_train.batches(torch.device("cpu")), _train.classes).squeeze(1).numpy()


def _clips(prepared: Prepared, splits: dict[Split, RealImages]) -> None:
    index = prepared.index
    st.subheader("Clips")
    first, second, third = st.columns([2, 1.2, 1])
    name = first.selectbox("Class", index.classes, key="class")
    available = [split for split in _SPLITS if len(prepared.split_rows(split))]
    split = second.selectbox("Split", available, format_func=lambda split: _SPLITS[split], key="split")
    images = splits[split]
    positions = images.of_class(index.classes.index(name))
    pages = max(1, -(-len(positions) // _TILES))
    page = third.number_input(f"Page of {pages}", 1, pages, 1, key=f"page-{name}-{split}")
    here = positions[(page - 1) * _TILES : page * _TILES]
    if not len(here):
        return
    pictures = images.batch(here, torch.device("cpu")).squeeze(1).numpy()
    with st.container(horizontal=True):
        for position, uri in zip(here, image_uris(pictures), strict=True):
            row = int(images.rows[position])
            with st.container(border=True, width=186):
                path = index.clips[row].path
                st.image(uri, width="stretch", alt=f"clip {path.name}")
                st.audio(_sound(prepared.waveforms[row]), format="audio/flac", alt=path.name)
                st.caption(path.name)
    _one_clip(prepared, [int(row) for row in images.rows[here]])


def _sound(wave: Wave) -> bytes:
    return flac_bytes(level(np.array(wave)))


def _one_clip(prepared: Prepared, rows: list[int]) -> None:
    st.subheader("Clip details")
    clips = prepared.index.clips
    row = st.selectbox("Clip", rows, format_func=lambda row: clips[row].path.name, key="clip")
    wave = np.array(prepared.waveforms[row])
    st.audio(_sound(wave), format="audio/flac", alt=clips[row].path.name)
    chart(clip_views(wave, SAMPLE_RATE, _views(wave), ink=ink()), key=f"views-{row}")
    facts = f"`{clips[row].path}`, {prepared.facts[row, 0]:.2f} s, {prepared.facts[row, 1]:.1f} dBFS"
    st.caption(facts + (f", group {clips[row].group}" if clips[row].group else ""))


def _views(wave: Wave) -> dict[str, tuple[NDArray[np.float32], float]]:
    views = {}
    for name in FEATURES:
        config = FEATURES.choice(name)
        with torch.no_grad():
            image = build_feature(config)(torch.from_numpy(wave)[None])[0, 0].numpy()
        title = FEATURES[name].title
        if name == "melspectrogram":
            title, image = f"{title} (dB)", decibels_below_peak(image)
        views[title] = (image, config.hop_length / SAMPLE_RATE)
    return views


def decibels_below_peak(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power in decibels, down to 80 below the greatest."""
    floor = power.max() * 10 ** (-_RANGE_DB / 10)
    decibels: NDArray[np.float32] = 10 * np.log10(np.maximum(power, floor))
    return decibels


def _skipped(prepared: Prepared, report: PreparationReport) -> None:
    if prepared.skipped:
        st.subheader("Skipped files")
        st.dataframe([{"file": str(skip.path), "reason": skip.reason} for skip in prepared.skipped], hide_index=True)
    if report.left_out:
        st.caption(f"Left out {left_out_text(report)}.")
    if prepared.index.unlisted:
        with st.expander(f"{len(prepared.index.unlisted)} audio files not in the dataset's index"):
            st.code("\n".join(str(path) for path in prepared.index.unlisted[:200]), language=None)


def recordings(index: Index) -> None:
    """Draws a menu of recordings without classes, and a player of the selected one."""
    selected = st.selectbox("Recording", [clip.path for clip in index.clips], format_func=lambda path: path.name)
    recording(selected)
