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


def test_widgets_have_the_models_words_steps_and_choices_and_begin_with_the_configs_values() -> None:
    page = AppTest.from_function(_page, default_timeout=60).run()
    assert not page.exception
    objective, prior, network = page.selectbox
    assert (objective.label, objective.value) == ("Objective", "mmd")
    assert "MMD (Gaussian kernels)" in objective.options
    assert prior.options == ["spectrum", "none"]
    assert (network.label, network.options) == ("Embedding network", ["MLP", "LeNet"])
    training, duration, steps = page.number_input
    assert (training.label, training.step) == ("Network pre-training steps", 1)
    assert (duration.value, duration.step) == (1.0, 0.1)
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


def _page_of_types() -> None:
    from typing import Annotated, Literal

    import streamlit as st
    from pydantic import BaseModel, Field

    from distrack.ui.shared.fields import field_input

    class Example(BaseModel):
        gain: Annotated[float, Field(ge=-6, lt=6, title="Gain (dB)", examples=[3.0], json_schema_extra={"step": 0.5})]
        count: Annotated[int, Field(gt=0, le=9, title="Count", description="How many there are.")] = 4
        limit: Annotated[float | None, Field(gt=0, title="Limit")] = None
        shape: Annotated[Literal["round", "square"], Field(title="Shape")] = "square"
        loud: Annotated[bool, Field(title="Loud")] = True
        name: str = "a"

    st.session_state["results"] = {name: field_input(field, key=name) for name, field in Example.model_fields.items()}


def test_each_type_of_field_has_its_widget() -> None:
    app = AppTest.from_function(_page_of_types, default_timeout=30).run()
    assert not app.exception, app.exception
    expected = {"gain": 3.0, "count": 4, "limit": None, "shape": "square", "loud": True, "name": "a"}
    assert app.session_state["results"] == expected
    assert type(app.session_state["results"]["count"]) is int
    gain, count = app.number_input(key="gain"), app.number_input(key="count")
    assert (gain.label, gain.step) == ("Gain (dB)", 0.5)
    assert count.help == "How many there are."
    gain.set_value(99.0).run()
    assert app.session_state["results"]["gain"] == 99, "the model says what is wrong with it"
    assert app.selectbox(key="shape").options == ["round", "square"]


def test_a_changed_widget_gives_the_changed_value() -> None:
    app = AppTest.from_function(_page_of_types, default_timeout=30).run()
    app.number_input(key="limit").set_value(0.5)
    app.selectbox(key="shape").select("round")
    app.toggle(key="loud").set_value(False).run()
    values = app.session_state["results"]
    assert (values["limit"], values["shape"], values["loud"]) == (0.5, "round", False)
