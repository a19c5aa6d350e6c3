"""Typed JSON documents: each broken rule becomes one line with the place and the value."""

import json
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pytest
from msgspec import Meta

from files.documents import MAX_DEPTH, MAX_VALUES, check_depth, parse_document
from files.errors import ParameterError


class Layer(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1, le=64)]
    name: str = ""


class Named(TypedDict):
    unit: int
    name: NotRequired[str]


class Model(msgspec.Struct):
    layers: Annotated[list[Layer], Meta(max_length=3)]
    others: dict[str, float] = {}
    kept: dict[str, Any] = {}
    named: list[Named] = []
    choice: Literal["a", "b"] | None = None
    layer: Layer | None = None
    text: Annotated[str, Meta(max_length=5)] = ""
    ratio: Annotated[float, Meta(gt=0)] = 1.0

    def __post_init__(self) -> None:
        check_depth(self.kept)


def parse(text: str | bytes) -> Model:
    data = text.encode() if isinstance(text, str) else text
    return parse_document(data, Model, where="a.json", error=ParameterError, remedy="write it anew")


def test_a_document_becomes_a_typed_value() -> None:
    assert parse('\ufeff{"layers": [{"size": 3}]}') == Model([Layer(3)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"layers": [{"size": 0}]}', "layer 0: size=0 must be an integer from 1 to 64"),
        ('{"layers": [{"size": 65}]}', "layer 0: size=65 must be an integer from 1 to 64"),
        ('{"layers": [{"size": true}]}', "layer 0: size=true must be an integer"),
        ('{"layers": [{"size": 1, "name": 2}]}', "layer 0: name=2 must be text"),
        ('{"layers": 5}', "layers=5 must be a list"),
        ("5", "the document=5 must be an object"),
        ("{}", "layers is missing"),
        ('{"layers": [{}]}', "layer 0: size is missing"),
        (
            '{"layers": [{"size": 1, "zize": 2}]}',
            "layer 0: zize is not known; known are size, name",
        ),
        ('{\n"layers" []}', "line 2, column 10: "),
        ('{"layers": [', "line 1, column 13: it ends too early"),
        ('{"layers": [], "others": {"a": NaN}}', "line 1, column 32: NaN is no number in JSON"),
        ('{"layers": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deeply"),
        ('{"layers": [], "skipped": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deeply"),
        ('{"layers": [], "others": {"a b": "c"}}', """others['a b']="c" must be a finite number"""),
        ('{"layers": [], "others": {"a": 1e999}}', "others.a=1e999 must be a finite number"),
        ('{"layers": [], "others": {"a": -Infinity}}', "column 33: Infinity is no number in JSON"),
        (
            '{"layers": [], "kept": {"a": [1e999]}}',
            "kept.a=[1e999] must be JSON with finite numbers",
        ),
        ('{"layers": [], "kept": {"a": ' + "[" * 32 + "]" * 32 + "}}", "nested at most 32 deep"),
        ('{"layers": [], "named": [{}]}', "named[0]: unit is missing"),
        ('{"layers": [], "named": [{"unit": 1, "name": 3}]}', "named[0].name=3 must be text"),
        ('{"layers": [], "choice": "c"}', 'choice="c" must be one of a, b or null'),
        ('{"layers": [], "layer": {"size": 0}}', "layer.size=0 must be an integer from 1 to 64"),
        ('{"layers": [], "layer": 1}', "layer=1 must be an object or null"),
        ('{"layers": [], "text": "sixsix"}', 'text="sixsix" must be text of at most 5 letters'),
        ('{"layers": [], "ratio": 0}', "ratio=0 must be a finite number above 0"),
        ('{"layers": [1, 2, 3, 4]}', "layer 0: 1 must be an object"),
        ('{"layers": [{"size": "' + "x" * 99 + '"}]}', 'size="' + "x" * 59 + "… must be"),
        ('{"layers": [{"size": 0}], "a" 1}', "line 1, column 31: expected ':'"),
        ('{"layers": [' + "," * MAX_VALUES + "]}", f"more than {MAX_VALUES} values"),
        (b"\xff\xfe{", "not UTF-8"),
        (b'{"layers": [{"size": 1, "name": "\xff"}]}', "not UTF-8"),
    ],
)
def test_every_fault_is_told_in_one_line(text: str | bytes, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse(text)
    told = str(caught.value)
    assert told.startswith("a.json: ")
    assert message in told
    assert told.endswith("; write it anew")
    assert "\n" not in told


def test_free_values_are_kept_as_they_are() -> None:
    deep = "[" * (MAX_DEPTH - 2) + "]" * (MAX_DEPTH - 2)
    text = '{"a": ' + deep + ', "b": {"c": [1, 2.5, null, true, "d"]}, "e": 99999999999999999999}'
    kept = parse('{"layers": [], "kept": ' + text + "}").kept
    assert kept == json.loads(text)


def test_halves_of_letters_are_replaced() -> None:
    kept = parse(
        r'{"layers": [], "kept": {"a": "\udce9 \\ud800 \ud83d\ude00", "b": "\ud83d"}}'
    ).kept
    assert kept == {"a": "\ufffd \\ud800 \U0001f600", "b": "\ufffd"}
