"""Plotly figures."""

import numpy as np
import pytest

from distrack.figures.clips import class_balance, clip_views, distribution
from distrack.figures.confusion import confusion_matrix
from distrack.settings import PROJECT


def test_the_rows_of_a_confusion_matrix_are_shares_of_the_true_class() -> None:
    (heat,) = confusion_matrix([[3, 1], [0, 0]], ["a", "b"], ink="black").data
    assert np.array(heat.z).tolist() == [[0.75, 0.25], [0.0, 0.0]]
    assert list(heat.y) == ["a", "b"]


def test_many_classes_have_no_numbers_in_their_cells() -> None:
    names = [str(number) for number in range(13)]
    (heat,) = confusion_matrix(np.eye(13, dtype=int).tolist(), names, ink="black").data
    assert heat.texttemplate is None


def test_a_split_without_clips_is_left_out_of_the_class_balance() -> None:
    figure = class_balance(["a", "b"], {"train": [3, 4], "validation": [0, 0], "test": [1, 2]})
    assert {bar.name: list(bar.y) for bar in figure.data} == {"train": [3, 4], "test": [1, 2]}


def test_a_distribution_counts_every_clip() -> None:
    (bars,) = distribution(np.arange(100, dtype=np.float32), title="seconds").data
    assert sum(bars.y) == 100


def test_the_outline_of_a_long_waveform_keeps_its_peaks() -> None:
    wave = np.zeros(50_000, np.float32)
    wave[12_345], wave[40_000] = 1.0, -1.0
    figure = clip_views(wave, 16_000, {"mel": (np.zeros((4, 5), np.float32), 0.5)}, ink="black")
    outline, heat = figure.data
    assert len(outline.y) == 3000
    assert (max(outline.y), min(outline.y)) == (1.0, -1.0)
    assert outline.x[int(np.argmax(outline.y))] == pytest.approx(12_345 / 16_000, abs=0.01)
    assert list(heat.x) == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_no_kind_of_figure_loads_both_plotting_libraries() -> None:
    for path in (PROJECT / "distrack" / "figures").glob("*.py"):
        lines = path.read_text().splitlines()
        imported = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
        assert not {"altair", "plotly"} <= imported, path.name
