"""What storage is told by its environment."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.settings import (
    Secret,
    Serving,
    address,
    forbid_the_clear,
    port,
    positive,
    secret,
    setting,
)
from services.storage.cdn import Account


def _megabytes(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise ValueError(f"{text!r} is no whole number of megabytes of 12 digits at most")
    return int(text) * 1024 * 1024


def _account(text: str) -> Account | None:
    """Parse cloudinary://key:secret@cloud, and repeat nothing of what is none."""
    if not text:
        return None
    match = re.fullmatch(r"cloudinary://([^:@/?#\s]+):([^:@/?#\s]+)@([A-Za-z0-9_-]+)/?", text)
    if match is None:
        raise ValueError("it is not of the form cloudinary://KEY:SECRET@CLOUD")
    return Account(key=match[1], secret=Secret(match[2]), cloud=match[3])


def _base(text: str) -> str:
    """Parse where an API is; a path is fine."""
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise ValueError("it is no http or https URL")
    if found.query or found.fragment or found.username or found.password:
        raise ValueError("it has more than host, port and path")
    _ = found.port  # raises where it is none
    return text.rstrip("/")


def _file(text: str) -> str:
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} does not begin with /")
    return text


def _lab(text: str) -> str:
    if text and not (text.startswith("http://") and urlsplit(address(text)).path in ("", "/")):
        raise ValueError(f"{text!r} is no http URL without a path")
    return text.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Serving):
    """Storage's settings; *disk_reserve* is in bytes. Without *cloudinary* there is no CDN."""

    port: int = setting("STORAGE_PORT", port, default="7002")
    vault_url: str = setting("VAULT_URL", help="Say where to keep the files: file:///a/folder.")
    vault_id_file: str = setting(
        "VAULT_ID_FILE",
        _file,
        default="",
        help="Say which file, outside the vault and not on its disk, remembers which vault it is.",
    )
    catalog_target: str = setting("CATALOG_TARGET", default="127.0.0.1:7001")
    link_key: Secret = setting(
        "LINK_KEY", secret, help="Give a random text once, and keep it: links are made with it."
    )
    disk_reserve: int = setting("DISK_RESERVE_MB", _megabytes, default="256")
    cloudinary: Account | None = setting(
        "CLOUDINARY_URL", _account, default="", help="Copy it from Cloudinary's console."
    )
    cloudinary_base: str = setting(
        "CLOUDINARY_BASE_URL", _base, default="https://api.cloudinary.com"
    )
    lab_url: str = setting(
        "LAB_URL", _lab, default="", help="Say where the lab is: http://127.0.0.1:7900, or nothing."
    )
    lame: float = setting("LAME_SECONDS", positive, default="0.2")
    drain: float = setting("DRAIN_SECONDS", positive, default="8")

    def __post_init__(self) -> None:
        Serving.__post_init__(self)  # super() does not find it in a class with slots
        forbid_the_clear("CLOUDINARY_BASE_URL", self.cloudinary_base, self.lab_url)
