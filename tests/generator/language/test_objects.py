"""JSON objects out of what models write, whole or not, tidy or not."""

import itertools
import json

import pytest

from services.generator.language.objects import Objects, begun

ONE, TWO = {"title": "One", "n": [1, {"a": "}"}]}, {"title": 'T"wo\\', "n": []}


def found(*pieces: str) -> list[dict]:
    objects = Objects()
    return [each for piece in pieces for each in objects.feed(piece)]


@pytest.mark.parametrize(
    "text",
    [
        f"{json.dumps(ONE)}\n{json.dumps(TWO)}",
        f"Here:\n```json\n{json.dumps([ONE, TWO], indent=2)}\n```\nEnjoy!",
        json.dumps({"suggestions": [ONE, TWO]}),
        f"1. {json.dumps(ONE)}, 2. {json.dumps(TWO)}.",
    ],
)
def test_objects_are_found_whatever_stands_around_them(text):
    assert found(text) == found(*text) == [ONE, TWO]


def test_each_comes_as_soon_as_it_is_whole():
    objects, first = Objects(), json.dumps(ONE)
    assert objects.feed(first[:-1]) == []
    assert objects.open
    assert objects.feed("}") == [ONE]
    assert not objects.open


def test_commas_after_the_last_and_raw_line_breaks_are_mended():
    assert found('{"a": [1, 2, ], "b": "x\ny", \n}') == [{"a": [1, 2], "b": "x\ny"}]
    assert found('{"a": "1, }", "b": ",]"}') == [{"a": "1, }", "b": ",]"}]


def test_what_cannot_be_mended_is_counted_and_hinders_nothing():
    objects = Objects()
    assert objects.feed('{"a": b} {"a": 1}') == [{"a": 1}]
    assert objects.broken == 1


def test_an_endless_object_is_let_go():
    objects = Objects()
    assert objects.feed('{"a": "' + "x" * 300_000) == []
    assert objects.feed('"} {"a": 1}') == [{"a": 1}]
    assert objects.broken == 1


def test_a_string_can_be_read_while_it_is_written():
    whole = json.dumps({"description": "A sea \u201cglows\u201d \U0001f30a\nend", "styles": []})
    grown = [begun(whole[:at], "description") for at in range(len(whole) + 1)]
    assert grown[-1] == "A sea \u201cglows\u201d \U0001f30a\nend"
    for before, after in itertools.pairwise(grown):
        assert after.startswith(before)
    assert all(each.encode() is not None for each in grown)
