"""A form that has come whole, taken apart (RFC 7578): a look at each byte, and one copy of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp.helpers import parse_mimetype
from aiohttp.multipart import content_disposition_filename, parse_content_disposition


@dataclass(frozen=True, slots=True)
class Part:
    """One field; *filename* is None where it is no file."""

    name: str
    filename: str | None
    content: bytes


def parts(content_type: str, body: bytes) -> Iterator[Part]:
    """Yield the fields of *body*; ValueError where it is not what *content_type* says."""
    mark = b"--" + parse_mimetype(content_type).parameters.get("boundary", "").encode()
    at = body.index(mark) + len(mark)
    while body[at : at + 2] != b"--":
        begin = body.index(b"\r\n\r\n", at) + 4
        end = body.index(b"\r\n" + mark, begin)
        name, filename = _named(body[at:begin].decode("utf-8", "replace"))
        yield Part(name, filename, body[begin:end])
        at = end + 2 + len(mark)


def _named(head: str) -> tuple[str, str | None]:
    for line in head.splitlines():
        key, _, said = line.partition(":")
        if key.strip().lower() == "content-disposition":
            _kind, found = parse_content_disposition(said.strip())
            if name := found.get("name"):
                return name, content_disposition_filename(found)
    raise ValueError("a field without a name")
