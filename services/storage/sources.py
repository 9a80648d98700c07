"""
Which URLs storage may fetch from, and what can become of one.

A URL is read strictly: what is not plainly https, a host of its vendor's list and port 443
is forbidden. LAB_URL, which is on loopback, is allowed besides, and nothing else is relaxed.
A data: URL is asked of nobody: it is the picture.
"""

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes, urljoin

HOSTS = {
    "replicate": ("replicate.delivery",),  # and all below it; likewise any other vendor's
    "recraft": ("img.recraft.ai",),  # where its pictures' public links lead; no page of it says so
}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL}){{0,9}}|\[[0-9a-f:]{{2,39}}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>[/?][!-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_DATA = re.compile(
    r"data:image/[a-z0-9.+-]{1,60}(?:;[a-z0-9=.+-]{1,60}){0,9};base64,", re.IGNORECASE
)
_ODD = frozenset('\\^`{|}<>"')  # no URL has them unescaped, and parsers disagree about them
_LONGEST = 8192  # characters


class Trouble(Exception):
    """
    Why there is no picture. *passing*: an answer or our list said so, and the next may say
    otherwise; how the URL itself is written, or "gone", never changes.
    """

    def __init__(self, why: str, *, passing: bool) -> None:
        super().__init__(why)
        self.passing = passing


class Gone(Trouble):
    """The source says that it is not there, or not for us; *date* is its time, where it tells."""

    def __init__(self, status: int, *, passing: bool = False, date: datetime | None = None) -> None:
        super().__init__(f"the source is not there (HTTP {status})", passing=passing)
        self.status, self.date = status, date


class Forbidden(Trouble):
    """One of our rules forbids it."""

    def __init__(self, rule: str, why: str, *, passing: bool = False) -> None:
        super().__init__(why, passing=passing)
        self.rule = rule


class Failed(Trouble):
    """It did not work this time; *retry_after* is in seconds."""

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why, passing=True)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Link:
    """A picture on a vendor's side; without *expires* nobody knows how long."""

    url: str
    provider: str
    expires: datetime | None

    @property
    def host(self) -> str:
        """Its host; empty where it is not plain, since it may hold a secret then."""
        match = _URL.fullmatch(self.url)
        return match["host"].lower() if match else ""


@dataclass(frozen=True, slots=True)
class Given:
    """A picture that its URL itself is (data:)."""

    content: bytes

    async def pictured(self) -> AsyncIterator[bytes]:
        """Yield it."""
        yield self.content


def given(url: str) -> Given | None:
    """The picture that *url* itself is; None where it is none, and is to be judged as any URL."""
    match = _DATA.match(url)
    if match is None:
        return None
    try:
        return Given(base64.b64decode(unquote_to_bytes(url[match.end() :]), validate=True))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask for what; *lab* where it is the lab and no vendor."""

    scheme: str
    host: str
    port: int
    path: str
    lab: bool = False

    @property
    def authority(self) -> str:
        """The Host header."""
        usual = {"https": 443, "http": 80}[self.scheme]
        return self.host if self.port == usual else f"{self.host}:{self.port}"


class Policy:
    """
    The allow-lists, and the lab's origin where there is one.

    *any_host*: for what a user names, which may be anywhere that is public, and is https still.
    """

    def __init__(self, lab_url: str = "", *, any_host: bool = False) -> None:
        self.any_host = any_host
        lab = _read(lab_url) if lab_url else None
        self._lab = (lab.scheme, lab.host, lab.port) if lab else None

    def target(self, url: str, provider: str) -> Target:
        """Judge a source; raises Forbidden."""
        found = _read(url)
        if self._is_lab(found):
            return Target(found.scheme, found.host, found.port, found.path, lab=True)
        if found.scheme != "https":
            why = f"{found.host} is not to be asked over {found.scheme}: use https"
            raise Forbidden("scheme", why)
        if found.port != 443:
            raise Forbidden("port", f"{found.host} is not to be asked on port {found.port}")
        names = HOSTS.get(provider, ())
        named = any(found.host == name or found.host.endswith(f".{name}") for name in names)
        if not (named or self.any_host):
            why = f"{found.host} is no host of {provider or 'a known vendor'}"
            raise Forbidden("host", why, passing=True)  # the next release may know it
        return found

    def redirected(self, by: Target, location: str, provider: str) -> Target:
        """Judge where *by* sends us; only the lab may send to the lab."""
        asked = f"{by.scheme}://{by.authority}{by.path}"
        try:
            found = self.target(urljoin(asked, location), provider)
        except (Forbidden, ValueError) as error:
            why = f"{by.host} redirects to where it must not: {error}"
            raise Forbidden("redirect", why, passing=True) from None
        if found.lab and not by.lab:
            raise Forbidden("redirect", f"{by.host} redirects to the lab", passing=True)
        return found

    def _is_lab(self, found: Target) -> bool:
        return self._lab is not None and self._lab == (found.scheme, found.host, found.port)


def _read(url: str) -> Target:
    """Read *url*, of which an error never repeats more than the host: it may hold a secret."""
    whole = url.partition("#")[0]
    match = _URL.fullmatch(whole)
    if match is None or len(url) > _LONGEST or not _ODD.isdisjoint(whole):
        raise Forbidden("url", "the source is no plain https URL of a named host")
    scheme, path = match["scheme"].lower(), match["path"] or "/"
    port = int(match["port"] or {"https": 443, "http": 80}[scheme])
    return Target(scheme, match["host"].lower(), port, path if path[0] == "/" else f"/{path}")
