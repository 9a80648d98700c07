"""An answer's outline has all of it but the pictures, however it comes in pieces."""

import base64
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.generator.providers.outline import Outline, Part

PICTURE = base64.b64encode(random.Random(7).randbytes(30_000)).decode()
ODD = 'a "quoted" text, a back\\slash, an é and \x01' + "word " * 20


def read(answer: bytes, pieces: list[int]) -> object:
    outline, start = Outline(), 0
    for size in [*pieces, len(answer)]:
        outline.feed(answer[start : start + size])
        start += size
    return outline.read()


@given(st.lists(st.integers(0, 200), max_size=60), st.booleans())
def test_the_pictures_are_told_by_their_place(pieces: list[int], ascii_only: bool) -> None:
    small = base64.b64encode(b"x" * 60).decode()
    told = {"a": [{"b64_json": PICTURE}, {"b64_json": small}], ODD: ODD, "n": -1.5e3, "id": "x" * 9}
    answer = json.dumps(told, ensure_ascii=ascii_only).encode()
    found = read(answer, pieces)
    parts = [each["b64_json"] for each in found["a"]]
    assert [answer[part.start : part.stop].decode() for part in parts] == [PICTURE, small]
    assert found | {"a": 0} == told | {"a": 0}


def test_no_picture_is_in_memory() -> None:
    outline = Outline()
    outline.feed(b'{"b64_json": "')
    for _ in range(100):
        outline.feed(b"A" * 1_000_000)
        assert len(outline._kept) + len(outline._held) < 2_000_000
    outline.feed(b'"}')
    assert outline.read() == {"b64_json": Part(14, 100_000_014)}


@given(st.lists(st.integers(0, 4000), max_size=30))
def test_events_are_told_by_their_data(pieces: list[int]) -> None:
    told = [{"type": "a", "b64_json": PICTURE}, {"type": 'b "quoted"', "n": 1}]
    stream = b": hello\n\n" + b"".join(
        b"event: x\ndata: " + json.dumps(each).encode() + b"\n\n" for each in told
    )
    outline, start = Outline(), 0
    for size in [*pieces, len(stream)]:
        outline.feed(stream[start : start + size])
        start += size
    first, second = outline.events()
    part = first["b64_json"]
    assert stream[part.start : part.stop].decode() == PICTURE
    assert second == told[1]


def test_an_answer_alone_is_one_event() -> None:
    outline = Outline()
    outline.feed(b' {"a": "data: 1"}')
    assert outline.events() == [{"a": "data: 1"}]


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b'{"a": "', b'{"a": 1', b'"' + b"A" * 70_000 + b'\\t"', b'"\\', b"\xff\xfe{}"],
)
def test_what_makes_no_sense_is_a_value_error(answer: bytes) -> None:
    with pytest.raises(ValueError):
        read(answer, [1, 1])


@settings(deadline=None)
@given(st.lists(st.integers(0, 300), max_size=40), st.sampled_from([60, 13_000]))
def test_escapes_and_line_breaks_are_no_part_of_a_picture(pieces: list[int], size: int) -> None:
    text = base64.encodebytes(random.Random(7).randbytes(size)).decode()
    text = text.replace("\n", r"\r\n").replace("/", r"\/").replace("+", r"\u002B")
    answer = b'{"b64_json": "' + text.encode() + rb'", "n": "\u002b\n"}'
    assert read(answer, pieces) == {"b64_json": Part(14, 14 + len(text)), "n": "+\n"}


def test_words_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="too many words"):
        read(b'"so many words" ' * 400_000, [1000] * 6400)


def events(stream: bytes) -> list:
    outline = Outline()
    outline.feed(stream)
    return outline.events()


@pytest.mark.parametrize("noise", [b"data: [DONE]\n\n", b"data:\n\n", b"data: {\n\n"])
def test_what_is_no_event_hides_none(noise: bytes) -> None:
    assert events(noise + b'data: {"a": 1}\n\n' + noise) == [{"a": 1}]
    with pytest.raises(ValueError, match="no event"):
        events(noise)
