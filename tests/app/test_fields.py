"""Widgets that are drawn from the fields of a config."""

import json

from streamlit.testing.v1 import AppTest

from distrack.distill import DistillConfig
from distrack.validation import from_preset


def _page() -> None:
    import streamlit as st

    from distrack.distill import DistillConfig
    from distrack.ui.shared.fields import Fields

    fields = Fields(DistillConfig(domain="waveform", steps=7), "test")
    fields.draw("objective")
    fields.draw("domain.prior")
    fields.draw("network.name", choices=["mlp", "lenet"])
    fields.draw("pool.training")
    fields.draw("duration")
    fields.draw("steps", none="Preset default")
    fields.slider("ipc", st.container(), most=50)
    fields.set("classification", 0.5)
    st.json(fields.values)


def test_widgets_have_the_models_words_bounds_and_choices_and_begin_with_the_configs_values() -> None:
    page = AppTest.from_function(_page, default_timeout=60).run()
    assert not page.exception
    objective, prior, network = page.selectbox
    assert (objective.label, objective.value) == ("Objective", "mmd")
    assert "MMD (Gaussian kernels)" in objective.options
    assert prior.options == ["spectrum", "none"]
    assert (network.label, network.options) == ("Embedding network", ["MLP", "LeNet"])
    training, duration, steps = page.number_input
    assert (training.min, training.max, training.step) == (0, 10_000, 1)
    assert (duration.value, duration.min, duration.max, duration.step) == (1.0, 0.1, 30.0, 0.1)
    assert steps.value is None
    assert all(widget.help for widget in (*page.selectbox, *page.number_input))


def test_values_are_overrides_of_the_config() -> None:
    page = AppTest.from_function(_page, default_timeout=60).run()
    page.number_input[0].set_value(12)
    page.slider[0].set_value(3)
    page.run()
    values = json.loads(page.json[0].value)
    assert values["domain"] == {"prior": "spectrum"}
    config = from_preset(DistillConfig, {**values, "domain": {"name": "waveform", **values["domain"]}})
    assert (config.pool.training, config.ipc, config.classification) == (12, 3, 0.5)
    assert config.network.name == "mlp"
