"""The users of a campaign: each with a key, one of them with a cap."""

from collections.abc import Mapping

import grpc

from cli import keys
from cli.chaos import plan
from cli.settings import StackSettings
from imagestudio.catalog.v1.catalog_service_pb2 import UpdateSpendCapRequest
from imagestudio.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub

_SCOPES = ["generate", "read", "write", "caps"]
_PATIENCE = 20.0  # seconds


def make(settings: StackSettings, cap: int) -> dict[str, str]:
    """Return each user's key; *cap* is in micro-USD."""
    found = {name: str(keys.make(settings, "chaos", name, _SCOPES).secret) for name in plan.USERS}
    allow(settings, found, cap)
    return found


def allow(settings: StackSettings, found: Mapping[str, str], cap: int) -> None:
    """Have the capped one of the users whose keys were *found* spend *cap* micro-USD in all."""
    with grpc.insecure_channel(f"127.0.0.1:{settings.catalog}") as channel:
        CatalogServiceStub(channel).UpdateSpendCap(
            UpdateSpendCapRequest(cap_usd_micros=cap),
            metadata=(("authorization", f"Bearer {found[plan.CAPPED]}"),),
            timeout=_PATIENCE,
            wait_for_ready=True,
        )
