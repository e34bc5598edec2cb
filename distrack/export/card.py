"""The dataset card of a bundle: what its tracks are, how they were made, and what they are worth.

Source:
    https://huggingface.co/docs/hub/datasets-cards (the fields in front); Pushkarna, Zaldivar and Kjartansson, "Data
    Cards: Purposeful and Transparent Dataset Documentation for Responsible AI", FAccT 2022 (what a reader is told).
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined

from distrack.audio import SAMPLE_RATE
from distrack.datasets import DATASETS
from distrack.distill import SyntheticSet
from distrack.distill.domains import DOMAINS
from distrack.evaluate import EvaluationConfig, Report
from distrack.features import FEATURES
from distrack.inversion import INVERSIONS
from distrack.jobs.distillation.job import DistillJob

# Columns of the table of tracks beside `file_name`, and what the `datasets` library takes them for.
COLUMNS: dict[str, str] = {"label": "", "class": "string", "track": "string", "seconds": "float64", "silent": "bool"}

_LICENCES = re.compile(r"(?P<mit>MIT)|CC (?P<kind>BY(?:-[A-Z]+)*) (?P<version>\d\.\d)")
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~])")

_TEMPLATE = """\
---
{% for field, value in front.items() %}
{{ field }}: {{ value | json }}
{% endfor %}
---

# {{ title | plain }}

{{ tracks | length }} synthetic {{ "track" if tracks | length == 1 else "tracks" }} of \
{{ "%g" | format(job.seconds) }} s, distilled from {{ "{:,}".format(report.split.train) ~ " " if report else "" }}\
recordings of [{{ dataset.title | plain }}]({{ dataset.url }}) ({{ dataset.task }}) by distribution matching. \
They were optimised so that a network learns from them, in place of the recordings, to tell the classes apart. That \
they are not recordings promises nothing about privacy.

{% if whole %}
Classes: {{ classes | map("plain") | join(", ") }}.
{% else %}
They are a part of the {{ rendered }} tracks of a synthetic set: {{ tracks | map("plain") | join(", ") }}.
{% endif %}
{% if silent %}

Silent: {{ silent | map("plain") | join(", ") }}.
{% endif %}

## How they were made

```
{{ command }}
```

| | |
|---|---|
| feature | {{ feature.title }}, {{ shape[0] }} x {{ shape[1] }}, n\\_fft {{ job.feature.n_fft }}, hop \
{{ job.feature.hop_length }}, {{ rate }} Hz |
| domain | {{ job.domain.name }}: {{ domain.summary }} |
| parameterisation | {{ job.parameterisation.name }} |
| initialisation | {{ job.initialisation.name }} |
| matching objective | {{ job.objective.name }}, {{ job.steps }} steps, preset {{ job.preset }}, seed {{ job.seed }} |
| storage budget | {{ "{:,}".format(floats) }} floats a class, labels and all else counted: that of {{ job.ipc }} \
whole {{ "track" if job.ipc == 1 else "tracks" }} |
| rendered from it | {{ per_class }} {{ "track" if per_class == 1 else "tracks" }} a class |

## What they are worth

{% if report and report.evaluations %}
{{ "{:,}".format(report.split.test) }} test clips that distillation did not see, disjoint by \
{{ report.split.disjoint_by }}. `±` is the deviation over the runs of the evaluator. "synthetic" are the tracks\
{{ "" if whole else ", all " ~ rendered ~ " of them" }}; the others are real clips in the same storage, but for \
"full", which are all training clips.

| evaluator | trained on | network | accuracy | macro F1 |
|---|---|---|---|---|
{% for each in report.evaluations %}
| {{ each.evaluator }} | {{ each.trained_on }} | {{ each.network }} | {{ "%.3f" | format(each.accuracy.mean) }} ± \
{{ "%.3f" | format(each.accuracy.std) }} ({{ each.accuracy.runs | length }}) | {{ "%.3f" | format(each.macro_f1) }} |
{% endfor %}
{% for note in report.split.notes %}

Note: {{ note | plain }}.
{% endfor %}
{% else %}
That was not measured.
{% endif %}

## What is heard

{% if job.domain.name == "waveform" %}
The samples themselves, as they were distilled and measured, clipped to full scale. They are not levelled.
{% else %}
Distilled and measured was the {{ feature.title }}, in `images/` and `arrays.npz`. The audio is one sound that comes \
near to it: {{ inversion.summary }}. Each is levelled to -20 dBFS RMS, with no peak above -1 dBFS.
{% endif %}

## What is here

