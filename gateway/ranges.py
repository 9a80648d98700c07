"""Which bytes of a file a request wants: Range, If-Range and If-None-Match of RFC 9110."""

import re
from collections.abc import Mapping

_ONE = re.compile(r"bytes=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))\s*", re.IGNORECASE)


class UnsatisfiableError(Exception):
    """The range begins behind the end."""


def is_known(headers: Mapping[str, str], etag: str) -> bool:
    """Tell whether the client has it already, so that 304 is enough."""
    known = headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return etag in tags or known.strip() == "*"


def wanted(headers: Mapping[str, str], etag: str, size: int) -> tuple[int, int] | None:
    """
    Return the first byte and the one after the last; None: all, answered with 200.

    A header that is malformed or names several ranges is left out of account, which the
    RFC allows; so is one whose If-Range is not our etag. Raises UnsatisfiableError.
    """
    found = _ONE.fullmatch(headers.get("range", ""))
    if not found or headers.get("if-range", etag) != etag:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        start, stop = max(0, size - int(suffix)), size
        if int(suffix) == 0:
            raise UnsatisfiableError
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= size:
        raise UnsatisfiableError
    return start, stop
