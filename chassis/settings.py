"""
Settings: a frozen dataclass read once from the environment.

A start that cannot work lists everything that is wrong with it at once, and ends with
exit status 78 (EX_CONFIG).
"""

import dataclasses
import ipaddress
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

EX_CONFIG = 78
_REMEDY = "Set AUTH=keys, or a PUBLIC_URL on 127.0.0.1."

Settings = TypeVar("Settings")


class SettingsError(Exception):
    """Some settings are missing or malformed; *problems* has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Secret(str):
    """Text that never prints."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    __str__ = __repr__

    def reveal(self) -> str:
        """Return the text itself."""
        return str.__str__(self)


def setting(
    name: str,
    parse: Callable[[str], Any] = str,
    *,
    default: str | None = None,
    help: str = "",  # noqa: A002
) -> Any:
    """
    Declare a field read from the variable *name* by *parse*, which raises ValueError.

    Without *default* it is required. *help* says what to put there.
    """
    return dataclasses.field(
        metadata={"name": name, "parse": parse, "default": default, "help": help}
    )


def read(kind: type[Settings], environment: Mapping[str, str]) -> Settings:
    """Make a *kind* from *environment*; raise SettingsError with all that is wrong."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        name, help_ = field.metadata["name"], field.metadata["help"]
        raw = environment.get(name) or field.metadata["default"]
        if raw is None:
            problems.append(f"{name} is not set. {help_}".rstrip())
            continue
        try:
            found[field.name] = field.metadata["parse"](raw)
        except ValueError as error:
            problems.append(f"{name} is malformed: {error}. {help_}".rstrip())
    if problems:
        raise SettingsError(problems)
    return kind(**found)


def give_up(error: SettingsError) -> NoReturn:
    """Print what is wrong and end the process as EX_CONFIG."""
    for problem in error.problems:
        print(f"settings: {problem}", file=sys.stderr)
    raise SystemExit(EX_CONFIG)


def port(text: str) -> int:
    """Parse a port: 1 to 32767, since above begins the range of outgoing connections."""
    if not text.isdecimal() or not 1 <= int(text) <= 32767:
        raise ValueError(f"{text!r} is no port from 1 to 32767")
    return int(text)


def positive(text: str) -> float:
    """Parse a number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is not above 0")
    return value


def secret(text: str) -> Secret:
    """Parse a secret of at least 16 characters."""
    if len(text) < 16:
        raise ValueError("a secret needs at least 16 characters")
    return Secret(text)


def one_of(*words: str) -> Callable[[str], str]:
    """Parse one of *words*."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is none of {', '.join(words)}")
        return text

    return parse


def address(text: str) -> str:
    """Parse the URL under which people reach us: http or https, a host, no path."""
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise ValueError(f"{text!r} is no http or https URL")
    if found.path.strip("/") or found.query or found.fragment or found.username:
        raise ValueError(f"{text!r} has more than a host and a port")
    _ = found.port  # raises where it is none
    return text.rstrip("/")


def host_of(url: str) -> str:
    """Return the host of *url*, without its port."""
    return urlsplit(url).hostname or ""


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def forbid_strangers(auth: str, public_url: str) -> None:
    """Raise SettingsError where everybody may come in and others can reach us."""
    host = host_of(public_url)
    if auth == "none" and not is_loopback(host):
        raise SettingsError([f"AUTH is none, and others can reach {host} (PUBLIC_URL). {_REMEDY}"])


def forbid_the_clear(name: str, base: str, lab: str) -> None:
    """Raise SettingsError where a secret would go unencrypted to *base*, which *name* says.

    It may so go to this machine, and to the lab, which knows no real secret.
    """
    to_the_lab = bool(lab) and base.startswith(f"{lab}/")
    if base.startswith("http:") and not (to_the_lab or is_loopback(host_of(base))):
        why = "a secret goes in the clear to this machine and to the lab (LAB_URL) alone"
        raise SettingsError([f"{name} is {base!r}: {why}. Use https."])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What every process that serves is told: where it listens, its secret, who may come in."""

    host: str = setting("HOST", default="127.0.0.1")
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
        help="Give every service the same random text of at least 16 characters.",
    )

    def __post_init__(self) -> None:
        forbid_strangers(self.auth, self.public_url)
