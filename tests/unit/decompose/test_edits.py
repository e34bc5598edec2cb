"""Edits are stored, replayed, undone and redone; a stored edit that cannot be applied is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from distrack.decompose import EDITS, Edit, Events, History, apply
from distrack.decompose.combining import mix
from distrack.decompose.transforms import remove, stretch_clip, transpose
from distrack.errors import ConfigError, EventsError
from tests.tones import RATE, tones
from tests.unit.decompose.listening import same


def note() -> Events:
    return tones((0.2, 440, 0.5, 0.15))


def chord() -> Events:
    return tones((0.1, 220, 0.3, 0.2), (0.3, 330, 0.2, 0.1), (0.5, 550, 0.1, 0.05))


def test_edits_are_replayed_from_json() -> None:
    edits = [
        Edit(name="Transpose", which=(0,), arguments={"semitones": 12}),
        Edit(name="stretch_clip", arguments={"factor": 1.5}),
        Edit(name="mix", source="other", arguments={"seconds": 0.1}),
        Edit(name="remove", which=(1,)),
    ]
    stored = json.dumps([edit.model_dump(mode="json") for edit in edits])
    again = [Edit.model_validate(edit) for edit in json.loads(stored)]
    assert again == edits
    other = note()
    expected = remove(mix(stretch_clip(transpose(chord(), [0], semitones=12), factor=1.5), other, seconds=0.1), [1])
    assert same(apply(chord(), again, others={"other": other}), expected)
    assert same(apply(chord(), []), chord())


def test_a_room_is_an_edit_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tiny.wav", [0.5, 0.25, 0.1], RATE, subtype="FLOAT")
    edits = [
        Edit(name="room", source="tiny", arguments={"wet": 0.5}),
        Edit(name="wet", which=(0,), arguments={"share": 1}),
    ]
    changed = apply(chord(), edits, rooms={"tiny": tmp_path / "tiny.wav"})
    assert changed.wet.tolist() == [1.0, 0.5, 0.5]
    assert changed.room is not None
    assert changed.room[0].tolist() == pytest.approx([0.5, 0.25, 0.1])
    assert same(apply(changed, [Edit(name="room")]), chord())


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"name": "explode"}, "unknown edit 'explode'"),
        ({"name": "gain"}, "gain: db Field required"),
        ({"name": "gain", "arguments": {"db": "loud"}}, "gain: db 'loud'"),
        ({"name": "gain", "arguments": {"db": 3, "which": [0]}}, "gain: which"),
        ({"name": "gain", "arguments": {"db": 3}, "source": "x"}, "needs no source"),
        ({"name": "mix"}, "needs other events"),
        ({"name": "mix", "source": "x", "which": [0]}, "leave which out"),
        ({"name": "stretch-clip", "which": [0], "arguments": {"factor": 2}}, "leave which out"),
    ],
)
def test_a_malformed_edit_is_refused(stored: dict[str, Any], message: str) -> None:
    with pytest.raises((EventsError, ConfigError), match=message):
        Edit.model_validate(stored)
    with pytest.raises((EventsError, ConfigError), match=message):
        History.from_json(json.dumps({"done": [stored]}))


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"done": 5}', '{"done": [{}]}', '{"x": 1}', "[" * 100_000, '{"done":[{"name":"mute","which":[-1]}]}'],
)
def test_a_malformed_history_is_refused(text: str) -> None:
    with pytest.raises(EventsError, match="edits cannot be read"):
        History.from_json(text)


def test_the_error_of_one_edit_among_several_names_its_number() -> None:
    edits = [Edit(name="mute", which=(0,)), Edit(name="mute", which=(7,))]
    with pytest.raises(EventsError, match="edit 2: which: there is no event 7"):
        apply(chord(), edits)
    with pytest.raises(EventsError, match=r"^there are no events called 'x': there are: a, b"):
        apply(chord(), [Edit(name="mix", source="x")], others={"b": note(), "a": note()})
    with pytest.raises(EventsError, match=r"^unknown room 'hall'"):
        apply(chord(), [Edit(name="room", source="hall")])
    # Options are for the command: a page shows the problem alone.
    with pytest.raises(EventsError, match="--sample-rate 16000") as refused:
        apply(chord(), [Edit(name="mix", source="a")], others={"a": tones((0.2, 440, 0.5, 0.15), rate=8_000)})
    assert "--sample-rate" not in refused.value.problem


def test_edits_are_undone_and_redone() -> None:
    first, second = Edit(name="transpose", arguments={"semitones": 2}), Edit(name="mute", which=(1,))
    start = History()
    both = start.do(first).do(second)
    assert both.done == (first, second)
    assert both.undo().done == (first,)
    assert both.undo().redo() == both
    assert both.undo().undo().redo().redo() == both
    assert start.undo() == start.redo() == start
    # After a new edit, an undone one cannot be redone.
    assert both.undo().do(first).redo().done == (first, first)
    assert same(apply(chord(), both.undo().undo().done), chord())
    assert History.from_json(both.undo().model_dump_json()) == both.undo()


@pytest.mark.parametrize("name", list(EDITS))
def test_an_edit_has_a_label_a_sentence_and_bounds_for_every_argument(name: str) -> None:
    kind = EDITS[name]
    assert EDITS.title(name) != name
    assert kind.about.endswith(".")
    schema = kind.arguments.model_json_schema()
    assert schema["additionalProperties"] is False
    for argument in schema.get("properties", {}).values():
        assert argument["title"][0].isupper()
        if "enum" in argument:
            continue
        numbers = [part for part in argument.get("anyOf", [argument]) if part.get("type") in {"number", "integer"}]
        assert numbers
        assert all(("minimum" in n or "exclusiveMinimum" in n) and "maximum" in n for n in numbers)
