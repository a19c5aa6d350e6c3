"""Typed JSON documents: each broken rule becomes one line with the place and the value."""

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from files.documents import parse_document
from files.errors import ParameterError


class Layer(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1, le=64)]
    name: str = ""


class Model(msgspec.Struct):
    layers: list[Layer]
    others: dict[str, float] = {}


def parse(text: str | bytes) -> Model:
    data = text.encode() if isinstance(text, str) else text
    return parse_document(data, Model, where="a.json", error=ParameterError, remedy="write it anew")


def test_a_document_becomes_a_typed_value() -> None:
    assert parse('\ufeff{"layers": [{"size": 3}]}') == Model([Layer(3)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"layers": [{"size": 0}]}', "layers[0].size=0 must be an integer of at least 1"),
        ('{"layers": [{"size": 65}]}', "layers[0].size=65 must be an integer of at most 64"),
        ('{"layers": [{"size": true}]}', "layers[0].size=true must be an integer"),
        ('{"layers": [{"size": 1, "name": 2}]}', "layers[0].name=2 must be text"),
        ('{"layers": 5}', "layers=5 must be a list"),
        ("5", "the document=5 must be an object"),
        ("{}", "layers is missing"),
        ('{"layers": [{}]}', "layers[0]: size is missing"),
        ('{"layers": [{"size": 1, "zize": 2}]}', "layers[0]: zize is not known"),
        ('{\n"layers" []}', "line 2, column 10: "),
        ('{"layers": [', "line 1, column 13: it ends too early"),
        ('{"layers": [], "others": {"a": NaN}}', "line 1, column 32: invalid character"),
        ('{"layers": ' + "[" * 5000 + "]" * 5000 + "}", "layers[0] must be an object"),
        ('{"layers": [], "skipped": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deeply"),
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
