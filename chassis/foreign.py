"""
What a foreign page may make a browser do: one rule, for REST and for gRPC-Web.

Without keys, whoever can make the user's browser call us is that user.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.errors import Denied, Invalid
from chassis.settings import host_of, is_loopback

HOST = "x-forwarded-host"  # a call's :authority, which Envoy writes there: metadata has none
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class Guard:
    """
    Refuses what a foreign page makes a browser send; both verbs raise Denied.

    A page of another site cannot read our answers, but could send; one on another port of this
    machine could read, too, since Envoy's CORS lets it, for pages that send a key; and one whose
    name was turned to 127.0.0.1 behind our back (DNS rebinding) could as well, but keeps its
    name. With *auth* "keys" a page that sends a key has proven itself: a browser adds none of
    its own accord.
    """

    public_url: str = "http://127.0.0.1:8080"
    auth: str = "none"

    def http(self, method: str, headers: Mapping[str, str], *, linked: bool = False) -> None:
        """
        Check a request; what only reads, any page may link to.

        A script tells its origin, a link does not. *linked*: whoever knows the path may read it.
        """
        host = headers.get("host", "")
        scripted = self.auth == "none" and "origin" in headers and not linked
        if method not in _SAFE or scripted:
            self._refuse_foreign(headers, host)
        self._refuse_others_names(host)

    def grpc(self, metadata: Mapping[str, str]) -> None:
        """Check a call, which may change something whatever it is; only browsers are asked."""
        if "origin" in metadata or "sec-fetch-site" in metadata:
            host = metadata.get(HOST, "")
            self._refuse_foreign(metadata, host)
            self._refuse_others_names(host)

    def _refuse_foreign(self, headers: Mapping[str, str], host: str) -> None:
        keyed = self.auth == "keys" and "authorization" in headers
        if not keyed and _is_foreign(
            headers, {self.public_url, *(f"{s}://{host}" for s in _SCHEMES)}
        ):
            raise Denied("FOREIGN_PAGE", self._advice())

    def _advice(self) -> str:
        no_browser = "A program that is no browser leaves the header Origin out."
        if self.auth == "keys":
            return (
                "A page of another site may not change anything here without a key: let it send "
                f"'Authorization: Bearer isk_…', or serve it under {self.public_url}. {no_browser}"
            )
        return (
            "A page of another site may not read or change anything here: serve it under "
            f"{self.public_url}, or use AUTH=keys and let it send a key. {no_browser}"
        )

    def _refuse_others_names(self, name: str) -> None:
        host, public_host = _host(name), host_of(self.public_url)
        if "." in host and host != public_host and not is_loopback(host) and not _is_address(host):
            raise Denied(
                "HOST_UNKNOWN",
                f"This is not {host}: open {public_host}, or set PUBLIC_URL to the name you use.",
                metadata={"host": host},
            )


STRICTEST = Guard()


def _is_foreign(headers: Mapping[str, str], ours: set[str]) -> bool:
    """Tell by what browsers add; older ones name the page's origin alone."""
    if site := headers.get("sec-fetch-site"):
        return site in ("cross-site", "same-site")
    return headers.get("origin") not in (None, *ours)


def _host(name: str) -> str:
    try:
        return urlsplit(f"//{name}").hostname or ""
    except ValueError:
        raise Invalid("REQUEST_INVALID", "The header 'Host' names no host.") from None


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()
