"""Tests of what is read from the annotation of a field."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from distrack.annotations import bounds_of, choice_texts_of, choices_of, plain_type
from distrack.registry import Choice, ChosenFrom, NameIn, Registry

COLOURS: Registry[str] = Registry("colour")
COLOURS.add("red", "#f00")
COLOURS.add("green", "#0f0", title="Grass green")


class Config(BaseModel):
    name: Annotated[str, NameIn(COLOURS)]
    maybe: Annotated[str, NameIn(COLOURS)] | None
    several: tuple[Annotated[str, NameIn(COLOURS)], ...]
    chosen: Annotated[Choice, ChosenFrom(COLOURS, "red")]
    literal: Literal["a", "b"] | None
    free: str
    share: Annotated[float, Field(gt=0, le=1)] | None
    count: Annotated[int, Field(gt=2, lt=9)]


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        *((name, ("red", "green")) for name in ("name", "maybe", "several", "chosen")),
        ("literal", ("a", "b")),
        ("free", ()),
        ("count", ()),
    ],
)
def test_choices_are_found_wherever_the_annotation_has_them(name: str, choices: tuple[str, ...]) -> None:
    assert choices_of(Config.model_fields[name]) == choices


def test_help_shows_a_title_where_it_says_more_than_the_name() -> None:
    assert choice_texts_of(Config.model_fields["several"]) == ("red", "green (Grass green)")
    assert choice_texts_of(Config.model_fields["literal"]) == ("a", "b")


def test_exclusive_bounds_become_the_next_number_inside() -> None:
    assert bounds_of(Config.model_fields["count"]) == (3, 8)
    least, most = bounds_of(Config.model_fields["share"])
    assert least is not None
    assert 0 < least < 1e-300
    assert most == 1
    assert bounds_of(Config.model_fields["free"]) == (None, None)


def test_a_type_is_read_without_none_and_marks() -> None:
    assert plain_type(Config.model_fields["share"].annotation) == (float, True)
    assert plain_type(Config.model_fields["count"].annotation) == (int, False)


def test_an_entry_is_called_by_its_title_or_its_name() -> None:
    assert [COLOURS.title(name) for name in COLOURS] == ["red", "Grass green"]
