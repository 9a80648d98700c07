"""What the gateway reads from the environment."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.settings import Secret, SettingsError, one_of, port, secret, setting


def address(text: str) -> str:
    """Parse the URL under which people reach us: http or https, a host, no path."""
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise ValueError(f"{text!r} is no http or https URL")
    if found.path.strip("/") or found.query or found.fragment or found.username:
        raise ValueError(f"{text!r} has more than a host and a port")
    _ = found.port  # raises where it is none
    return text.rstrip("/")


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
    service_secret: Secret = setting(  # noqa: RUF009
        "SERVICE_SECRET",
        secret,
        help="Set it to one random text of 16 or more characters, the same for every service.",
    )
    catalog_target: str = setting("CATALOG_TARGET", default="127.0.0.1:7001")
    storage_target: str = setting("STORAGE_TARGET", default="127.0.0.1:7002")
    generator_target: str = setting("GENERATOR_TARGET", default="127.0.0.1:7003")

    def __post_init__(self) -> None:
        if self.auth == "none" and not is_loopback(self.public_host):
            problem = f"AUTH is none, and others can reach {self.public_host} (PUBLIC_URL)."
            raise SettingsError([f"{problem} Set AUTH=keys, or a PUBLIC_URL on 127.0.0.1."])

    @property
    def public_host(self) -> str:
        """Host of PUBLIC_URL, without its port."""
        return urlsplit(self.public_url).hostname or ""


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
