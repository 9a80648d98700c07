"""What the catalog is told by its environment."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from chassis.settings import (
    Secret,
    Serving,
    port,
    positive,
    secret,
    setting,
)


def _dollars(text: str) -> int | None:
    """Parse an amount in US dollars into micro-USD; "none" is no cap."""
    if text == "none":
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount in dollars, nor 'none'") from None
    if not 0 <= amount < 10**9:
        raise ValueError(f"{text!r} is not from 0 to a billion")
    return int(amount * 1_000_000)


def _seconds(text: str) -> float:
    """Parse a number of seconds, 0 or more."""
    found = float(text)
    if not 0 <= found < 86_400:
        raise ValueError(f"{text!r} is no number of seconds from 0 to a day")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Serving):
    """The catalog's settings; *publish_wait* in seconds, 0: nobody waits for the CDN."""

    port: int = setting("CATALOG_PORT", port, default="7001")
    database_url: Secret = setting(
        "DATABASE_URL", secret, help="Give the URL of a PostgreSQL: postgresql://user:…@host/name."
    )
    nats_url: Secret = setting("NATS_URL", Secret, default="nats://127.0.0.1:7422")
    spend_cap: int | None = setting("SPEND_CAP_USD", _dollars, default="none")
    publish_wait: float = setting("PUBLISH_WAIT", _seconds, default="10")
    patience: float = setting("WORKER_PATIENCE", positive, default="3")
    lame: float = setting("LAME_SECONDS", positive, default="0.2")
    drain: float = setting("DRAIN_SECONDS", positive, default="8")
