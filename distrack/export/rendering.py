"""Jinja2 templates: every value is escaped for its kind of file unless the template marks it as `safe`."""

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from distrack.evaluate import name_of
from distrack.export.comparison import value_text

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
}
# Braces and percent signs have a meaning of their own in LaTeX.
_LATEX_DELIMITERS: dict[str, Any] = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
}


def rendered(template: str, /, **values: Any) -> str:
    """The text of a template of this package.

    Args:
        template: its file in the folder `templates`; `.html.j2`, `.md.j2` and `.tex.j2` select how values are escaped.
        values: what the template refers to; a name without a value is an error.
    """
    return _environment(template.split(".")[1]).get_template(template).render(values)


@cache
def _environment(kind: str) -> Environment:
    options: dict[str, Any] = {
        "loader": PackageLoader("distrack.export"),
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "keep_trailing_newline": True,
    }
    if kind == "html":
        environment = Environment(autoescape=True, **options)
    elif kind == "md":
        environment = Environment(finalize=_escaping(escape_markdown), **options)
        environment.filters["json"] = _json
    else:
        environment = Environment(finalize=_escaping(escape_latex), **_LATEX_DELIMITERS, **options)
        environment.filters["comment"] = lambda text: Markup(one_line(text))
    environment.filters |= {
        "thousands": "{:,}".format,
        "percent": percent,
        "signed_percent": lambda share: f"{100 * share:+.1f}".replace("-", "−"),
        "value": value_text,
    }
    environment.filters["training_set"] = name_of
    return environment


def _escaping(escape: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: value if isinstance(value, Markup) else escape(str(value))


def escape_markdown(text: str) -> str:
    r"""Text on one line that Markdown shows as it is.

    >>> escape_markdown("a_b\n<c>")
    'a\\_b \\<c\\>'
    """
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def escape_latex(text: str) -> str:
    r"""Text on one line that LaTeX shows as it is: no sign is a command, and two dashes stay two.

    >>> escape_latex("50 % of a_b--c")
    '50 \\% of a\\_b-{}-c'
    """
    signs = "".join(_LATEX.get(sign, sign) for sign in one_line(text))
    return re.sub("-(?=-)", "-{}", signs)


def one_line(text: str) -> str:
    """Text with every run of spaces and line breaks as one space."""
    return " ".join(text.split())


def percent(share: float, digits: int = 1) -> str:
    """A share as a number of percent without its sign.

    >>> percent(0.5)
    '50.0'
    """
    return f"{100 * share:.{digits}f}"


def _json(value: Any) -> Markup:
    """JSON, which is YAML too."""
    return Markup(json.dumps(value, ensure_ascii=False))
