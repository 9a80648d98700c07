"""API keys, and whose a credential is. A key is 256 random bits; only its SHA-256 is kept."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from chassis.errors import Denied, Unauthenticated
from chassis.identity import ALL_SCOPES, Caller, hashed
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2
from services.catalog import arguments
from services.catalog.database import Pools, as_ledger, as_user
from services.catalog.jobs import unknown
from services.catalog.pages import Page
from services.catalog.queries import SQL

Row = asyncpg.Record
_USUAL = ("generate", "read", "write")
_SYSTEM = "system"  # the subject that owns the system presets, and nobody's to be


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of a person's own, and, for a service that speaks for itself, those of all."""

    pools: Pools

    async def create(self, caller: Caller, request: pb.CreateApiKeyRequest) -> tuple[Row, str]:
        """Return what is kept, and the key, which is never told again."""
        label = arguments.text(request.label, "label", 100, least=1)
        scopes = _scopes(caller, request.scopes)
        if request.subject:
            _check_service(caller, "subject")
            user_id = await self.user_of(request.subject)
        else:
            user_id = caller.require_user()
        secret = "isk_" + base64.b32encode(secrets.token_bytes(32)).decode().lower().rstrip("=")
        async with as_user(self.pools.user, user_id) as connection:
            (row,) = await connection.fetch(
                SQL.create_key, user_id, hashed(secret), secret[:8], label, scopes
            )
        return row, secret

    async def newest(self, caller: Caller, page: Page, *, all_users: bool) -> tuple[list[Row], str]:
        """Return a page, newest first, revoked ones too, and the next token."""
        if all_users:
            _check_service(caller, "all_users")
            async with as_ledger(self.pools.ledger) as connection:
                rows = await connection.fetch(SQL.list_keys_of_all, page.below(), page.size + 1)
        else:
            user_id = caller.require_user()
            async with as_user(self.pools.user, user_id) as connection:
                rows = await connection.fetch(SQL.list_keys, user_id, page.below(), page.size + 1)
        more = page.next(rows[page.size - 1]["api_key_id"]) if len(rows) > page.size else ""
        return rows[: page.size], more

    async def revoke(self, caller: Caller, name: str) -> Row:
        """Revoke "apiKeys/7"; again changes nothing."""
        key_id = arguments.api_key(name)
        if _speaks_for_itself(caller):
            async with as_ledger(self.pools.ledger) as connection:
                row = await connection.fetchrow(SQL.revoke_key_of_any, key_id)
        else:
            user_id = caller.require_user()
            async with as_user(self.pools.user, user_id) as connection:
                row = await connection.fetchrow(SQL.revoke_key, user_id, key_id)
        if row is None:
            raise unknown(name)
        return row

    async def resolve(
        self, request: ledger_service_pb2.ResolveCredentialRequest
    ) -> ledger_service_pb2.ResolveCredentialResponse:
        """Tell whose a key or subject is, and what it may do."""
        match request.WhichOneof("credential"):
            case "api_key_hash":
                user_id, scopes = await self.user_of_key(request.api_key_hash)
            case "subject":
                user_id, scopes = await self.user_of(request.subject), ALL_SCOPES
            case _:
                raise arguments.invalid("credential", "must be an api_key_hash or a subject")
        return ledger_service_pb2.ResolveCredentialResponse(
            user=f"users/{user_id}", scopes=sorted(scopes)
        )

    async def user_of_key(self, key_hash: bytes) -> tuple[int, frozenset[str]]:
        """Return user and scopes of the key with this SHA-256; Unauthenticated for none."""
        async with as_ledger(self.pools.ledger) as connection:
            row = await connection.fetchrow(SQL.user_of_key, key_hash)
        if row is None:
            raise Unauthenticated(
                "CREDENTIAL_INVALID",
                "This API key is unknown or revoked; `./studio keys create LABEL --user NAME` "
                "makes a new one.",
            )
        return row["user_id"], frozenset(row["scopes"])

    async def user_of(self, subject: str) -> int:
        """Return the user of *subject*, who is made where there is none."""
        arguments.text(subject, "subject", 255, least=1)
        if subject == _SYSTEM or not subject.isprintable():
            raise arguments.invalid("subject", "must be printable, and not 'system'")
        async with as_ledger(self.pools.ledger) as connection:
            found = await connection.fetchval(SQL.user_of_subject, subject)
            if found is None:
                await connection.execute(SQL.add_user, subject)
                found = await connection.fetchval(SQL.user_of_subject, subject)
        return int(found)


def _scopes(caller: Caller, wanted: Sequence[str]) -> list[str]:
    """Check the scopes of a new key: known ones, and none that its maker lacks."""
    if len(wanted) > 64:
        raise arguments.invalid("scopes", "must have 64 values at most")
    scopes = sorted(set(wanted)) or list(_USUAL)
    for scope in scopes:
        if scope not in ALL_SCOPES:
            known = ", ".join(sorted(ALL_SCOPES))
            raise arguments.invalid("scopes", f"must be of {known}")
        caller.require_scope(scope)
    return scopes


def _speaks_for_itself(caller: Caller) -> bool:
    """A service with a user in its token acts for that user, and may no more than he may."""
    return bool(caller.service) and not caller.user_id


def _check_service(caller: Caller, field: str) -> None:
    if not _speaks_for_itself(caller):
        raise Denied(
            "SERVICE_ONLY",
            f"Only a service that speaks for itself may set {field}; leave it out.",
            metadata={"method": f"{field} of an API key"},
        )
