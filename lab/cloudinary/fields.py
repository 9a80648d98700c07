"""What a request carries: its form from the wire, and the small languages inside its values."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from lab.cloudinary import multipart
from lab.cloudinary.refusals import Refusal

_REQUEST_MOST = 100 * 1024 * 1024  # bytes; more goes in chunks
_ESCAPED = re.compile(r"\\([|=])")
_PAIRS = re.compile(r"(?:\\[|=]|[^|])+")  # an escaped | does not end a pair
_PAIR = re.compile(r"((?:\\[|=]|[^=])*)=(.*)", re.DOTALL)


@dataclass(slots=True, kw_only=True)
class Form:
    """The fields of a request; *file* is bytes, or the text of a place to fetch it from."""

    fields: dict[str, str | list[str]] = field(default_factory=dict)
    file: bytes | str | None = None
    filename: str | None = None

    def text(self, name: str, default: str = "") -> str:
        value = self.fields.get(name, default)
        return value if isinstance(value, str) else ",".join(value)

    def many(self, name: str) -> list[str]:
        value = self.fields.get(name, [])
        return listed(value) if isinstance(value, str) else value

    def says(self, name: str, *, default: bool = False) -> bool:
        """Booleans travel as 1 and 0; other clients write true and false."""
        return self.text(name, "1" if default else "0").lower() in {"1", "true"}

    def add(self, name: str, value: str) -> None:
        if not name.endswith("[]"):
            self.fields[name] = value
            return
        found = self.fields.setdefault(name[:-2], [])
        if isinstance(found, list):
            found.append(value)


async def read_form(request: web.Request) -> Form:
    """The fields of a multipart or urlencoded POST; a second reading finds the same."""
    form = Form()
    try:
        if request.content_type == "multipart/form-data":
            _take_parts(form, request.headers["Content-Type"], await request.read())
        else:
            for name, value in (await request.post()).items():
                _take(form, name, str(value))
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except ValueError as broken:  # of a body that is not what it says
        raise Refusal(400, f"Invalid multipart body - {broken}") from broken
    if isinstance(form.file, bytes) and len(form.file) > _REQUEST_MOST:
        raise _too_large()
    return form


def _take_parts(form: Form, content_type: str, body: bytes) -> None:
    for part in multipart.parts(content_type, body):
        if part.filename:
            form.file, form.filename = part.content, part.filename
        else:
            _take(form, part.name, part.content.decode("utf-8", "replace"))


def _take(form: Form, name: str, value: str) -> None:
    if name == "file":
        form.file = value
    else:
        form.add(name, value)


def _too_large() -> Refusal:
    return Refusal(413, f"Request is too large. Maximum is {_REQUEST_MOST} bytes; send chunks.")


async def read_options(request: web.Request) -> Form:
    """The options of an admin call: the query string's, and those of a JSON body."""
    form = Form()
    for name, value in request.query.items():
        form.add(name, value)
    body = await request.read()
    try:
        found = json.loads(body) if body.strip() else {}
    except ValueError as broken:
        raise Refusal(400, "Invalid JSON body") from broken
    for name, value in found.items() if isinstance(found, Mapping) else ():
        if value is not None:
            form.fields[name] = _plain(value)
    return form


def _plain(value: object) -> str | list[str]:
    if isinstance(value, list):
        return [str(each) for each in value]
    return str(int(value)) if isinstance(value, bool) else str(value)


def listed(text: str) -> list[str]:
    """``a,b`` as a list without empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


def pairs(text: str) -> dict[str, str]:
    r"""Context: ``k=v|hash=a\|b``; a backslash before | or = is none of the text."""
    found = {}
    for pair in _PAIRS.findall(text):
        if not (split := _PAIR.fullmatch(pair)):
            raise Refusal(400, f"Invalid context - {pair}")
        name, value = (_ESCAPED.sub(r"\1", part) for part in split.groups())
        found[name] = value
    return found
