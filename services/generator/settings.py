"""What the generator is told by its environment."""

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


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is no whole number above 0")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The generator's settings; *lame*, *drain* and *settle* are seconds of its end."""

    host: str = setting("HOST", default="127.0.0.1")
    port: int = setting("GENERATOR_PORT", port, default="7003")
    nats_url: Secret = setting("NATS_URL", Secret, default="nats://127.0.0.1:7422")
    catalog_target: str = setting("CATALOG_TARGET", default="127.0.0.1:7001")
    storage_target: str = setting("STORAGE_TARGET", default="127.0.0.1:7002")
    service_secret: Secret = setting("SERVICE_SECRET", secret, help=_SAME)
    public_url: str = setting("PUBLIC_URL", address, default="http://127.0.0.1:8080")
    auth: str = setting("AUTH", one_of("none", "keys"), default="none")
    default_model: str = setting(
        "DEFAULT_MODEL", default="sketch", help="Name a model of ListModels."
    )
    most_open: int = setting("MAX_PURCHASES", _whole, default="4096")
    lame: float = setting("LAME_SECONDS", positive, default="0.2")
    settle: float = setting("SETTLE_SECONDS", positive, default="4")
    drain: float = setting("DRAIN_SECONDS", positive, default="5")

    def __post_init__(self) -> None:
        forbid_strangers(self.auth, self.public_url)
