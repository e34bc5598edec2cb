"""Escaping of values in Markdown and LaTeX."""

import pytest

from distrack.export.rendering import escape_latex, escape_markdown


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a_b & 5 % $x$ #1 ~ ^", r"a\_b \& 5 \% \$x\$ \#1 \textasciitilde{} \textasciicircum{}"),
        ('<a|b> "c"', r"\textless{}a\textbar{}b\textgreater{} ''c''"),
        ("a---b", "a-{}-{}-b"),
        ("two\nlines", "two lines"),
    ],
)
def test_no_sign_is_a_command_of_latex(text: str, latex: str) -> None:
    assert escape_latex(text) == latex


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("[x](http://y)", r"\[x\](http://y)"),
        ("a | b", r"a \| b"),
        ("two\n# lines", r"two \# lines"),
        ("<b>`*_~", r"\<b\>\`\*\_\~"),
    ],
)
def test_no_sign_is_markup_of_markdown(text: str, markdown: str) -> None:
    assert escape_markdown(text) == markdown
