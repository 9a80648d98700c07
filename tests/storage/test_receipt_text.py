"""The base64 text of a picture as JSON may hold it: with escapes, and with line breaks."""

import base64
import uuid

import pytest

from chassis.errors import Invalid
from tests.storage.client import Client, link_of
from tests.storage.pictures import picture

PICTURE = picture("PNG", (20, 20)) + b"!"  # what stands behind a picture makes its text end in "="
TEXT = base64.b64encode(PICTURE)
BLOCK = 128 * 1024  # bytes that are read at a time
BREAK = rb"\u000A"


async def imported(client: Client, text: bytes) -> bytes:
    """What is kept of *text* in a receipt."""
    purchase_id = str(uuid.uuid4())
    await client.put_receipt(b'{"b64_json":"' + text + b'"}', purchase_id)
    kept = await client.import_(13, 13 + len(text), purchase_id)
    return (await client.download(link_of(kept.asset)))[1]


def escaped() -> bytes:
    text = base64.encodebytes(PICTURE).replace(b"\n", rb"\r\n").replace(b"/", rb"\/")
    return text.replace(b"+", rb"\u002b").replace(b"=", rb"\u003D")


@pytest.mark.parametrize("text", [TEXT, escaped(), base64.encodebytes(PICTURE)], ids=["", "e", "r"])
async def test_escapes_and_line_breaks_are_no_part_of_a_picture(client, text):
    assert await imported(client, text) == PICTURE


async def test_an_escape_may_lie_in_two_blocks(client):
    for shift in range(len(BREAK)):
        text = TEXT[:shift] + BREAK * (BLOCK // len(BREAK) + 1) + TEXT[shift:]
        assert await imported(client, text) == PICTURE


async def test_the_end_of_a_text_is_not_always_the_end_of_its_string(client):
    assert TEXT.endswith(b"=")
    assert await imported(client, TEXT + rb"\n" * BLOCK) == PICTURE


@pytest.mark.parametrize(
    "text",
    [
        TEXT + rb"\n" * BLOCK + b"AAAA",
        rb"\t" + TEXT,
        rb"\\n" + TEXT,
        TEXT[:8] + rb"\u002",
        b"=" + TEXT,
    ],
)
async def test_what_is_no_base64_is_refused(client, text):
    with pytest.raises(Invalid, match="source_uri"):
        await imported(client, text)