| | |
|---|---|
| `audio/` | the tracks as {{ audio | upper }}, 16 bits, {{ rate }} Hz, mono, and `metadata.csv` |
| `images/` | their {{ feature.title }} as pictures: time to the right, frequency upwards |
| `arrays.npz` | the same as numbers, not normalised: `images` [tracks, bands, frames], `labels`, `tracks`, `classes`\
{{ " and `waveforms` [tracks, samples]" if job.domain.name == "waveform" }} |
{% if whole %}
| `synthetic.safetensors` | what is stored, and all that is needed to render it |
{% endif %}
| `config.json`{{ ", `report.json`" if report }} | the configuration, without the folder of the dataset\
{{ "; what was measured" if report }} |

```python
from datasets import load_dataset

tracks = load_dataset("THIS_FOLDER", split="train")
```

## Licence and citation

Licence of the recordings, and of what is derived from them as far as it reaches: {{ dataset.licence | plain }}.

```
{{ dataset.citation }}
```

Bo Zhao and Hakan Bilen, "Dataset Condensation with Distribution Matching", WACV 2023.
"""


def card(
    job: DistillJob,
    report: Report | None,
    synthetic: SyntheticSet,
    *,
    tracks: Sequence[str],
    silent: Sequence[str],
    audio: str,
) -> str:
    """Markdown with the fields in front that Hugging Face reads; the same arguments give the same text.

    Args:
        job: how they were made; where its dataset lies is not said.
        report: what was measured.
        synthetic: the whole set.
        tracks: names of those that the bundle holds.
        silent: names of those among them that cannot be heard.
        audio: the ending of their files.
    """
    dataset, rendered = DATASETS[job.dataset], len(synthetic.labels)
    classes = [readable(name) for name in synthetic.classes]
    title = f"{dataset.title}, distilled to {synthetic.tracks_per_class} tracks per class"
    # What made the tracks: what they were measured with stands in `config.json`.
    command = job.model_copy(update={"data_path": None, "evaluation": EvaluationConfig()}).command()
    if job.data_path is not None:
        command += " --data-path FOLDER"
    page = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True)
    page.filters |= {"json": _json, "plain": _plain}
    return page.from_string(_TEMPLATE).render(
        front=_front(title, dataset.licence, classes, len(tracks)),
        title=title,
        job=job,
        report=report,
        dataset=dataset,
        classes=classes,
        tracks=tracks,
        silent=silent,
        rendered=rendered,
        whole=len(tracks) == rendered,
        command=command,
        feature=FEATURES[job.feature.name],
        shape=job.feature.shape(job.samples),
        rate=f"{SAMPLE_RATE:,}",
        domain=DOMAINS[job.domain.name],
        floats=synthetic.floats_per_class,
        per_class=synthetic.tracks_per_class,
        inversion=INVERSIONS[job.feature.name],
        audio=audio,
    )


def _front(title: str, licence: str, classes: Sequence[str], tracks: int) -> dict[str, Any]:
    columns: list[dict[str, Any]] = [{"name": "audio", "dtype": {"audio": {"sampling_rate": SAMPLE_RATE}}}]
    names = {str(label): name for label, name in enumerate(classes)}
    columns += [{"name": name, "dtype": kind or {"class_label": {"names": names}}} for name, kind in COLUMNS.items()]
    files = [{"split": "train", "path": "audio/*"}]
    return {
        "pretty_name": title,
        **_licence_fields(licence),
        "task_categories": ["audio-classification"],
        "size_categories": [next((said for size, said in _SIZES if tracks < size), "100K<n<1M")],
        "tags": ["dataset-distillation", "synthetic"],
        "configs": [{"config_name": "default", "data_files": files, "features": columns}],
    }


def _licence_fields(licence: str) -> dict[str, str]:
    """A licence as Hugging Face names it.

    >>> _licence_fields("CC BY-NC 3.0: not for commercial use")
    {'license': 'cc-by-nc-3.0'}
    >>> _licence_fields("yours")
    {'license': 'other', 'license_name': 'see-licence', 'license_link': 'LICENCE.txt'}
    """
    known = _LICENCES.match(licence)
    if known is None:
        return {"license": "other", "license_name": "see-licence", "license_link": "LICENCE.txt"}
    return {"license": "mit" if known["mit"] else f"cc-{known['kind']}-{known['version']}".lower()}


def readable(name: str) -> str:
    """A name as text that can be written: a folder may be called by bytes that are no letters.

    >>> readable("caf\\udce9")
    'caf\\\\udce9'
    """
    return name.encode("utf-8", "backslashreplace").decode()


def _json(value: Any) -> str:
    """Every JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
