"""A page of the app, opened as a link opens it, and the parts of it that tests look at."""

import json
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

_TEXTS = ("title", "header", "subheader", "markdown", "caption", "info", "success", "warning", "error")


def opened(app: AppTest, page: str, **query: str | list[str]) -> AppTest:
    """Runs the app once, on a page of the navigation with these parameters in the URL."""
    app.switch_page(f"pages/{page}.py")
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    return again(app)


def again(app: AppTest) -> AppTest:
    """Runs the app, and fails where a page raises."""
    app.run()
    assert not app.exception, app.exception
    return app


def texts(app: AppTest) -> str:
    """All that is written on the page."""
    parts: list[Any] = [part for kind in _TEXTS for part in app.get(kind)]
    return "\n".join(str(part.value) for part in parts)


def links(app: AppTest) -> list[str]:
    """The labels of all links to pages."""
    return [link.proto.label for link in app.get("page_link")]


def labelled(app: AppTest, kind: str, label: str) -> Any:
    """The one widget of a kind (`selectbox`, `number_input` ...) with a label."""
    widgets: list[Any] = list(app.get(kind))
    (widget,) = (widget for widget in widgets if widget.label == label)
    return widget


def given(app: AppTest, name: str) -> dict[str, Any]:
    """What a component of ours was given."""
    data: dict[str, Any] = json.loads(_component(app, name).json)
    return data


def reported(app: AppTest, name: str, **state: Any) -> AppTest:
    """Runs the app as after a report of a component of ours, which AppTest has no hands for."""
    states = app._tree.get_widget_states()
    states.widgets.append(WidgetState(id=_component(app, name).id, json_value=json.dumps(state)))
    app._run(states)
    assert not app.exception, app.exception
    return app


def _component(app: AppTest, name: str) -> Any:
    (found,) = (part.proto for part in app.get("bidi_component") if part.proto.component_name == name)
    return found
