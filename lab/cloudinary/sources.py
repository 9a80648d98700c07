"""Where a file's bytes come from: the request, a data: URI, loopback, a built-in picture."""

import asyncio
import base64
import binascii
import io
import ipaddress
import re
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp
from PIL import Image, ImageDraw

from lab.cloudinary.fields import Form
from lab.cloudinary.refusals import Refusal, missing

_DATA = re.compile(r"\s*data:[\w.+/-]*(?:;[\w-]+=[\w.-]+)*;base64,")
_PATIENCE = aiohttp.ClientTimeout(total=30)
_LOGO = "http://cloudinary.com/images/old_logo.png"  # what Cloudinary's own clients test with


async def content_of(form: Form) -> bytes:
    """The file that *form* carries or names."""
    file = form.file
    if not file:
        raise missing("file")
    if isinstance(file, bytes):
        return file
    if found := _DATA.match(file):
        return _decoded(file[found.end() :])
    if file == _LOGO:
        return await asyncio.to_thread(_logo)
    if not _is_here(file):
        raise Refusal(400, f"Error in loading {file} - the lab fetches from loopback alone")
    return await _fetched(file)


def name_of(form: Form) -> str:
    """The file's own name without folder and extension; ``file`` where it has none."""
    said = form.text("filename_override") or form.filename
    if not said and isinstance(form.file, str) and not form.file.startswith("data:"):
        said = urlsplit(form.file).path
    stem = (said or "file").replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return stem or "file"


def _decoded(text: str) -> bytes:
    with suppress(ValueError):
        return binascii.a2b_base64(text, strict_mode=True)  # the usual case: no white space
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise Refusal(400, "Invalid data URI") from None


def _is_here(url: str) -> bool:
    """Whether *url* is plain HTTP on an address of loopback: no name is looked up."""
    try:
        parts = urlsplit(url)
        address = ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return False
    return parts.scheme == "http" and address.is_loopback


async def _fetched(url: str) -> bytes:
    try:
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise Refusal(400, f"Error in loading {url} - {answer.status} {answer.reason}")
            return await answer.read()
    except (aiohttp.ClientError, TimeoutError) as failed:
        raise Refusal(400, f"Error in loading {url} - {failed!r}") from failed


def _logo() -> bytes:
    """A picture of the size of the one that Cloudinary has there."""
    image = Image.new("RGB", (241, 51), "#f4f7fa")
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((4, 8, 60, 43), radius=17, fill="#3448c5")
    pen.text((72, 18), "provider lab", fill="#0c163b")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
