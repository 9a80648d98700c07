"""The studio page and the page that explains the interface: one file each, from no other host."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.settings import host_of, is_loopback

router = APIRouter(include_in_schema=False)

_WEB = Path(__file__).parent.parent / "web"
_INLINE = {
    "script-src": re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL),
    "style-src": re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL),
}


@router.api_route("/", methods=["GET", "HEAD"])
async def studio(request: Request) -> Response:
    """Send the studio page."""
    return _page(request, "studio.html")


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs(request: Request) -> Response:
    """Send the page that shows /openapi.json."""
    return _page(request, "docs.html")


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def favicon() -> Response:
    """Send the icon, for those who ask without reading the page."""
    return Response(
        (_WEB / "icon.svg").read_bytes(),
        headers={"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"},
        media_type="image/svg+xml",
    )


def _page(request: Request, name: str) -> Response:
    page, hashes = _read(name)
    policy = (
        f"default-src 'none'; {hashes}; img-src {_pictures(request)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return Response(page, headers=headers, media_type="text/html")


def _pictures(request: Request) -> str:
    """Where pictures come from: here, any CDN, and beside a stack on loopback one there."""
    origin = request.app.state.settings.public_url
    local = " http://127.0.0.1:*" if is_loopback(host_of(origin)) else ""
    return f"'self' {origin} data: https:{local}"


@cache
def _read(name: str) -> tuple[bytes, str]:
    """Return a page, and the hashes by which a browser runs what is inline in it, only."""
    page = (_WEB / name).read_text("utf-8")
    rules = []
    for directive, inline in _INLINE.items():
        digests = [hashlib.sha256(text.encode()).digest() for text in inline.findall(page)]
        allowed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
        rules.append(f"{directive} {' '.join(allowed)}")
    return page.encode(), "; ".join(rules)
