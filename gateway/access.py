"""
Who is asking.

The first process that a call reaches turns the credential into a user: that is us.
"""

from typing import Annotated

from fastapi import Depends, Request

from chassis import identity
from chassis.errors import Unauthenticated
from gateway.services import Service, Services
from imagestudio.catalog.v1.ledger_service_pb2 import ResolveCredentialRequest


def resolver(ledger: Service, auth: str) -> identity.Resolve:
    """Make what turns a credential into a caller: a key's owner, or the one local user."""

    async def resolve(credential: str | None) -> identity.Caller:
        if auth == "none":
            request = ResolveCredentialRequest(subject="local")
        elif credential is None:
            raise Unauthenticated(
                "CREDENTIAL_MISSING",
                "Send a key as 'Authorization: Bearer isk_…'; "
                "`./studio keys create LABEL --user NAME` makes one.",
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
