"""
Who is asking, and what a browser may be made to ask.

The first process that a call reaches turns the credential into a user: that is us.
"""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from chassis import identity
from chassis.errors import Denied, Invalid, Unauthenticated
from chassis.settings import host_of, is_loopback
from gateway.services import Service, Services
from imagestudio.catalog.v1.ledger_service_pb2 import ResolveCredentialRequest

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SCHEMES = ("http", "https")


def resolver(ledger: Service, auth: str) -> identity.Resolve:
    """Make what turns a credential into a caller: a key's owner, or the one local user."""

    async def resolve(credential: str | None) -> identity.Caller:
        if auth == "none":
            request = ResolveCredentialRequest(subject="local")
        elif credential is None:
            raise Unauthenticated(
                "CREDENTIAL_MISSING",
                "Send a key as 'Authorization: Bearer isk_…'; `studio keys create` makes one.",
            )
        else:
            request = ResolveCredentialRequest(api_key_hash=identity.hashed(credential))
        found = await ledger.ask("ResolveCredential", request, user_id=0)
        user_id = int(found.user.removeprefix("users/"))
        return identity.Caller(user_id, frozenset(found.scopes))

    return resolve


async def identified(request: Request) -> None:
    """Let the running request speak for the user of its credential."""
    header = None
    if request.app.state.settings.auth != "none":
        header = request.headers.get("authorization")
    caller = await request.app.state.resolve(identity.bearer(header))
    identity.current.set(caller)


async def the_services(request: Request) -> Services:
    """Hand the services to a route."""
    found: Services = request.app.state.services
    return found


Behind = Annotated[Services, Depends(the_services)]


def guard_browser(method: str, headers: Mapping[str, str], public_url: str) -> None:
    """
    Refuse what a foreign page makes a browser send; raises Denied.

    Without keys, whoever can make the user's browser call us is that user. A page of
    another site cannot read our answers, but could send; and one whose name was turned
    to 127.0.0.1 behind our back (DNS rebinding) could read, too, but keeps its name.
    """
    if method not in _SAFE and _is_foreign(headers, public_url):
        raise Denied("REQUEST_INVALID", "A page of another site may not change anything here.")
    host, public_host = _host(headers.get("host", "")), host_of(public_url)
    if "." in host and host != public_host and not is_loopback(host) and not _is_address(host):
        raise Denied(
            "REQUEST_INVALID",
            f"This is not {host}: open {public_host}, or set PUBLIC_URL to the name you use.",
        )


def _is_foreign(headers: Mapping[str, str], public_url: str) -> bool:
    """Tell by what browsers add; older ones name the page's origin alone."""
    if site := headers.get("sec-fetch-site"):
        return site in ("cross-site", "same-site")
    origin = headers.get("origin")
    return origin not in (None, public_url, *(f"{s}://{headers.get('host')}" for s in _SCHEMES))


def _host(name: str) -> str:
    try:
        return urlsplit(f"//{name}").hostname or ""
    except ValueError:
        raise Invalid("REQUEST_INVALID", "The header 'Host' names no host.") from None


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()
