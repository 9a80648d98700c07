"""
Whether a webhook is Replicate's, and of which prediction.

Their package checks the signature, with the time window that it leaves off. To load it takes a
third of a generator's start, so that it waits for the first webhook.
"""

import asyncio
import base64
import importlib.util
import json
from collections.abc import Mapping
from typing import Any

from services.generator import provider as seam
from services.generator.providers import predictions

_WINDOW = 300  # seconds in which a webhook must come


def can_be_checked() -> bool:
    """Whether their package is here: its models stand on pydantic.v1."""
    return importlib.util.find_spec("replicate") is not None


async def opened(headers: Mapping[str, str], body: bytes, secret: str) -> seam.Webhook:
    """Return what *body* tells; `Forged` where it was not signed with *secret* just now."""
    try:
        await asyncio.to_thread(importlib.import_module, "replicate.webhook")
        reference = predictions.reference(_verified(headers, body.decode(), secret))
        return seam.Webhook(webhook_id=headers["webhook-id"], reference=reference)
    except Exception as error:  # their check raises what it likes, and may name the secret
        raise seam.Forged(f"not signed as it should be: {type(error).__name__}") from None


def _verified(headers: Mapping[str, str], body: str, secret: str) -> dict[str, Any]:
    from replicate.webhook import Webhooks, WebhookSigningSecret

    if not base64.b64decode(secret.removeprefix("whsec_")):
        raise ValueError("an empty secret, with which anybody signs")
    known = WebhookSigningSecret(key=secret)
    Webhooks.validate(headers=dict(headers), body=body, secret=known, tolerance=_WINDOW)
    found = json.loads(body)
    return found if isinstance(found, dict) else {}
