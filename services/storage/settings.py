"""What storage is told by its environment."""

from dataclasses import dataclass

from chassis.settings import (
    Secret,
    address,
    forbid_strangers,
    one_of,
    port,
    positive,
    secret,
    setting,
)

_SAME = "Give every service the same random text of at least 16 characters."


def _megabytes(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise ValueError(f"{text!r} is no whole number of megabytes of 12 digits at most")
    return int(text) * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Storage's settings; *disk_reserve* is in bytes."""

    host: str = setting("HOST", default="127.0.0.1")
    port: int = setting("STORAGE_PORT", port, default="7002")
    vault_url: str = setting("VAULT_URL", help="Say where to keep the files: file:///a/folder.")
    catalog_target: str = setting("CATALOG_TARGET", default="127.0.0.1:7001")
    service_secret: Secret = setting("SERVICE_SECRET", secret, help=_SAME)
    link_key: Secret = setting(
        "LINK_KEY", secret, help="Give a random text once, and keep it: links are made with it."
    )
    public_url: str = setting("PUBLIC_URL", address, default="http://127.0.0.1:8080")
    auth: str = setting("AUTH", one_of("none", "keys"), default="none")
    disk_reserve: int = setting("DISK_RESERVE_MB", _megabytes, default="256")
    lame: float = setting("LAME_SECONDS", positive, default="0.2")
    drain: float = setting("DRAIN_SECONDS", positive, default="8")

    def __post_init__(self) -> None:
        forbid_strangers(self.auth, self.public_url)
