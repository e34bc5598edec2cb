"""The dataset card of a bundle: what the tracks are, how they were made, and the accuracy they reach.

Source:
    https://huggingface.co/docs/hub/datasets-cards (the metadata block); Pushkarna, Zaldivar and Kjartansson, "Data
    Cards: Purposeful and Transparent Dataset Documentation for Responsible AI", FAccT 2022 (the content).
"""

import re
from collections.abc import Sequence
from typing import Any

from distrack.audio import SAMPLE_RATE
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.distill.domains import DOMAINS
from distrack.evaluate import EvaluationConfig, Report
from distrack.export.rendering import rendered
from distrack.features import FEATURES
from distrack.inversion import INVERSIONS
from distrack.jobs.distillation.job import DistillJob

# Columns of `audio/metadata.jsonl` and `tracks.csv` beside `file_name`, and their
# types in the `datasets` library (label: a class label).
COLUMNS: dict[str, str] = {"label": "", "class": "string", "track": "string", "seconds": "float64", "silent": "bool"}

_LICENCES = re.compile(r"(?P<mit>MIT)|CC (?P<kind>BY(?:-[A-Z]+)*) (?P<version>\d\.\d)")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))


def card(
    job: DistillJob,
    report: Report | None,
    synthetic: SyntheticSet,
    *,
    tracks: Sequence[str],
    silent: Sequence[str],
    audio: str,
) -> str:
    """Markdown below the metadata block that Hugging Face reads; the same arguments give the same text.

    Args:
        job: how the tracks were made; the path to the dataset is left out.
        synthetic: the whole synthetic set.
        tracks: names of the tracks in the bundle.
        silent: names of the silent ones among them.
    """
    dataset, count = DATASETS[job.dataset], len(synthetic.labels)
    classes = [printable(name) for name in synthetic.classes]
    title = f"{dataset.title}, distilled to {synthetic.tracks_per_class} tracks per class"
    # The evaluation does not change the tracks; `config.json` has it.
    as_usual = job.without_path().model_copy(update={"evaluation": EvaluationConfig()})
    return rendered(
        "card.md.j2",
        metadata=_metadata(title, dataset.licence, classes, len(tracks)),
        title=title,
        job=job,
        report=report,
        dataset=dataset,
        classes=classes,
        tracks=tracks,
        silent=silent,
        count=count,
        whole=len(tracks) == count,
        command=as_usual.command(),
        feature=FEATURES[job.feature.name],
        shape=job.feature.shape(job.samples),
        sample_rate=SAMPLE_RATE,
        domain=DOMAINS[job.domain.name],
        synthetic=synthetic,
        inversion=INVERSIONS[job.feature.name],
        audio=audio,
    )


def _metadata(title: str, licence: str, classes: Sequence[str], tracks: int) -> dict[str, Any]:
    columns: list[dict[str, Any]] = [{"name": "audio", "dtype": {"audio": {"sampling_rate": SAMPLE_RATE}}}]
    names = {str(label): name for label, name in enumerate(classes)}
    columns += [{"name": name, "dtype": kind or {"class_label": {"names": names}}} for name, kind in COLUMNS.items()]
    files = [{"split": "train", "path": "audio/*"}]
    return {
        "pretty_name": title,
        **_licence_fields(licence),
        "task_categories": ["audio-classification"],
        "size_categories": [next((category for size, category in _SIZES if tracks < size), "100K<n<1M")],
        "tags": ["dataset-distillation", "synthetic"],
        "configs": [{"config_name": "default", "data_files": files, "features": columns}],
    }


def _licence_fields(licence: str) -> dict[str, str]:
    """A licence by its identifier at Hugging Face.

    >>> _licence_fields("CC BY-NC 3.0: not for commercial use")
    {'license': 'cc-by-nc-3.0'}
    >>> _licence_fields("yours")
    {'license': 'other', 'license_name': 'see-licence', 'license_link': 'LICENCE.txt'}
    """
    match = _LICENCES.match(licence)
    if match is None:
        return {"license": "other", "license_name": "see-licence", "license_link": "LICENCE.txt"}
    return {"license": "mit" if match["mit"] else f"cc-{match['kind']}-{match['version']}".lower()}


def printable(name: str) -> str:
    """A name as valid text: a folder's name may hold bytes that are no text in UTF-8.

    >>> printable("caf\\udce9")
    'caf\\\\udce9'
    """
    return name.encode("utf-8", "backslashreplace").decode()
