"""
Names: how a request names what it wants, and the link that a file has for ever.

A link is the first 128 bits of HMAC-SHA256(LINK_KEY, "{user}:{sha256}"), as lower-case
base32: it cannot be guessed, tells nothing, and is found again from user and bytes.
"""

import base64
import hmac
import re
from dataclasses import dataclass

from chassis.errors import Invalid, Missing

_NAME = re.compile(
    r"assets/(?P<asset>[0-9a-f]{64})|links/(?P<link>[a-z2-7]{26})|receipts/(?P<receipt>[0-9a-f-]{36})"
)
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RANGE = re.compile(
    r"receipt:(?P<purchase>[0-9a-f-]{36})#(?P<start>\d{1,15})-(?P<stop>\d{1,15})(?P<raw>;raw)?"
)


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links with *key*, which is never rotated: the old links would die."""

    key: bytes

    def of(self, user_id: int, sha256: str) -> str:
        """Return the link of these bytes of this user, 26 characters."""
        # hmac.digest would let go of the interpreter, and then wait for it beside the threads.
        digest = hmac.new(self.key, f"{user_id}:{sha256}".encode(), "sha256").digest()
        return base64.b32encode(digest[:16]).decode().rstrip("=").lower()


@dataclass(frozen=True, slots=True)
class Named:
    """What a resource name says; one of the three is not empty."""

    asset: str = ""
    link: str = ""
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """Base64 text in the bytes *start* to *stop* of a receipt; *raw*: those bytes themselves."""

    purchase_id: str
    start: int
    stop: int
    raw: bool = False


def parse(name: str) -> Named:
    """Read "assets/…", "links/…" or "receipts/…"; what is malformed cannot exist: Missing."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise unknown(name)
    return Named(**{kind: value for kind, value in match.groupdict().items() if value})


def unknown(name: str) -> Missing:
    """Return the answer to a name behind which there is nothing for this caller."""
    said = name if len(name) <= 100 else f"{name[:100]}…"
    kind, _, which = said.partition("/")
    words = f"There is no {said!r} of yours."
    if kind == "links":  # whoever has one need not be a user
        words = "There is no picture at this link."
    elif kind == "assets":
        words = f"There is no picture {which} of yours: list your variants to see what there is."
    return Missing("RESOURCE_UNKNOWN", words, metadata={"name": said})


def parse_range(source: str, purchase_id: str) -> Range:
    """Read "receipt:{purchase_id}#{start}-{stop}[;raw]" of that purchase; else Invalid."""
    match = _RANGE.fullmatch(source)
    if match is None:
        raise invalid("source_uri", "say receipt:{purchase_id}#{start}-{stop}, or with ;raw")
    if match["purchase"] != purchase_id:
        raise invalid("source_uri", "the receipt is another purchase's")
    start, stop, raw = int(match["start"]), int(match["stop"]), bool(match["raw"])
    found = Range(match["purchase"], start, stop, raw)
    if found.start >= found.stop:
        raise invalid("source_uri", "the range is empty")
    return found


def check_purchase(purchase_id: str) -> str:
    """Return *purchase_id* if it is a UUID in its usual form; else Invalid."""
    if not _UUID.fullmatch(purchase_id):
        raise invalid("purchase_id", "give the purchase's UUID, lower-case with hyphens")
    return purchase_id


def invalid(field: str, problem: str) -> Invalid:
    """Return the answer to a field that is wrong."""
    return Invalid(
        "REQUEST_INVALID",
        f"{field}: {problem}.",
        metadata={"field": field},
        fields={field: problem},
    )
