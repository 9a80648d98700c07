"""What an edge asks before it changes anything, and how it says no."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Fault, Invalid, Precondition, Stale
from services.catalog.rows import Output, Purchase


def share(cost: int, parts: int, index: int) -> int:
    """Split *cost* so that the parts sum to it exactly."""
    return cost // parts + (index < cost % parts)


def output_of(purchase: Purchase, index: int) -> Output:
    if not 0 <= index < len(purchase.outputs):
        raise conflict(purchase, f"it has no output {index}")
    return purchase.outputs[index]


def require(purchase: Purchase, state: str) -> None:
    if purchase.state != state:
        raise conflict(purchase, f"it is not {state}")


def require_work(purchase: Purchase) -> None:
    if not purchase.has_work:
        raise conflict(purchase, "it has ended")


def require_link_in(url: str, link: str, field: str) -> None:
    """Take only a URL that has the file's own *link* in it, which no vendor's ever has."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.hostname and link in parts.path:
        return
    raise Invalid(
        "REQUEST_INVALID",
        f"{field} is no URL of the file's own.",
        metadata={"field": field},
        fields={field: "give the CDN's URL, with the file's link in its path"},
    )


def conflict(purchase: Purchase, why: str) -> Fault:
    return Precondition(
        "STATE_CONFLICT",
        f"Purchase {purchase.purchase_id} is {purchase.state}: {why}.",
        metadata={"purchase_id": purchase.purchase_id, "state": purchase.state},
    )


def stale(purchase: Purchase) -> Fault:
    return Stale(
        "FENCE_STALE",
        f"Purchase {purchase.purchase_id} has another owner; stop working on it.",
        metadata={
            "purchase_id": purchase.purchase_id,
            "fence": str(purchase.fence),
            "provider": purchase.provider,
        },
    )


def moment(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
