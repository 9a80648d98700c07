"""What the lab is told by its environment."""

import ipaddress
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

_EX_CONFIG = 78
_IN_A_CONTAINER = "LAB_IN_A_CONTAINER"


class SettingsError(Exception):
    """The lab cannot start; *problems* has a line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Where the lab listens, under which *url* it is reached, and which hosts may get webhooks.

    *pace* is how long drawings take: seconds, None for each model's usual time.
    """

    host: str
    port: int
    url: str
    pace: float | None
    webhook_hosts: frozenset[str]


def read(environment: Mapping[str, str]) -> Settings:
    """Make settings of *environment*; raise SettingsError with all that is wrong."""
    problems: list[str] = []
    host = environment.get("HOST") or "127.0.0.1"
    contained = environment.get(_IN_A_CONTAINER) or "no"
    if contained not in ("yes", "no"):
        problems.append(f"{_IN_A_CONTAINER} is {contained!r}: say yes or no.")
    if not is_loopback(host) and contained != "yes":
        problems.append(
            f"HOST is {host}, and others could reach the lab. Leave it at 127.0.0.1, or set "
            f"{_IN_A_CONTAINER}=yes where only a closed network reaches it."
        )
    port = environment.get("LAB_PORT") or "7900"
    if not port.isdecimal() or not 1 <= int(port) <= 32767:
        problems.append(f"LAB_PORT is malformed: {port!r} is no port from 1 to 32767.")
    url = environment.get("LAB_URL") or f"http://{_bracketed(host)}:{port}"
    if not url.startswith(("http://", "https://")):
        problems.append(f"LAB_URL is malformed: {url!r} is no http or https URL.")
    pace = environment.get("LAB_PACE") or None
    if pace is not None and not pace.replace(".", "", 1).isdecimal():
        problems.append(f"LAB_PACE is malformed: {pace!r} is no number of seconds.")
    if problems:
        raise SettingsError(problems)
    hosts = (environment.get("LAB_WEBHOOK_HOSTS") or "").split(",")
    return Settings(
        host=host,
        port=int(port),
        url=url.rstrip("/"),
        pace=None if pace is None else float(pace),
        webhook_hosts=frozenset(name.strip().lower() for name in hosts if name.strip()),
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def give_up(error: SettingsError) -> NoReturn:
    """Print what is wrong and end the process as EX_CONFIG."""
    for problem in error.problems:
        print(f"settings: {problem}", file=sys.stderr)
    raise SystemExit(_EX_CONFIG)
