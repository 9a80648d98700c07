"""What the generator is told by its environment."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chassis.settings import (
    Secret,
    Serving,
    address,
    forbid_the_clear,
    port,
    positive,
    setting,
)
from services.generator.models import Model, files

# Orders under way where each has a connection until it is drawn, and its input images or the
# whole answer in memory: well below the connections that a generator has for a vendor.
_HELD = "50"


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is no whole number above 0")
    return int(text)


def _seconds(text: str) -> float:
    """Parse seconds, from 0 to a day."""
    value = float(text)
    if not 0 <= value <= 86_400:
        raise ValueError(f"{text!r} is not from 0 to 86400")
    return value


def _patience(text: str) -> float:
    """Parse seconds that somebody waits for an answer, above 0 to 50: the edge ends it at 60."""
    if (value := positive(text)) > 50:
        raise ValueError(f"{text!r} is above 50")
    return value


def _limit(text: str) -> int:
    """Parse a whole number; 0 is no limit."""
    return 0 if text == "0" else _whole(text)


def _token(text: str) -> Secret:
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("it has characters that no token has")
    return Secret(text)


def _base(text: str) -> str:
    """Parse where a provider is: a host, and perhaps a path that all its own begin with."""
    found = urlsplit(text)
    if found.scheme not in ("http", "https"):
        raise ValueError(f"{text!r} is no http or https URL")
    if not found.hostname or found.query or found.fragment or found.username:
        raise ValueError(f"{text!r} has more than a host, a port and a path")
    _ = found.port  # raises where it is none
    return text.rstrip("/")


def _entries(text: str) -> tuple[Model, ...]:
    """Read the entries of a folder beside ours; none where none is named."""
    return files.added(Path(text)) if text else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Serving):
    """
    The generator's settings.

    *lame*, *drain* and *settle* are seconds of its end, *lookup_lag* those until a provider's
    list must show what was bought, *order_seconds* those that an order may be under way
    whose answer holds the pictures (0, or more than that: as long as its provider's may),
    *answer_seconds* those in which it may come (0: all that it may take), *reconcile* those between
    two readings of the list for what is nobody's, *language_seconds* those that a whole answer of
    a language model may take. Without its token a provider is not there. *models* come before
    ours. *seat* is the file of this replica's place on this machine, held by one process after
    the other.
    """

    port: int = setting("GENERATOR_PORT", port, default="7003")
    nats_url: Secret = setting("NATS_URL", Secret, default="nats://127.0.0.1:7422")
    catalog_target: str = setting("CATALOG_TARGET", default="127.0.0.1:7001")
    storage_target: str = setting("STORAGE_TARGET", default="127.0.0.1:7002")
    default_model: str = setting(
        "DEFAULT_MODEL", default="sketch", help="Name a model of ListModels."
    )
    models: tuple[Model, ...] = setting("MODELS_DIR", _entries, default="")
    replicate_api_token: Secret = setting("REPLICATE_API_TOKEN", _token, default="")
    replicate_base_url: str = setting(
        "REPLICATE_BASE_URL", _base, default="https://api.replicate.com"
    )
    replicate_in_flight: int = setting("REPLICATE_MAX_IN_FLIGHT", _limit, default="0")
    replicate_per_minute: int = setting("REPLICATE_MAX_PER_MINUTE", _limit, default="600")
    recraft_api_token: Secret = setting("RECRAFT_API_TOKEN", _token, default="")
    recraft_base_url: str = setting(
        "RECRAFT_BASE_URL", _base, default="https://external.api.recraft.ai"
    )
    recraft_in_flight: int = setting("RECRAFT_MAX_IN_FLIGHT", _limit, default=_HELD)
    recraft_per_minute: int = setting("RECRAFT_MAX_PER_MINUTE", _limit, default="100")
    gemini_api_key: Secret = setting("GEMINI_API_KEY", _token, default="")
    gemini_base_url: str = setting(
        "GEMINI_BASE_URL", _base, default="https://generativelanguage.googleapis.com"
    )
    gemini_in_flight: int = setting("GEMINI_MAX_IN_FLIGHT", _limit, default=_HELD)
    gemini_per_minute: int = setting("GEMINI_MAX_PER_MINUTE", _limit, default="0")
    openai_api_key: Secret = setting("OPENAI_API_KEY", _token, default="")
    openai_base_url: str = setting("OPENAI_BASE_URL", _base, default="https://api.openai.com/v1")
    openai_in_flight: int = setting("OPENAI_MAX_IN_FLIGHT", _limit, default=_HELD)
    openai_per_minute: int = setting("OPENAI_MAX_PER_MINUTE", _limit, default="0")
    anthropic_api_key: Secret = setting("ANTHROPIC_API_KEY", _token, default="")
    anthropic_base_url: str = setting(
        "ANTHROPIC_BASE_URL", _base, default="https://api.anthropic.com"
    )
    language_model: str = setting("LANGUAGE_MODEL", default="")
    language_seconds: float = setting("LANGUAGE_SECONDS", _patience, default="45")
    lookup_lag: float = setting("LOOKUP_LAG", _seconds, default="120")
    order_seconds: float = setting("ORDER_SECONDS", _seconds, default="0")
    answer_seconds: float = setting("ANSWER_SECONDS", _seconds, default="0")
    reconcile: float = setting("RECONCILE_SECONDS", positive, default="300")
    lab_url: str = setting("LAB_URL", lambda text: text and address(text), default="")
    seat: Path | None = setting("SEAT", lambda text: Path(text) if text else None, default="")
    most_open: int = setting("MAX_PURCHASES", _whole, default="4096")
    lame: float = setting("LAME_SECONDS", positive, default="0.2")
    settle: float = setting("SETTLE_SECONDS", positive, default="3")
    drain: float = setting("DRAIN_SECONDS", positive, default="5")

    def __post_init__(self) -> None:
        Serving.__post_init__(self)  # super() does not find it in a class with slots
        forbid_the_clear("REPLICATE_BASE_URL", self.replicate_base_url, self.lab_url)
        forbid_the_clear("RECRAFT_BASE_URL", self.recraft_base_url, self.lab_url)
        forbid_the_clear("GEMINI_BASE_URL", self.gemini_base_url, self.lab_url)
        forbid_the_clear("OPENAI_BASE_URL", self.openai_base_url, self.lab_url)
        forbid_the_clear("ANTHROPIC_BASE_URL", self.anthropic_base_url, self.lab_url)
