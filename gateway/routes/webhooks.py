"""What providers tell by themselves: passed on as it came, for the generator to verify."""

import asyncio
import uuid

from fastapi import APIRouter, Request
from starlette.responses import Response

from chassis.errors import Late
from gateway.access import Behind
from gateway.describe import problems
from imagestudio.generator.v1.generator_service_pb2 import ReceiveWebhookRequest

router = APIRouter(tags=["webhooks"])

_SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


@router.post(
    "/webhooks/{provider}", status_code=204, response_class=Response, responses=problems(404, 413)
)
async def receive(request: Request, behind: Behind, provider: str) -> Response:
    """
    Take a webhook, signed by the provider over the raw body.

    It needs no key. 401: forged, or too old. 404: no such provider is set up.
    """
    asked = ReceiveWebhookRequest(
        provider=provider,
        headers={name: request.headers[name] for name in _SIGNED if name in request.headers},
        body=await request.body(),
        purchase_id=_uuid(request.query_params.get("purchase_id", "")),
    )
    try:
        async with asyncio.timeout(behind.webhook_patience):
            await behind.generator.ask("ReceiveWebhook", asked, user_id=0)
    except TimeoutError:
        raise Late(
            "SERVICE_UNAVAILABLE", "It was not stored in time; send it again.", retry_after=1.0
        ) from None
    return Response(status_code=204)


def _uuid(found: str) -> str:
    """Take the id of a purchase; what is none is not passed on."""
    try:
        return str(uuid.UUID(found))
    except ValueError:
        return ""
