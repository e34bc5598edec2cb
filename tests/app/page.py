"""A page of the app, opened as a link would, and what is written on it."""

from typing import Any

from streamlit.testing.v1 import AppTest


def opened(app: AppTest, page: str, **query: str | list[str]) -> AppTest:
    """The page of the navigation, with this in the URL."""
    app.run()
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def texts(app: AppTest) -> str:
    """All that is written on the page."""
    written = (app.title, app.header, app.subheader, app.markdown, app.caption, app.info, app.error, app.warning)
    parts: list[Any] = [part for kind in written for part in kind]
    return "\n".join(str(part.value) for part in parts)
