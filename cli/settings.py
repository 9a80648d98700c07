"""
What a stack is told: the environment, then `.env` in the checkout, then the defaults.

All problems are listed at once. Names that `.env` has and nobody knows are an error, since a
misspelt setting that is silently ignored costs an afternoon.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from chassis import settings as chassis_settings
from chassis.settings import Secret, SettingsError, host_of, is_loopback, setting

CHECKOUT = Path(__file__).resolve().parent.parent

COMPOSE = ("POSTGRES_PASSWORD", "NATS_PASSWORD")  # docker-compose.yml reads the same `.env`
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_PORTS = ("edge", "gateway", "catalog", "storage", "generator", "postgres", "nats", "lab")


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text and urlsplit(text).scheme not in schemes:
            raise ValueError(f"it must begin with {' or '.join(f'{s}://' for s in schemes)}")
        return text

    return parse


def _shown_url(*schemes: str) -> Callable[[str], str]:
    """A URL that `doctor` may show."""

    def parse(text: str) -> str:
        found = urlsplit(_url(*schemes)(text))
        if found.username or found.password:
            raise ValueError("it has a user or a password, and is shown to whoever looks")
        _ = found.port  # raises where it is none
        return text

    return parse


def _secret_url(*schemes: str) -> Callable[[str], Secret]:
    check = _url(*schemes)
    return lambda text: Secret(check(text))


def _optional_secret(text: str) -> Secret:
    return chassis_settings.secret(text) if text else Secret("")


def _money(text: str) -> str:
    if text not in ("", "none") and not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text):
        raise ValueError(f"{text!r} is no amount in US dollars such as 25 or 12.50, nor none")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _number(text: str) -> str:
    if text and not 0 <= float(text) < float("inf"):
        raise ValueError(f"{text!r} is no number of seconds")
    return text


def _positive(text: str) -> str:
    if text:
        chassis_settings.positive(text)
    return text


def _patience(text: str) -> str:
    """Parse seconds that somebody waits for an answer, at most 50: the edge ends it at 60."""
    if text and chassis_settings.positive(text) > 50:
        raise ValueError(f"{text!r} is above 50")
    return text


def _entries(text: str) -> str:
    """Parse a folder, empty for none; named in full, whoever reads it elsewhere."""
    if text and not Path(text).is_dir():
        raise ValueError(f"there is no folder {text}")
    return text and str(Path(text).resolve())


def _limit(text: str) -> str:
    if text and not text.isdecimal():
        raise ValueError(f"{text!r} is no whole number; 0 is no limit")
    return text


def _base(text: str) -> str:
    """Parse a vendor's address, which may have a path, and nothing that is secret."""
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("it must begin with http:// or https:// and a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("it takes a host and a path alone")
    return text.rstrip("/")


def _cloudinary(text: str) -> Secret:
    if text and not re.fullmatch(r"cloudinary://[^:@/?#\s]+:[^:@/?#\s]+@[A-Za-z0-9_-]+/?", text):
        raise ValueError("it is written as cloudinary://KEY:SECRET@CLOUD")
    return Secret(text)


_FREE = "Choose a free port."


def _key(text: str) -> Secret:
    """Parse an API key, and do not repeat it where it is none."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key is printable ASCII without spaces")
    return Secret(text)


@dataclass(frozen=True, slots=True)
class StackSettings:
    """All that a stack on one machine can be told; empty text means: as embedded."""

    data: Path = setting("STUDIO_DATA", _folder, default=str(CHECKOUT / "data"))
    edge: int = setting("EDGE_PORT", chassis_settings.port, default="8080", help=_FREE)
    gateway: int = setting("GATEWAY_PORT", chassis_settings.port, default="7080", help=_FREE)
    catalog: int = setting("CATALOG_PORT", chassis_settings.port, default="7001", help=_FREE)
    storage: int = setting("STORAGE_PORT", chassis_settings.port, default="7002", help=_FREE)
    generator: int = setting("GENERATOR_PORT", chassis_settings.port, default="7003", help=_FREE)
    postgres: int = setting("POSTGRES_PORT", chassis_settings.port, default="7432", help=_FREE)
    nats: int = setting("NATS_PORT", chassis_settings.port, default="7422", help=_FREE)
    lab: int = setting("LAB_PORT", chassis_settings.port, default="7900", help=_FREE)
    envoy: str = setting("EMBED_ENVOY", chassis_settings.one_of("on", "off"), default="on")
    public_url: str = setting("PUBLIC_URL", _url("http", "https"), default="")
    database_url: Secret = setting(
        "DATABASE_URL", _secret_url("postgresql", "postgres"), default="",
        help="Leave it out for the embedded PostgreSQL.",
    )  # fmt: skip
    nats_url: Secret = setting(
        "NATS_URL", _secret_url("nats", "tls"), default="", help="Leave it out for the embedded."
    )
    vault_url: str = setting("VAULT_URL", _url("file"), default="")
    auth: str = setting("AUTH", chassis_settings.one_of("none", "keys"), default="none")
    service_secret: Secret = setting("SERVICE_SECRET", _optional_secret, default="")
    link_key: Secret = setting("LINK_KEY", _optional_secret, default="")
    api_key: Secret = setting("STUDIO_API_KEY", _key, default="")
    spend_cap: str = setting("SPEND_CAP_USD", _money, default="")
    disk_reserve: int = setting("DISK_RESERVE_MB", _whole, default="256")
    default_model: str = setting("DEFAULT_MODEL", default="")
    models: str = setting("MODELS_DIR", _entries, default="")
    lookup_lag: str = setting("LOOKUP_LAG", _number, default="")
    order_seconds: str = setting("ORDER_SECONDS", _number, default="")
    answer_seconds: str = setting("ANSWER_SECONDS", _number, default="")
    reconcile: str = setting("RECONCILE_SECONDS", _positive, default="")
    publish_wait: str = setting("PUBLISH_WAIT", _number, default="")
    replicate_token: Secret = setting("REPLICATE_API_TOKEN", _key, default="")
    replicate_base: str = setting("REPLICATE_BASE_URL", _base, default="")
    replicate_in_flight: str = setting("REPLICATE_MAX_IN_FLIGHT", _limit, default="")
    replicate_per_minute: str = setting("REPLICATE_MAX_PER_MINUTE", _limit, default="")
    recraft_token: Secret = setting("RECRAFT_API_TOKEN", _key, default="")
    recraft_base: str = setting("RECRAFT_BASE_URL", _base, default="")
    recraft_in_flight: str = setting("RECRAFT_MAX_IN_FLIGHT", _limit, default="")
    recraft_per_minute: str = setting("RECRAFT_MAX_PER_MINUTE", _limit, default="")
    gemini_key: Secret = setting("GEMINI_API_KEY", _key, default="")
    gemini_base: str = setting("GEMINI_BASE_URL", _base, default="")
    gemini_in_flight: str = setting("GEMINI_MAX_IN_FLIGHT", _limit, default="")
    gemini_per_minute: str = setting("GEMINI_MAX_PER_MINUTE", _limit, default="")
    openai_key: Secret = setting("OPENAI_API_KEY", _key, default="")
    openai_base: str = setting("OPENAI_BASE_URL", _base, default="")
    openai_in_flight: str = setting("OPENAI_MAX_IN_FLIGHT", _limit, default="")
    openai_per_minute: str = setting("OPENAI_MAX_PER_MINUTE", _limit, default="")
    anthropic_key: Secret = setting("ANTHROPIC_API_KEY", _key, default="")
    anthropic_base: str = setting("ANTHROPIC_BASE_URL", _base, default="")
    language_model: str = setting("LANGUAGE_MODEL", default="")
    language_seconds: str = setting("LANGUAGE_SECONDS", _patience, default="")
    cloudinary_url: Secret = setting("CLOUDINARY_URL", _cloudinary, default="")
    cloudinary_base: str = setting("CLOUDINARY_BASE_URL", _base, default="")
    otlp: str = setting("OTEL_EXPORTER_OTLP_ENDPOINT", _shown_url("http", "https"), default="")
    log_level: str = setting(
        "LOG_LEVEL",
        lambda text: chassis_settings.one_of("debug", "info", "warning", "error")(text.lower()),
        default="info",
    )

    @property
    def address(self) -> str:
        """Where this machine reaches the stack."""
        return f"http://127.0.0.1:{self.edge}"

    @property
    def public(self) -> str:
        """What links begin with, without a slash at the end."""
        return (self.public_url or self.address).rstrip("/")


NAMES = tuple(field.metadata["name"] for field in fields(StackSettings))
SECRETS = (
    "DATABASE_URL", "NATS_URL", "SERVICE_SECRET", "LINK_KEY", "STUDIO_API_KEY",
    "REPLICATE_API_TOKEN", "RECRAFT_API_TOKEN", "GEMINI_API_KEY", "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY", "CLOUDINARY_URL", *COMPOSE,
)  # fmt: skip


def load(
    environment: Mapping[str, str] | None = None, env_file: Path | None = None
) -> StackSettings:
    """Read all settings; raise SettingsError with a line for each problem."""
    merged, problems = _merged(environment, env_file)
    try:
        found = chassis_settings.read(StackSettings, merged)
    except SettingsError as error:
        raise SettingsError(problems + error.problems) from None
    problems += _disagreements(found)
    if problems:
        raise SettingsError(problems)
    return found


def _merged(
    environment: Mapping[str, str] | None, env_file: Path | None
) -> tuple[dict[str, str], list[str]]:
    environment = os.environ if environment is None else environment
    written, problems = read_env_file(env_file or CHECKOUT / ".env")
    return written | {name: text for name, text in environment.items() if text}, problems


def read_env_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return what the file sets and what is wrong with it; values are never repeated."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError) as error:
        return {}, [f"{path} cannot be read: {error}"]
    found: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match:
            problems.append(f"{path.name}, line {number}: write NAME=value")
        elif match[1] not in NAMES + COMPOSE:
            problems.append(f"{path.name}, line {number}: {_unknown(match[1])}")
        else:
            found[match[1]] = _unquoted(match[2])
    return found, problems


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name.upper(), NAMES, 1)
    hint = f"did you mean {close[0]}?" if close else "remove it, or see docs/deploy.md"
    return f"{name} is no setting; {hint}"


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return re.sub(r"\s+#.*$", "", text)


def _disagreements(found: StackSettings) -> list[str]:
    problems = []
    seen: dict[int, str] = {}
    for name in _PORTS:
        port, other = getattr(found, name), seen.get(getattr(found, name))
        if other:
            problems.append(f"{name.upper()}_PORT and {other} are both {port}; change one")
        seen[port] = f"{name.upper()}_PORT"
        if name in ("catalog", "storage", "generator"):
            seen.setdefault(port + 100, f"{name.upper()}_PORT's metrics")
    if found.auth == "none" and not is_loopback(host_of(found.public)):
        problems.append(
            f"AUTH=none would open everything to everyone who reaches {found.public}; "
            "set AUTH=keys, or let PUBLIC_URL name this machine's loopback"
        )
    return problems
