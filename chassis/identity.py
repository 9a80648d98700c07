"""
Who calls: a person through a credential, or a service for somebody.

Between services travels a token that lives 60 seconds and names the calling service
and the user for whom it calls, signed with SERVICE_SECRET. `current` is the caller of
the running call; whatever is called onwards speaks for the same user.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache, partial

from chassis.errors import Denied, Unauthenticated

HEADER = "x-service-token"
LIFETIME = 60  # seconds
ALL_SCOPES = frozenset({"generate", "read", "write", "caps", "keys"})


@dataclass(frozen=True, slots=True)
class Caller:
    """*user_id* is 0 where a service speaks for itself; *service* is "" for a person."""

    user_id: int
    scopes: frozenset[str] = ALL_SCOPES
    service: str = ""

    def require_service(self, method: str) -> None:
        """Let services pass only."""
        if not self.service:
            raise Denied(
                "SERVICE_ONLY", f"Only a service may call {method}.", metadata={"method": method}
            )

    def require_scope(self, scope: str) -> None:
        """Let those with *scope* pass only."""
        if scope not in self.scopes:
            raise Denied(
                "SCOPE_MISSING",
                f"This key lacks the scope {scope!r}; `./studio keys create LABEL --user NAME "
                f"--scope {scope}` makes one that has it.",
                metadata={"scope": scope},
            )

    def require_user(self) -> int:
        """Return the user; a service that speaks for nobody does not pass."""
        if not self.user_id:
            raise Unauthenticated("CREDENTIAL_MISSING", "This call acts for a user; name one.")
        return self.user_id


current: ContextVar[Caller] = ContextVar("caller")

Resolve = Callable[[str | None], Awaitable[Caller]]  # a Bearer credential, or None, to its user


def mint(secret: bytes, caller: Caller, now: float | None = None) -> str:
    """Sign a token for *caller*, whose `service` is the one that calls."""
    return _minted(secret, caller, int((time.time() if now is None else now) + LIFETIME))


@lru_cache(maxsize=1024)
def _minted(secret: bytes, caller: Caller, expiry: int) -> str:
    """One caller's tokens of one second are alike: a signature costs as much as a small query."""
    claims = [caller.service, caller.user_id, sorted(caller.scopes), expiry]
    body = base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode())
    return f"{body.decode()}.{_signature(secret, body)}"


def verify(secret: bytes, token: str, now: float | None = None) -> Caller:
    """Return whom *token* names; Unauthenticated where it is forged, malformed or old."""
    caller, expiry = _signed(secret, token)
    if expiry < (time.time() if now is None else now):
        raise Unauthenticated("CREDENTIAL_EXPIRED", "The service token is over 60 seconds old.")
    return caller


@lru_cache(maxsize=4096)
def _signed(secret: bytes, token: str) -> tuple[Caller, int]:
    """Caller and expiry of a token that is ours; what is not ours raises, and is not remembered."""
    body, _, signature = token.partition(".")
    expected = _signature(secret, body.encode("utf-8", "replace"))
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise Unauthenticated("CREDENTIAL_INVALID", "The service token is not signed by us.")
    service, user_id, scopes, expiry = json.loads(base64.urlsafe_b64decode(body))
    return Caller(user_id=user_id, scopes=frozenset(scopes), service=service), expiry


async def authenticate(metadata: Mapping[str, str], secret: bytes, resolve: Resolve) -> Caller:
    """Return the caller from a call's *metadata*: a service's token, else a credential."""
    if token := metadata.get(HEADER):
        return verify(secret, token)
    return await resolve(bearer(metadata.get("authorization")))


def bearer(header: str | None) -> str | None:
    """Take the credential out of an Authorization header; None where there is none."""
    if header is None:
        return None
    scheme, _, credential = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthenticated(
            "CREDENTIAL_INVALID", "Send the key as 'Authorization: Bearer isk_…'."
        )
    return credential.strip()


def hashed(credential: str) -> bytes:
    """Hash a credential as it is stored: SHA-256, since ours are 256 random bits."""
    return hashlib.sha256(credential.encode()).digest()


def _signature(secret: bytes, body: bytes) -> str:
    return hmac.digest(secret, body, "sha256").hex()


LOCAL = "local"  # the subject of everybody under AUTH=none


def credential_of(credential: str | None, auth: str) -> str | bytes:
    """Return what to resolve: a subject under AUTH=none, else the key's hash."""
    if auth == "none":
        return LOCAL
    if not credential:
        raise Unauthenticated(
            "CREDENTIAL_MISSING", "Send an API key as 'Authorization: Bearer isk_…'."
        )
    return hashed(credential)


class Remembered:
    """
    Resolves a credential once a second at most: as long as a revocation may take.

    Who comes while it is being asked waits for the same answer, and a fault is asked again.
    """

    def __init__(self, resolve: Resolve, *, seconds: float = 0.9) -> None:
        self._resolve, self._seconds = resolve, seconds
        self._known: dict[bytes, tuple[float, asyncio.Future[Caller]]] = {}

    async def __call__(self, credential: str | None) -> Caller:
        key, now = hashed(credential or ""), time.monotonic()
        known = self._known.get(key)
        if known is None or now - known[0] >= self._seconds:
            if len(self._known) > 10_000:
                self._known.clear()
            known = self._known[key] = now, asyncio.ensure_future(self._resolve(credential))
            known[1].add_done_callback(partial(self._answered, key))
        return await asyncio.shield(known[1])  # whoever leaves takes the answer from nobody

    def _answered(self, key: bytes, answer: asyncio.Future[Caller]) -> None:
        known = self._known.get(key)
        failed = answer.cancelled() or answer.exception() is not None
        if failed and known is not None and known[1] is answer:
            del self._known[key]
