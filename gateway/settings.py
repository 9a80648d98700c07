"""What the gateway reads from the environment."""

from dataclasses import dataclass

from chassis.settings import (
    Secret,
    address,
    forbid_strangers,
    one_of,
    port,
    secret,
    setting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to listen, whom to call, and who may come in."""

    host: str = setting("HOST", default="127.0.0.1")
    port: int = setting("GATEWAY_PORT", port, default="7080")
    public_url: str = setting(
        "PUBLIC_URL",
        address,
        default="http://127.0.0.1:8080",
        help="Set it to the URL that browsers use, such as http://127.0.0.1:8080.",
    )
    auth: str = setting("AUTH", one_of("none", "keys"), default="none")
    service_secret: Secret = setting(
        "SERVICE_SECRET",
        secret,
        help="Set it to one random text of 16 or more characters, the same for every service.",
    )
    catalog_target: str = setting("CATALOG_TARGET", default="127.0.0.1:7001")
    storage_target: str = setting("STORAGE_TARGET", default="127.0.0.1:7002")
    generator_target: str = setting("GENERATOR_TARGET", default="127.0.0.1:7003")

    def __post_init__(self) -> None:
        forbid_strangers(self.auth, self.public_url)
