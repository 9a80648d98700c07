"""The pictures themselves, at links that work for ever; whoever has a link may view."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from chassis.errors import DataLoss, Fault, Missing, was_cut
from gateway import problem, ranges
from gateway.access import Behind
from gateway.describe import problems
from gateway.services import Services
from imagestudio.storage.v1.storage_service_pb2 import DownloadAssetRequest, DownloadHeader

router = APIRouter(tags=["files"])

_LINK = re.compile(r"[a-z2-7]{26}")
_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/svg+xml": "svg",
}
_CONDITIONS = frozenset({"range", "if-none-match"})  # which bytes are wanted, the header tells
_PATIENCE = 300.0  # seconds that a download may take
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes", "content": {"image/*": {"schema": {"type": "string"}}}},
    206: {"description": "The range that was asked for"},
    304: {"description": "The client has it already"},
    **{code: problems(404, 416)[code] for code in (404, 416, 503)},
}


@router.get("/i/{link}", response_class=Response, responses=_FILE)
@router.head("/i/{link}", response_class=Response, include_in_schema=False)
async def file(request: Request, behind: Behind, link: str) -> Response:
    """Send a picture as it was kept, byte for byte."""
    return await _send(request, behind, link, thumbnail=False)


@router.get("/i/{link}/thumbnail", response_class=Response, responses=_FILE)
@router.head("/i/{link}/thumbnail", response_class=Response, include_in_schema=False)
async def thumbnail(request: Request, behind: Behind, link: str) -> Response:
    """Send a small copy of a picture."""
    return await _send(request, behind, link, thumbnail=True)


async def _send(request: Request, behind: Services, link: str, *, thumbnail: bool) -> Response:
    if not _LINK.fullmatch(link):
        raise Missing("RESOURCE_UNKNOWN", "There is no picture at this link.")
    asked = DownloadAssetRequest(name=f"links/{link}", thumbnail=thumbnail)
    asked.header_only = request.method == "HEAD" or not _CONDITIONS.isdisjoint(request.headers)
    found, answers = await _open(behind, asked)
    etag = f'"{found.sha256}"'
    headers = _headers(link, found, etag, thumbnail=thumbnail)
    known = ranges.is_known(request.headers, etag)
    if known or request.method == "HEAD":
        length = {} if known else {"Content-Length": str(found.size_bytes)}
        return Response(status_code=304 if known else 200, headers=headers | length)
    try:
        part = ranges.wanted(request.headers, etag, found.size_bytes)
    except ranges.UnsatisfiableError:
        return _behind_the_end(found.size_bytes)
    start, stop = part or (0, found.size_bytes)
    if asked.header_only:
        asked.offset = start
        answers = await _open_again(behind, asked, found)
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size_bytes}"
    headers["Content-Length"] = str(stop - start)
    content = _chunks(behind, asked, found, answers, stop - start)
    return StreamingResponse(content, 206 if part else 200, headers=headers)


def _behind_the_end(size: int) -> Response:
    why = f"The range begins behind the end: there are {size} bytes."
    answer = problem.respond(problem.HttpFault(416, why))
    answer.headers["Content-Range"] = f"bytes */{size}"
    return answer


async def _open(
    behind: Services, asked: DownloadAssetRequest
) -> tuple[DownloadHeader, AsyncGenerator[Any]]:
    """Begin a download; return its header, and the rest to be read or closed."""
    first, answers = await behind.storage.begin(
        "DownloadAsset", asked, timeout=_PATIENCE, user_id=0
    )
    if asked.header_only:
        async for _none in answers:  # to its end
            pass
    return first.header, answers


async def _open_again(
    behind: Services, asked: DownloadAssetRequest, found: DownloadHeader
) -> AsyncGenerator[Any]:
    asked.header_only = False
    again, answers = await _open(behind, asked)
    if again.sha256 != found.sha256:
        await answers.aclose()
        raise DataLoss("HASH_MISMATCH", "The file changed under its link; tell whoever runs this.")
    return answers


async def _chunks(
    behind: Services,
    asked: DownloadAssetRequest,
    found: DownloadHeader,
    answers: AsyncGenerator[Any],
    count: int,
) -> AsyncIterator[bytes]:
    """Yield *count* bytes from *asked*'s offset on; the rest again where storage went away."""
    while True:
        begun = asked.offset
        try:
            async with aclosing(answers):
                async for answer in answers:
                    chunk = answer.chunk[:count]
                    count, asked.offset = count - len(chunk), asked.offset + len(chunk)
                    yield chunk
                    if count <= 0 and asked.offset < found.size_bytes:
                        return  # in the middle; to its end a stream is read
        except Fault as fault:
            if not was_cut(fault) or asked.offset == begun:
                raise
        else:
            return
        answers = await _open_again(behind, asked, found)


def _headers(link: str, found: DownloadHeader, etag: str, *, thumbnail: bool) -> dict[str, str]:
    ending = _ENDINGS.get(found.media_type)
    shown = "inline" if ending else "attachment"  # what a browser could take for a page
    name = f"{link[:12]}{'-thumbnail' if thumbnail else ''}.{ending or 'bin'}"
    return {
        "Content-Type": found.media_type if ending else "application/octet-stream",
        "Content-Disposition": f'{shown}; filename="{name}"',
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
